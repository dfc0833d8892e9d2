"""Settings of everything in `models/`, in a module without TensorFlow, so that they load at once."""

from typing import Literal

import pydantic


class Config(pydantic.BaseModel):
    """Settings as data: frozen, typed, and closed to unknown keys.

    Raises:
        pydantic.ValidationError: on an unknown key, a wrong type or a value out of range.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class BackboneConfig(Config):
    """Size and form of a BERT encoder (arXiv 1810.04805, section 3)."""

    vocabulary_size: int = pydantic.Field(default=30_522, gt=4)
    num_layers: int = pydantic.Field(ge=1)
    num_heads: int = pydantic.Field(ge=1)
    hidden_dim: int = pydantic.Field(ge=1)
    intermediate_dim: int = pydantic.Field(ge=1)
    max_sequence_length: int = pydantic.Field(default=512, ge=2)
    dropout: float = pydantic.Field(default=0.1, ge=0, lt=1)
    gelu: Literal["exact", "tanh"] = "exact"

    @pydantic.model_validator(mode="after")
    def _heads_divide_hidden(self) -> "BackboneConfig":
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}"
            )
        return self


class ClassifierConfig(Config):
    """What a saved classifier is made of."""

    backbone: BackboneConfig
    classes: tuple[str, ...] = pydantic.Field(min_length=2)
    max_length: int = pydantic.Field(ge=3)
    pooling: Literal["mean", "cls"] = "mean"

    @pydantic.model_validator(mode="after")
    def _length_fits(self) -> "ClassifierConfig":
        if self.max_length > self.backbone.max_sequence_length:
            raise ValueError(
                f"max_length {self.max_length} is above the backbone's "
                f"{self.backbone.max_sequence_length} positions"
            )
        return self


class OptimizerConfig(Config):
    """AdamW (arXiv 1711.05101) with linear warm-up and linear decay to 0, as BERT is fine-tuned."""

    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    head_learning_rate: float | None = pydantic.Field(default=None, gt=0)
    weight_decay: float = pydantic.Field(default=0.01, ge=0)
    warmup_fraction: float = pydantic.Field(default=0.1, ge=0, lt=1)
    clip_norm: float = pydantic.Field(default=1.0, gt=0)


class TrainingConfig(Config):
    """How long and how fast to train; every random choice follows from `seed`."""

    epochs: int = pydantic.Field(default=3, ge=1)
    batch_size: int = pydantic.Field(default=16, ge=1)
    optimizer: OptimizerConfig = OptimizerConfig()
    early_stopping_patience: int = pydantic.Field(default=2, ge=1)
    balance_classes: bool = False
    seed: int = pydantic.Field(default=0, ge=0)
