"""TFX's Transform; only the default Beam runner is another."""

from tfx.components import Transform as TfxTransform
from tfx.dsl.components.base import executor_spec

from components.transform import executor


class Transform(TfxTransform):
    """See tfx.components.Transform."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
