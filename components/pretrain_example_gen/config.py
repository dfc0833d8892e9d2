"""Settings of the PretrainExampleGen."""

from typing import Literal

import pydantic

from components.example_gen.config import ModuloRule
from models.config import Config

Objective = Literal["mlm_nsp", "mlm", "clm"]


class PretrainExamplesConfig(Config):
    """How documents become rows of token ids.

    Attributes:
        objective: "mlm_nsp" for BERT's pairs of segments (arXiv 1810.04805, section 3.1), "mlm" for
            whole sentences of adjoining documents, a separator between these (RoBERTa's
            FULL-SENTENCES, arXiv 1907.11692, section 4.2), "clm" for GPT's
            documents joined by an end token.
        max_length: the most ids of a row, special tokens included.
        short_fraction: share of documents whose pairs aim at a random shorter length ("mlm_nsp").
        packing: several sequences a row; rows of "clm" are full in any case.
        held_out: documents with these keys are left out: the test records of the fine-tuning tasks.
        held_out_keys: path of a file with more keys to leave out, one a line.
        documents_per_shard: about how many documents are worked on in one place. Random next segments
            and the sequences of a row come from the same shard.
        seed: of every random choice.
    """

    objective: Objective = "mlm_nsp"
    max_length: int = pydantic.Field(512, ge=8)
    short_fraction: float = pydantic.Field(0.1, ge=0, le=1)
    packing: bool = True
    held_out: ModuloRule | None = None
    held_out_keys: str | None = None
    documents_per_shard: int = pydantic.Field(4096, ge=2)
    seed: int = pydantic.Field(0, ge=0)

    def files(self) -> list[str]:
        """Paths of files these settings name; their content is part of the cache key."""
        return [self.held_out_keys] if self.held_out_keys else []
