"""Size of a GPT decoder, in a module without TensorFlow."""

from typing import Any

import pydantic

from models.config import BackboneConfig, Config, PresetName

_SIZES = {"num_layers", "num_heads", "hidden_dim", "intermediate_dim"}


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
    def preset(cls, name: PresetName, **others: Any) -> "GptConfig":
        """A decoder of the size of the BERT with this name; "base" is GPT-2's smallest.

        Args:
            name: of the size.
            others: fields of the config, `vocabulary_size` among them.

        Raises:
            KeyError: no such size.
        """
        return cls(**BackboneConfig.preset(name).model_dump(include=_SIZES) | others)
