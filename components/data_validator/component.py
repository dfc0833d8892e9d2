"""The DataValidator component."""

import dataclasses
from collections.abc import Mapping

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_validator import executor
from components.data_validator.config import ValidationConfig
from components.data_validator.earlier import ANOMALIES, STATISTICS
from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint


class DataValidatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of DataValidator."""

    PARAMETERS = {
        "validation": ExecutionParameter(type=str),
        "vocabulary": ExecutionParameter(type=str, optional=True),
        "vocabulary_hash": ExecutionParameter(type=str, optional=True),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "quarantine": ChannelParameter(type=Quarantine),
        "examples": ChannelParameter(type=standard_artifacts.Examples, optional=True),
        "earlier_statistics": ChannelParameter(
            type=standard_artifacts.ExampleStatistics, optional=True
        ),
        "earlier_anomalies": ChannelParameter(
            type=standard_artifacts.ExampleAnomalies, optional=True
        ),
    }
    OUTPUTS = {"anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


@dataclasses.dataclass(frozen=True)
class Texts:
    """The texts to measure, and the vocabulary (path of a vocab.txt, hash of its content)."""

    examples: types.BaseChannel
    vocabulary: str
    vocabulary_hash: str


class DataValidator(base_component.BaseComponent):
    """Stops the line when the data cannot be used, and says why.

    TFX's ExampleValidator only writes anomalies down. This one fails on them, and also on too many
    quarantined rows, empty splits, skew between the splits and drift against an earlier run. Drift against
    the data of the last blessed model, in labels, lengths and fit to the vocabulary, warns or stops as
    configured; `drift.json` in the output `anomalies` holds what was compared.

    Args:
        statistics: of StatisticsGen, all splits.
        schema: what the examples must look like.
        quarantine: of the ExampleGen.
        validation: the limits.
        texts: whose texts are measured with which vocabulary; not measured by default.
        earlier: the last blessed model's `statistics` and `anomalies`, resolved by
            `LatestBlessedDataStrategy` or found by PushedData; without it there is nothing to compare with.
    """

    SPEC_CLASS = DataValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        quarantine: types.BaseChannel,
        validation: ValidationConfig,
        texts: Texts | None = None,
        earlier: Mapping[str, types.BaseChannel] | None = None,
    ):
        super().__init__(
            DataValidatorSpec(
                statistics=statistics,
                schema=schema,
                quarantine=quarantine,
                examples=texts.examples if texts else None,
                earlier_statistics=earlier[STATISTICS] if earlier else None,
                earlier_anomalies=earlier[ANOMALIES] if earlier else None,
                validation=validation.model_dump_json(),
                vocabulary=texts.vocabulary if texts else None,
                vocabulary_hash=texts.vocabulary_hash if texts else None,
                code_fingerprint=code_fingerprint(executor.__name__),
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
