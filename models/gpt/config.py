"""Size of a GPT decoder, in a module without TensorFlow."""

from typing import Any, Literal

import pydantic

from models.config import Config

Preset = Literal["tiny", "mini", "small", "medium", "base"]

# layers, hidden size: those of the small BERTs of arXiv 1908.08962, with heads of 64 as everywhere.
_PRESETS: dict[str, tuple[int, int]] = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
}
_HEAD_SIZE = 64


class GptConfig(Config):
    """Size of a GPT-2 decoder (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners").

    Attributes:
        vocabulary_size: ids, the tokenizer's special ones included.
        num_layers: decoder layers.
        num_heads: attention heads of a layer; divides `hidden_dim`.
        hidden_dim: size of a token's state.
        intermediate_dim: width of the feed-forward networks.
        max_sequence_length: positions, the longest context.
        dropout: rate in training.
    """

    vocabulary_size: int = pydantic.Field(ge=4)
    num_layers: int = pydantic.Field(ge=1)
    num_heads: int = pydantic.Field(ge=1)
    hidden_dim: int = pydantic.Field(ge=1)
    intermediate_dim: int = pydantic.Field(ge=1)
    max_sequence_length: int = pydantic.Field(default=1024, ge=2)
    dropout: float = pydantic.Field(default=0.1, ge=0, lt=1)

    @pydantic.model_validator(mode="after")
    def _heads_divide_hidden(self) -> "GptConfig":
        if self.hidden_dim % self.num_heads:
            raise ValueError(
                f"hidden_dim {self.hidden_dim} is no multiple of num_heads {self.num_heads}"
            )
        return self

    @classmethod
    def preset(cls, name: Preset, vocabulary_size: int, **changes: Any) -> "GptConfig":
        """A size by name; "base" is GPT-2's smallest.

        Args:
            name: "tiny" (2 layers of 128), "mini" (4 of 256), "small" (4 of 512), "medium" (8 of 512) or
                "base" (12 of 768).
            vocabulary_size: the tokenizer's.
            **changes: other fields, or other values of them.
        """
        layers, hidden = _PRESETS[name]
        sizes = {
            "num_layers": layers,
            "num_heads": hidden // _HEAD_SIZE,
            "hidden_dim": hidden,
            "intermediate_dim": 4 * hidden,
        }
        return cls(vocabulary_size=vocabulary_size, **sizes | changes)
