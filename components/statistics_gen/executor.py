"""StatisticsGen's work, which is TFX's."""

from tfx.components.statistics_gen import executor as tfx_executor

from components.beam_executor import BeamExecutor


class Executor(BeamExecutor, tfx_executor.Executor):
    """TFX's executor on the runner of BeamExecutor."""
