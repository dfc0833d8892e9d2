"""Settings of pretraining."""

from typing import Any

import pydantic

from models.config import BackboneConfig, Config, MaskingConfig, PresetName, TrainingConfig
from models.gpt.config import GptConfig

_SIZES = ("num_layers", "num_heads", "hidden_dim", "intermediate_dim")


class LanguageModelConfig(Config):
    """Where a language model starts: from random weights of some size, or from given ones.

    Attributes:
        preset: size by name, those of the small BERTs of arXiv 1908.08962.
        num_layers: or by numbers: transformer layers,
        num_heads: attention heads of a layer,
        hidden_dim: size of a token's state,
        intermediate_dim: and width of the feed-forward networks.
        max_sequence_length: positions; those of the weights, if there are any.
        dropout: rate in training, likewise.
        weights: or a BERT to go on from, by name or as a Hugging Face folder.
        masking: what a BERT has to guess.
    """

    preset: PresetName | None = None
    num_layers: int | None = pydantic.Field(default=None, ge=1)
    num_heads: int | None = pydantic.Field(default=None, ge=1)
    hidden_dim: int | None = pydantic.Field(default=None, ge=1)
    intermediate_dim: int | None = pydantic.Field(default=None, ge=1)
    max_sequence_length: int = pydantic.Field(default=512, ge=2)
    dropout: float = pydantic.Field(default=0.1, ge=0, lt=1)
    weights: str | None = None
    masking: MaskingConfig = MaskingConfig()

    @pydantic.model_validator(mode="after")
    def _one_start(self) -> "LanguageModelConfig":
        given = [name for name in _SIZES if getattr(self, name) is not None]
        if (self.preset is not None) + (self.weights is not None) + bool(given) != 1:
            raise ValueError(f"give one of preset, weights, or the sizes {', '.join(_SIZES)}")
        if given and len(given) < len(_SIZES):
            missing = [name for name in _SIZES if name not in given]
            raise ValueError(f"{', '.join(missing)} is missing")
        if given:
            self.backbone(vocabulary_size=5)  # says what does not fit
        return self

    def gpt(self, vocabulary_size: int) -> GptConfig:
        """The GPT of this size."""
        return GptConfig(**self.backbone(vocabulary_size).model_dump(exclude={"gelu"}))

    def backbone(self, vocabulary_size: int) -> BackboneConfig:
        """The BERT of this size."""
        others: dict[str, Any] = {
            "vocabulary_size": vocabulary_size,
            "max_sequence_length": self.max_sequence_length,
            "dropout": self.dropout,
        }
        if self.preset:
            return BackboneConfig.preset(self.preset, **others)
        return BackboneConfig(**{name: getattr(self, name) for name in _SIZES}, **others)


class PretrainSettings(Config):
    """The Trainer's custom_config, which is also its cache key.

    Attributes:
        is_causal: whether to train a GPT instead of a BERT.
        model: size or start, `weights` being a folder.
        weights_hash: of that folder's model.safetensors.
        training: how.
        checkpoints: folder in which a training under way is saved.
        code_fingerprint: of the Trainer's code.
    """

    is_causal: bool
    model: LanguageModelConfig
    weights_hash: str | None = None
    training: TrainingConfig
    checkpoints: str
    code_fingerprint: str
