"""Settings of everything in `models/`, in a module without TensorFlow, so that they load at once."""

from typing import Any, Literal

import pydantic

NO_FLOAT16_ON_TPU = (
    "TPUs multiply in bfloat16, not in float16: use mixed_bfloat16, which needs no loss scale"
)


StrategyName = Literal["auto", "one_device", "mirrored", "multi_worker", "tpu"]
Pooling = Literal["mean", "cls", "max"]  # see models.pooling
TaskName = Literal["single_label", "multi_label", "regression"]
DECISION = 0.5  # a class is an answer of a multi-label model from this probability on


class Config(pydantic.BaseModel):
    """Settings as data: frozen, typed, and closed to unknown keys.

    Raises:
        pydantic.ValidationError: on an unknown key, a wrong type or a value out of range.
    """

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


PresetName = Literal["tiny", "mini", "small", "medium", "base"]
_PRESETS: dict[PresetName, tuple[int, int]] = {  # layers, width; arXiv 1908.08962, table 1
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
}


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

    @classmethod
    def preset(cls, name: PresetName, **others: Any) -> "BackboneConfig":
        """One of Google's sizes of BERT (arXiv 1908.08962): heads of 64, feed-forward 4 times as wide.

        Args:
            name: of the size.
            others: fields of the config, such as `vocabulary_size`.

        Raises:
            KeyError: no such size.
        """
        layers, width = _PRESETS[name]
        size = {
            "num_layers": layers,
            "num_heads": width // 64,
            "hidden_dim": width,
            "intermediate_dim": 4 * width,
        }
        return cls(**(size | others))

    @pydantic.model_validator(mode="after")
    def _heads_divide_hidden(self) -> "BackboneConfig":
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}"
            )
        return self


class MaskingConfig(Config):
    """How much of a sequence a masked language model has to guess (arXiv 1810.04805, section 3.1).

    Attributes:
        share: of a sequence's ids, [CLS] and [SEP] counted.
        max_predictions: the most of one sequence; 15 % of 512 by default.
        whole_words: take all pieces of a word, or none.
    """

    share: float = pydantic.Field(default=0.15, gt=0, lt=1)
    max_predictions: int = pydantic.Field(default=77, ge=1)
    whole_words: bool = False


class TargetScale(Config):
    """Of a regression: a number in the label's own units is `mean` plus `deviation` times the model's output.

    Attributes:
        mean: of the train split's labels.
        deviation: their standard deviation.
    """

    mean: float
    deviation: float = pydantic.Field(gt=0)


class ClassifierConfig(Config):
    """What a saved classifier is made of.

    Attributes:
        backbone: the encoder's sizes.
        task: one class a text, any number of classes (also none), or a number.
        classes: their names by id; of a regression none.
        target: the scale of a regression's numbers.
        pairs: whether it reads two texts at a time, `[CLS] a [SEP] b [SEP]`.
        max_length: the most ids of a text or pair.
        pooling: what the head sees of the hidden states.
        embedding_pooling: what an embedding is made of; by default what the head sees.
    """

    backbone: BackboneConfig
    task: TaskName = "single_label"
    classes: tuple[str, ...] = ()
    target: TargetScale | None = None
    pairs: bool = False
    max_length: int = pydantic.Field(ge=3)
    pooling: Pooling = "mean"
    embedding_pooling: Pooling | None = None

    @property
    def num_outputs(self) -> int:
        """How many logits there are."""
        return 1 if self.task == "regression" else len(self.classes)

    @pydantic.model_validator(mode="after")
    def _answers_fit_task(self) -> "ClassifierConfig":
        if self.task == "regression":
            if self.classes or self.target is None:
                raise ValueError("a regression has a target scale and no classes")
        elif self.target is not None:
            raise ValueError(f"{self.task} has classes and no target scale")
        elif len(self.classes) < (least := 2 if self.task == "single_label" else 1):
            raise ValueError(f"{self.task} needs at least {least} classes, found {self.classes}")
        return self

    @pydantic.model_validator(mode="after")
    def _length_fits(self) -> "ClassifierConfig":
        if self.pairs and self.max_length < 5:
            raise ValueError(
                f"max_length {self.max_length} leaves a pair nothing beside [CLS] and two [SEP]"
            )
        if self.max_length > self.backbone.max_sequence_length:
            raise ValueError(
                f"max_length {self.max_length} is above the backbone's "
                f"{self.backbone.max_sequence_length} positions"
            )
        return self


class OptimizerConfig(Config):
    """How the weights are moved.

    Attributes:
        name: AdamW (arXiv 1711.05101) or, for very large batches, LAMB (arXiv 1904.00962).
        learning_rate: the highest of the schedule.
        head_learning_rate: the same for the layers that start from random weights; by default no other.
        schedule: what follows the warm-up: a line or half a cosine down to 0, or no change.
        warmup_fraction: share of all updates in which the rate rises linearly from 0.
        layer_decay: each layer's rate is that of the one above it times this (arXiv 2003.10555, appendix A).
        weight_decay: decoupled from the gradient.
        no_decay: variables with one of these names are not decayed.
        clip_norm: the largest norm of all gradients together; longer ones are shortened to it.
    """

    name: Literal["adamw", "lamb"] = "adamw"
    learning_rate: float = pydantic.Field(default=1e-4, gt=0)
    head_learning_rate: float | None = pydantic.Field(default=None, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_fraction: float = pydantic.Field(default=0.1, ge=0, lt=1)
    layer_decay: float = pydantic.Field(default=1.0, gt=0, le=1)
    weight_decay: float = pydantic.Field(default=0.01, ge=0)
    no_decay: tuple[str, ...] = ("bias", "gamma", "beta")
    clip_norm: float | None = pydantic.Field(default=1.0, gt=0)


class CheckpointConfig(Config):
    """When training is saved, so that a killed run goes on.

    Attributes:
        every_seconds: the least time between two checkpoints; 0 saves after every call of the train function.
        keep: how many of the newest stay.
    """

    every_seconds: float = pydantic.Field(default=120.0, ge=0)
    keep: int = pydantic.Field(default=2, ge=1)


class TrainingConfig(Config):
    """How long, how fast and on what to train; every random choice follows from `seed`.

    Attributes:
        epochs: passes over the train split.
        batch_size: rows of one update, over all replicas and micro-batches together (16 by default).
        tokens_per_batch: or as many rows as fit in so many tokens, padding included.
        accumulation_steps: an update's rows are worked on in so many parts, to save memory.
        strategy: where the replicas are; see `models.strategy`.
        precision: what the layers compute in; weights and logits are float32 always.
        xla: compile the train step; pays where shapes repeat (GPU, TPU).
        steps_per_call: updates in one call of the train function, for devices that outrun the host.
        optimizer: rule, rates and decay.
        checkpoint: when to save.
        early_stopping_patience: epochs without a lower eval loss after which training stops.
        balance_classes: weigh the training loss so that all classes weigh the same; where a text may have
            several, so that the texts that have a class weigh as much as those that have it not.
        wandb_project: also log to this project of Weights & Biases.
        seed: of weights, order and dropout.
    """

    epochs: int = pydantic.Field(default=3, ge=1)
    batch_size: int | None = pydantic.Field(default=None, ge=1)
    tokens_per_batch: int | None = pydantic.Field(default=None, ge=1)
    accumulation_steps: int = pydantic.Field(default=1, ge=1)
    strategy: StrategyName = "auto"
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"] = "float32"
    xla: bool = False
    steps_per_call: int = pydantic.Field(default=1, ge=1)
    optimizer: OptimizerConfig = OptimizerConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    early_stopping_patience: int = pydantic.Field(default=2, ge=1)
    balance_classes: bool = False
    wandb_project: str | None = None
    seed: int = pydantic.Field(default=0, ge=0)

    @pydantic.model_validator(mode="after")
    def _combination_works(self) -> "TrainingConfig":
        if self.batch_size and self.tokens_per_batch:
            raise ValueError("give either batch_size (rows) or tokens_per_batch, not both")
        if self.strategy == "tpu" and self.precision == "mixed_float16":
            raise ValueError(NO_FLOAT16_ON_TPU)
        return self
