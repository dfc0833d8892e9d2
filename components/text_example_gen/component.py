"""ExampleGen of text in the usual file formats."""

from tfx.dsl.components.base import executor_spec

from components.example_gen.component import ExampleGen
from components.text_example_gen.executor import TextExecutor


class TextExampleGen(ExampleGen):
    """Reads CSV, TSV, JSON Lines, Parquet, plain lines or TFRecord; constructed with a TextConfig.

    Besides `key`, `text`, `label` and `length_band` an example holds the settings' `columns`.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(TextExecutor)
