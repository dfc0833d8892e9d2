"""The LanguageModelEvaluator component."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.fingerprint import code_fingerprint
from components.language_model_evaluator import executor
from components.language_model_evaluator.config import LanguageModelGateConfig
from components.pretrain_trainer.config import PretrainSettings


class LanguageModelEvaluatorSpec(ComponentSpec):
    """Inputs, outputs and parameters of LanguageModelEvaluator."""

    PARAMETERS = {
        "gate": ExecutionParameter(type=str),
        "settings": ExecutionParameter(type=str),
        "code_fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": ChannelParameter(type=standard_artifacts.Examples),
        "model": ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class LanguageModelEvaluator(base_component.BaseComponent):
    """Measures a pretrained model on the eval split and blesses it if the gate's rules are kept.

    TFMA has no metric of masked or next tokens, so the measuring is `models.language_model.measure`; the
    blessing is the artifact that TFX's Pusher and resolvers know.

    Args:
        examples: PretrainExampleGen's.
        model: the Trainer's, by `components.pretrain_trainer.run_fn`.
        gate: the rules.
        settings: the Trainer's.
    """

    SPEC_CLASS = LanguageModelEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.BaseChannel,
        model: types.BaseChannel,
        gate: LanguageModelGateConfig,
        settings: PretrainSettings,
    ):
        super().__init__(
            LanguageModelEvaluatorSpec(
                examples=examples,
                model=model,
                gate=gate.model_dump_json(),
                settings=settings.model_dump_json(),
                code_fingerprint=code_fingerprint(executor.__name__),
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
