"""The DataValidator component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.data_validator import executor
from components.data_validator.config import ValidationConfig
from components.example_gen.quarantine import Quarantine
from components.fingerprint import code_fingerprint


class DataValidatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of DataValidator."""

    PARAMETERS = {
        "validation": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "schema": ChannelParameter(type=standard_artifacts.Schema),
        "quarantine": ChannelParameter(type=Quarantine),
    }
    OUTPUTS = {"anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies)}


class DataValidator(base_component.BaseComponent):
    """Stops the line when the data cannot be used, and says why.

    TFX's ExampleValidator only writes anomalies down. This one fails on them, and also on too many
    quarantined rows, empty splits, skew between the splits and drift against an earlier run.

    Args:
        statistics: of StatisticsGen, all splits.
        schema: what the examples must look like.
        quarantine: of the ExampleGen.
        validation: the limits.
    """

    SPEC_CLASS = DataValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        statistics: types.BaseChannel,
        schema: types.BaseChannel,
        quarantine: types.BaseChannel,
        validation: ValidationConfig,
    ):
        super().__init__(
            DataValidatorSpec(
                statistics=statistics,
                schema=schema,
                quarantine=quarantine,
                validation=validation.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
