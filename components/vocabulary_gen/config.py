"""Settings of the VocabularyGen."""

from typing import Literal

import pydantic

from models.config import Config

WORDPIECE_FILE, SENTENCEPIECE_FILE = "vocab.txt", "sentencepiece.model"


class VocabularyConfig(Config):
    """Where the vocabulary comes from.

    Attributes:
        kind: "wordpiece" for BERT, "bpe" for GPT.
        size: tokens to learn, reserved ones included.
        path: or a vocab.txt or sentencepiece.model to import.
    """

    kind: Literal["wordpiece", "bpe"] = "wordpiece"
    size: int | None = pydantic.Field(default=None, ge=10)
    path: str | None = None

    @pydantic.model_validator(mode="after")
    def _one_source(self) -> "VocabularyConfig":
        if (self.size is None) == (self.path is None):
            raise ValueError("give either size (to learn one) or path (to import one)")
        return self

    @property
    def file_name(self) -> str:
        """What the vocabulary's file is called in the artifact."""
        return WORDPIECE_FILE if self.kind == "wordpiece" else SENTENCEPIECE_FILE

    def files(self) -> list[str]:
        """The vocabulary to import; its content is part of the cache key."""
        return [self.path] if self.path else []
