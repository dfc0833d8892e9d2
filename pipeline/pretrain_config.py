"""The settings of a pretraining run, and of the whole method in one go."""

import pydantic

from components.data_validator.config import ValidationConfig
from components.language_model_evaluator.config import LanguageModelGateConfig
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_trainer.config import LanguageModelConfig
from components.pusher.config import PushConfig
from components.serving_validator.config import ServingValidationConfig
from components.vocabulary_gen.config import VocabularyConfig
from models.config import Config, TrainingConfig
from pipeline.configs import DataConfig, Name, PipelineConfig
from pipeline.few_shot_config import FewShotConfig
from pipeline.kubeflow_config import KubeflowConfig

_GPT_SERVING_VALIDATION = ServingValidationConfig(tolerance=1e-4)


class PretrainConfig(Config):
    """One run of the pretraining line.

    Attributes:
        name: of the pipeline; its runs, cache and pushed models live in `<root>/<name>/`.
        data: documents; labels, if there are any, are not looked at, nor is the test split.
        vocabulary: learned or given; that of `model.weights` if they are given.
        examples: objective, length and packing of the rows, and documents to leave out.
        model: a size, or weights to go on from.
        gate: what the model must reach on the eval split.
        serving_validation: how much a GPT is asked before it may be pushed, and how close its
            log-likelihoods must be, in nats a token.
        push: how many versions are kept, and whether a new one is on trial first.
        root: folder of all runs.
        beam_args: options of the Beam runner.
        kubeflow: how the same line runs on a cluster; a local run does not look at it.
    """

    name: Name
    data: DataConfig
    vocabulary: VocabularyConfig | None = None
    examples: PretrainExamplesConfig
    model: LanguageModelConfig
    gate: LanguageModelGateConfig
    validation: ValidationConfig = ValidationConfig()
    training: TrainingConfig = TrainingConfig()
    serving_validation: ServingValidationConfig = _GPT_SERVING_VALIDATION
    push: PushConfig = PushConfig()
    root: str = "runs"
    beam_args: tuple[str, ...] = ()
    kubeflow: KubeflowConfig | None = None

    @property
    def is_causal(self) -> bool:
        """Whether a GPT is trained instead of a BERT."""
        return self.examples.objective == "clm"

    @pydantic.model_validator(mode="after")
    def _parts_fit(self) -> "PretrainConfig":
        if (self.vocabulary is None) == (self.model.weights is None):
            raise ValueError(
                "give vocabulary for a new model, and none with model.weights, which bring their own"
            )
        if self.is_causal and self.model.weights:
            raise ValueError('a GPT (examples.objective "clm") starts from a preset or sizes')
        if not self.is_causal and self.serving_validation != _GPT_SERVING_VALIDATION:
            raise ValueError("serving_validation is a GPT's: a BERT is not served")
        wanted = "bpe" if self.is_causal else "wordpiece"
        if self.vocabulary and self.vocabulary.kind != wanted:
            raise ValueError(
                f'examples.objective "{self.examples.objective}" needs vocabulary.kind "{wanted}"'
            )
        if not self.model.weights and self.examples.max_length > self.model.max_sequence_length:
            raise ValueError(
                f"examples.max_length {self.examples.max_length} is above model.max_sequence_length "
                f"{self.model.max_sequence_length}"
            )
        return self


class MethodConfig(Config):
    """The whole method: pretrain on unlabelled text, then fine-tune that encoder on few labels.

    Attributes:
        pretrain: the first line; the second starts only if its model is blessed.
        finetune: the second, whose `model.pretrained.pipeline` is the first.
    """

    pretrain: PretrainConfig
    finetune: PipelineConfig

    @pydantic.model_validator(mode="after")
    def _second_takes_first(self) -> "MethodConfig":
        if self.pretrain.is_causal:
            raise ValueError("a GPT is not fine-tuned: pretrain.examples.objective must not be clm")
        taken = self.finetune.model.pretrained
        if not taken or (taken.pipeline, taken.root) != (self.pretrain.name, self.pretrain.root):
            raise ValueError(
                f"finetune.model.pretrained must name the pipeline {self.pretrain.name} in the root "
                f"{self.pretrain.root}"
            )
        if self.finetune.name == self.pretrain.name:
            raise ValueError("pretrain.name and finetune.name must differ")
        return self


AnyConfig = PipelineConfig | PretrainConfig | MethodConfig | FewShotConfig


def config_class(
    keys: set[str],
) -> type[PipelineConfig] | type[PretrainConfig] | type[MethodConfig] | type[FewShotConfig]:
    """Which settings a file with these keys at its top holds."""
    if keys & {"pretrain", "finetune"}:
        return MethodConfig
    if keys & {"pretrained", "few_shot"}:
        return FewShotConfig
    return PretrainConfig if keys & {"examples", "vocabulary"} else PipelineConfig
