"""The PushedData component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.pushed_data import executor


class PushedDataSpec(ComponentSpec):
    """Inputs, outputs and parameters of PushedData."""

    PARAMETERS = {
        "base_directory": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics)}
    OUTPUTS = {
        "earlier_statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics),
        "earlier_anomalies": ChannelParameter(type=standard_artifacts.ExampleAnomalies),
    }


class PushedData(base_component.BaseComponent):
    """The data of the latest stable model with other data, where there is no metadata store to ask.

    Each pushed version holds the distributions that drift is measured by (ModelCard writes them). Outputs
    `earlier_statistics` (split train only) and `earlier_anomalies` are empty if nothing like that was pushed,
    which the DataValidator takes for nothing to compare with. It must not be cached: what is pushed changes,
    and its inputs do not tell.

    Args:
        statistics: of this run.
        base_directory: the Pusher's.
    """

    SPEC_CLASS = PushedDataSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, statistics: types.BaseChannel, base_directory: str):
        super().__init__(
            PushedDataSpec(
                statistics=statistics,
                base_directory=base_directory,
                code_fingerprint=code_fingerprint(executor.__name__),
                earlier_statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
                earlier_anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
