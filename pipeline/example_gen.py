"""The component that reads a run's data."""

from components.medline_example_gen.component import MedlineExampleGen
from components.text_example_gen.component import TextExampleGen
from pipeline.configs import DataConfig


def create_example_gen(data: DataConfig, folder: str) -> MedlineExampleGen | TextExampleGen:
    """The ExampleGen for the data's format, reading from a folder."""
    if data.medline:
        return MedlineExampleGen(folder, data.medline)
    assert data.text is not None  # DataConfig asks for one of the two
    return TextExampleGen(folder, data.text)
