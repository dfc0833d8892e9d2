"""The component that reads a run's data."""

from components.medline_example_gen.component import MedlineExampleGen
from components.medline_example_gen.config import MedlineConfig
from components.text_example_gen.component import TextExampleGen
from components.text_example_gen.config import TextConfig


def create_example_gen(
    reader: MedlineConfig | TextConfig, folder: str, undivided: bool = False
) -> MedlineExampleGen | TextExampleGen:
    """The ExampleGen of a reader's settings, reading from a folder.

    Args:
        reader: the settings.
        folder: what its `pattern` is relative to.
        undivided: for a model to be asked: one split, no labels.
    """
    if isinstance(reader, MedlineConfig):
        return MedlineExampleGen(folder, reader, undivided=undivided)
    return TextExampleGen(folder, reader, undivided=undivided)
