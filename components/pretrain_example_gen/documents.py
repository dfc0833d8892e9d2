"""Tokenized documents, one after the other in flat arrays."""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Documents:
    """Documents as sentences of ids; none is empty, and no sentence is.

    Attributes:
        keys: of each document.
        places: uint64 [documents]; documents of a shard are worked on in the order of these hashes.
        sentence_counts: int64 [documents].
        sentence_lengths: int64 [sentences of all documents], in ids.
        token_ids: int32 [ids of all sentences].
    """

    keys: list[bytes]
    places: np.ndarray
    sentence_counts: np.ndarray
    sentence_lengths: np.ndarray
    token_ids: np.ndarray

    @classmethod
    def joined(cls, parts: Sequence["Documents"]) -> "Documents":
        """All documents of at least one part."""
        return cls(
            [key for part in parts for key in part.keys],
            np.concatenate([part.places for part in parts]),
            np.concatenate([part.sentence_counts for part in parts]),
            np.concatenate([part.sentence_lengths for part in parts]),
            np.concatenate([part.token_ids for part in parts]),
        )

    def take(self, rows: np.ndarray) -> "Documents":
        """Some documents, in the order of `rows`, int64 [n]."""
        sentences = indices(self.sentence_starts[rows], self.sentence_counts[rows])
        lengths = self.sentence_lengths[sentences]
        return Documents(
            [self.keys[row] for row in rows.tolist()],
            self.places[rows],
            self.sentence_counts[rows],
            lengths,
            self.token_ids[indices(self.token_starts[sentences], lengths)],
        )

    def in_order(self) -> "Documents":
        """The documents by `places`: the same order wherever and in whatever order they came."""
        return self.take(np.argsort(self.places, kind="stable"))

    def separated(self, separator: int) -> "Documents":
        """The documents with an id appended to each one's last sentence."""
        lengths = self.sentence_lengths.copy()
        lengths[self.sentence_starts[1:] - 1] += 1
        return dataclasses.replace(
            self,
            sentence_lengths=lengths,
            token_ids=np.insert(self.token_ids, self.ends, separator),
        )

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def sentence_starts(self) -> np.ndarray:
        """First sentence of each document, and the number of all, int64 [documents + 1]."""
        return starts(self.sentence_counts)

    @property
    def token_starts(self) -> np.ndarray:
        """First id of each sentence, and the number of all, int64 [sentences + 1]."""
        return starts(self.sentence_lengths)

    @property
    def ends(self) -> np.ndarray:
        """Where the ids of each document end, int64 [documents]."""
        return self.token_starts[self.sentence_starts[1:]]


def starts(lengths: np.ndarray) -> np.ndarray:
    """Where each of some adjoining ranges begins, and where the last ends, int64 [n + 1]."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def indices(firsts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers of several ranges, one range after the other.

    Args:
        firsts: int64 [n].
        lengths: int64 [n].

    Returns:
        int64 [sum of lengths]: `firsts[0], firsts[0] + 1, …, firsts[1], …`.
    """
    shifts = np.repeat(firsts - starts(lengths)[:-1], lengths)
    shifts += np.arange(len(shifts))
    return shifts
