"""The component every ExampleGen derives from."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tfx.components import FileBasedExampleGen
from tfx.dsl.components.base import base_beam_component
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import channel, component_spec, standard_artifacts, standard_component_specs

from components.example_gen.config import ExampleGenConfig
from components.example_gen.driver import READER_CONFIG_KEY, Driver
from components.example_gen.executor import QUARANTINE_KEY, UNDIVIDED_KEY
from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint


class ExampleGenSpec(component_spec.ComponentSpec):
    """What TFX's file-based driver needs, and our reader's settings."""

    PARAMETERS = {
        standard_component_specs.INPUT_BASE_KEY: component_spec.ExecutionParameter(type=str),
        standard_component_specs.INPUT_CONFIG_KEY: component_spec.ExecutionParameter(
            type=example_gen_pb2.Input
        ),
        standard_component_specs.RANGE_CONFIG_KEY: component_spec.ExecutionParameter(
            type=range_config_pb2.RangeConfig, optional=True
        ),
        READER_CONFIG_KEY: component_spec.ExecutionParameter(type=str),
        UNDIVIDED_KEY: component_spec.ExecutionParameter(type=int, optional=True),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
        "files_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        standard_component_specs.EXAMPLES_KEY: component_spec.ChannelParameter(
            type=standard_artifacts.Examples
        ),
        QUARANTINE_KEY: component_spec.ChannelParameter(type=Quarantine),
    }


class ExampleGen(FileBasedExampleGen):
    """Reads files into train/eval/test examples, and what can't be read into quarantine.

    A subclass of FileBasedExampleGen because that brings TFX's driver, which resolves spans and
    versions and fingerprints the input, and because the Kubeflow v2 compiler looks for that class.

    Outputs: `examples` (gzipped TFRecord of tf.Example) and `quarantine`.
    """

    SPEC_CLASS = ExampleGenSpec
    DRIVER_CLASS = Driver

    def __init__(
        self,
        input_base: str,
        config: ExampleGenConfig,
        range_config: range_config_pb2.RangeConfig | None = None,
        undivided: bool = False,
    ):
        """Describes the component; reads nothing but the files the settings name.

        Args:
            input_base: the folder that `config.pattern` is relative to.
            config: settings of the reader.
            range_config: which one span to read where the pattern has spans and the settings have no
                window of them; the latest by default.
            undivided: one split, `all`, of examples without labels that say where they came from.

        Raises:
            FileNotFoundError: a file the settings name is missing.
        """
        spec = ExampleGenSpec(
            input_base=input_base,
            input_config=example_gen_pb2.Input(
                splits=[example_gen_pb2.Input.Split(name="all", pattern=config.pattern)]
            ),
            range_config=range_config,
            reader_config=config.model_dump_json(),
            undivided=1 if undivided else None,
            code_fingerprint=code_fingerprint(self.EXECUTOR_SPEC.executor_class.__module__),
            files_fingerprint=_files_fingerprint(config.files()),
            examples=channel.Channel(type=standard_artifacts.Examples),
            quarantine=channel.Channel(type=Quarantine),
        )
        # FileBasedExampleGen's own __init__ builds TFX's spec instead of ours.
        base_beam_component.BaseBeamComponent.__init__(self, spec=spec)


def _files_fingerprint(paths: Iterable[str]) -> str:
    """TFX's cache key holds a path, not what is in the file: this holds it."""
    return " ".join(hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16] for path in paths)
