"""The data sets that all contenders read, as JSON Lines."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from models.tokenizer import BertTokenizer, read_vocabulary

TRAIN, TEST = "train.jsonl", "test.jsonl"


def read_rows(path: Path, limit: int | None = None) -> tuple[list[str], list[str]]:
    """Texts and labels of the first `limit` rows, all of them by default."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:limit]
    return [row["text"] for row in rows], [row["label"] for row in rows]


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Ids of the texts of a split, before they are cut, [CLS] and [SEP] included."""

    mean: float
    median: float
    longest: int
    share_cut: float

    @classmethod
    def of(cls, texts: Sequence[str], vocabulary: Path, max_length: int) -> "Lengths":
        """Counts the ids that our tokenizer makes of each text, and the texts above `max_length`."""
        tokenizer = BertTokenizer(read_vocabulary(vocabulary), max_length=1_000_000)
        lengths = tokenizer(tf.constant(texts)).row_lengths().numpy()
        return cls(
            float(np.mean(lengths)),
            float(np.median(lengths)),
            int(lengths.max()),
            float(np.mean(lengths > max_length)),
        )

    def __str__(self) -> str:
        return (
            f"mean {self.mean:.1f}, median {self.median:.0f}, longest {self.longest} ids; "
            f"{self.share_cut:.0%} are cut"
        )
