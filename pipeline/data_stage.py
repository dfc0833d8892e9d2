"""First stage of the fine-tuning line: raw data → examples, statistics, a schema; what stops bad data."""

import dataclasses

from tfx.dsl.components.base.base_node import BaseNode
from tfx.types import Channel

from components.data_audit.component import DataAudit
from components.data_validator.component import DataValidator, Texts
from components.example_gen.component import ExampleGen
from components.statistics_gen.component import StatisticsGen
from pipeline.configs import PipelineConfig
from pipeline.earlier_data import create_earlier_data, earlier_channels
from pipeline.example_gen import create_example_gen
from pipeline.inputs import Inputs
from pipeline.schema_gen import create_schema_gen


@dataclasses.dataclass(frozen=True)
class DataStage:
    """The components, in the order in which they may run."""

    example_gen: ExampleGen
    statistics_gen: StatisticsGen
    schema_gen: BaseNode
    earlier: BaseNode
    validator: DataValidator
    audit: DataAudit

    @property
    def components(self) -> list[BaseNode]:
        """All of them."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)]

    @property
    def examples(self) -> Channel:
        """The raw examples, in splits."""
        return self.example_gen.outputs["examples"]

    @property
    def schema(self) -> Channel:
        """What the examples hold."""
        return self.schema_gen.outputs["schema"]


def create_data_stage(
    config: PipelineConfig, inputs: Inputs, serving_root: str, has_metadata: bool
) -> DataStage:
    """Wires the stage.

    Args:
        config: the run's settings.
        inputs: where data, schema, vocabulary and weights are.
        serving_root: of the pushed versions.
        has_metadata: whether a metadata store can tell of earlier runs.
    """
    example_gen = create_example_gen(config.data.reader, inputs.data)
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    statistics = statistics_gen.outputs["statistics"]
    schema_gen = create_schema_gen(inputs)
    earlier = create_earlier_data(statistics, serving_root, has_metadata=has_metadata)
    validator = DataValidator(
        statistics=statistics,
        schema=schema_gen.outputs["schema"],
        quarantine=example_gen.outputs["quarantine"],
        validation=config.validation,
        texts=Texts(examples, inputs.vocabulary, inputs.vocabulary_hash),
        earlier=earlier_channels(earlier),
    )
    audit = DataAudit(
        examples=examples,
        config=config.audit,
        near_duplicates=config.data.reader.splits.near_duplicates,
        pretraining=inputs.pretraining,
        task=config.data.reader.task,
    )
    audit.add_upstream_node(validator)
    return DataStage(example_gen, statistics_gen, schema_gen, earlier, validator, audit)
