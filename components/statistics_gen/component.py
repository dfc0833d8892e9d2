"""TFX's StatisticsGen; only the default Beam runner is another."""

from tfx.components import StatisticsGen as TfxStatisticsGen
from tfx.dsl.components.base import executor_spec

from components.statistics_gen import executor


class StatisticsGen(TfxStatisticsGen):
    """See tfx.components.StatisticsGen."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
