"""The PushedBaseline component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.pushed_baseline import executor


class PushedBaselineSpec(ComponentSpec):
    """Inputs, outputs and parameters of PushedBaseline."""

    PARAMETERS = {
        "base_directory": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {"candidate": ChannelParameter(type=standard_artifacts.Model, optional=True)}
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}


class PushedBaseline(base_component.BaseComponent):
    """The stable pushed model, unless it is the candidate, where there is no metadata store to ask.

    Kubeflow Pipelines runs no resolvers ("resolver not implemented yet", kubeflow/pipelines,
    backend/src/v2/compiler/argocompiler/argo.go). What was pushed is the latest model that was both blessed
    and found to serve as it should, and is stable if nobody has rolled it back.

    Output `model` is a copy; empty if nothing else was pushed, which the Evaluator takes for no baseline. It
    must not be cached: what is pushed changes, and its inputs do not tell.

    Args:
        candidate: the model that will be compared; None where there is none yet.
        base_directory: the Pusher's.
    """

    SPEC_CLASS = PushedBaselineSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, candidate: types.BaseChannel | None, base_directory: str):
        super().__init__(
            PushedBaselineSpec(
                candidate=candidate,
                base_directory=base_directory,
                code_fingerprint=code_fingerprint(executor.__name__),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
