"""Pretraining rows in memory: one or several sequences a row, which know nothing of each other."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from models.examples import Rows

_READ_BATCH = 4096
_FEATURES: dict[str, type] = {  # of a row's lists, by name: what they are kept as
    "token_ids": np.int32,
    "sequence_lengths": np.int32,
    "second_starts": np.int32,
    "is_random_next": np.int64,
}


class RowsError(ValueError):
    """A file's rows contradict themselves."""


@dataclasses.dataclass(frozen=True, eq=False)
class SequenceRows(Rows):
    """All rows of a split, unmasked and unpadded, one after the other.

    Attributes:
        token_ids: int32 [ids of all rows].
        offsets: int64 [rows + 1]; row i has the ids from offsets[i] to offsets[i + 1].
        sequence_lengths: int32 [sequences of all rows].
        sequence_offsets: int64 [rows + 1]; row i has the sequences from … to ….
        second_starts: int32 [sequences], where segment B begins in its sequence; None without segments.
        is_random_next: int64 [sequences], 1 if segment B is random, 0 if it came next, -1 without one; None
            without segments.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    sequence_lengths: np.ndarray
    sequence_offsets: np.ndarray
    second_starts: np.ndarray | None = None
    is_random_next: np.ndarray | None = None

    @classmethod
    def read(cls, files: Sequence[str]) -> "SequenceRows":
        """Reads rows into memory, 4 bytes an id (8 while reading), in the order of the files' names.

        Args:
            files: gzipped TFRecord files of tf.train.Example with the int64 lists `token_ids`,
                `sequence_lengths` and, if sequences have segments, `second_starts` and `is_random_next`.

        Raises:
            RowsError: the lists of a row do not fit together.
        """
        values: dict[str, list[np.ndarray]] = {name: [] for name in _FEATURES}
        counts: dict[str, list[np.ndarray]] = {name: [] for name in _FEATURES}
        for file in sorted(files):
            for part in _parsed(file):
                for name, ragged in part.items():
                    values[name].append(ragged.values.numpy().astype(_FEATURES[name]))
                    counts[name].append(ragged.row_lengths().numpy())

        def joined(name: str) -> np.ndarray:
            return np.concatenate([np.zeros(0, _FEATURES[name]), *values.pop(name)])

        rows = cls(
            joined("token_ids"),
            _offsets(counts["token_ids"]),
            joined("sequence_lengths"),
            _offsets(counts["sequence_lengths"]),
        )
        second_starts = joined("second_starts")
        if not len(second_starts):
            return rows
        return dataclasses.replace(
            rows, second_starts=second_starts, is_random_next=joined("is_random_next")
        )

    @classmethod
    def from_sequences(
        cls,
        rows: Sequence[Sequence[Sequence[int]]],
        second_starts: Sequence[Sequence[int]] | None = None,
        is_random_next: Sequence[Sequence[int]] | None = None,
    ) -> "SequenceRows":
        """Rows of lists of sequences, each a list of ids; the other two have a number for each sequence."""
        sequences = [sequence for row in rows for sequence in row]
        lengths = np.array([len(sequence) for sequence in sequences], np.int32)
        ids = [np.asarray(sequence, np.int32) for sequence in sequences]
        per_row = np.array([sum(map(len, row)) for row in rows], np.int64)
        made = cls(
            np.concatenate([np.zeros(0, np.int32), *ids]),
            _offsets([per_row]),
            lengths,
            _offsets([np.array([len(row) for row in rows], np.int64)]),
        )
        if second_starts is None or is_random_next is None:
            return made
        return dataclasses.replace(
            made,
            second_starts=np.array([x for row in second_starts for x in row], np.int32),
            is_random_next=np.array([x for row in is_random_next for x in row], np.int64),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Ids of each row, int64 [rows]."""
        return np.diff(self.offsets)

    @property
    def has_pairs(self) -> bool:
        """Whether there is a sequence of which it is known if its second segment came next."""
        return self.is_random_next is not None and bool((self.is_random_next >= 0).any())

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """See `padded`."""
        names = ["token_ids", "padding_mask", "sequence_ids", "position_ids"]
        if self.second_starts is not None:
            names += ["segment_ids", "first_positions"]
        spec = {name: tf.TensorSpec([None, None], tf.int32) for name in names}
        if self.second_starts is not None:
            spec["next_label"] = tf.TensorSpec([None, None], tf.int64)
        return spec

    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Some rows as a batch.

        Args:
            rows: int [n], numbers of rows.
            length: ids a row; none of the rows is longer.

        Returns:
            int32 [n, length] each: `token_ids`; `padding_mask` (1 = a token); `sequence_ids` (which sequence
            of the row, from 1; 0 = padding); `position_ids` (from 0 in each sequence). With segments also
            `segment_ids` (0 or 1), int32 [n, length]; `first_positions`, int32 [n, most sequences of a row]
            (where each begins; 0 for none); `next_label`, int64 of that shape (-1 for none).
        """
        mask = np.arange(length) < self.lengths[rows, np.newaxis]
        counts = np.diff(self.sequence_offsets)[rows]
        # Of all sequences of the batch, one after the other:
        sequences = _ranges(self.sequence_offsets[rows], counts)
        lengths = self.sequence_lengths[sequences].astype(np.int64)
        numbers = _ranges(np.zeros_like(counts), counts)
        ends = np.cumsum(lengths)
        positions = np.arange(mask.sum()) - np.repeat(ends - lengths, lengths)

        def spread(values: np.ndarray) -> np.ndarray:
            grid = np.zeros(mask.shape, np.int32)
            grid[mask] = values
            return grid

        batch = {
            "token_ids": spread(self.token_ids[_ranges(self.offsets[rows], self.lengths[rows])]),
            "padding_mask": mask.astype(np.int32),
            "sequence_ids": spread(np.repeat(numbers + 1, lengths)),
            "position_ids": spread(positions),
        }
        if self.second_starts is None or self.is_random_next is None:
            return batch
        in_second = positions >= np.repeat(self.second_starts[sequences], lengths)
        row_starts = np.repeat(np.cumsum(self.lengths[rows]) - self.lengths[rows], counts)
        slots = np.arange(counts.max()) < counts[:, np.newaxis]
        first_positions = np.zeros(slots.shape, np.int32)
        first_positions[slots] = ends - lengths - row_starts
        next_label = np.full(slots.shape, -1, np.int64)
        next_label[slots] = self.is_random_next[sequences]
        return batch | {
            "segment_ids": spread(in_second),
            "first_positions": first_positions,
            "next_label": next_label,
        }


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The numbers from starts[i] to starts[i] + counts[i], for each i, one after the other."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - before, counts)


def _offsets(lengths: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0), *lengths]))]).astype(
        np.int64
    )


def _parsed(file: str) -> Iterator[dict[str, tf.RaggedTensor]]:
    """Yields the lists of some rows at a time."""
    spec = {name: tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64) for name in _FEATURES}
    row = 0
    for serialized in tf.data.TFRecordDataset(file, compression_type="GZIP").batch(_READ_BATCH):
        part = tf.io.parse_example(serialized, spec)
        _check(part, file, row)
        yield part
        row += part["token_ids"].nrows().numpy()


def _check(part: dict[str, tf.RaggedTensor], file: str, first_row: int) -> None:
    sizes = {name: part[name].row_lengths().numpy() for name in _FEATURES}
    sums = tf.reduce_sum(part["sequence_lengths"], axis=1).numpy()
    sequences = sizes["sequence_lengths"]
    bad = (sums != sizes["token_ids"]) | (sequences == 0)
    for name in ("second_starts", "is_random_next"):
        bad |= (sizes[name] != sequences) & (sizes[name] != 0)
    bad |= sizes["second_starts"] != sizes["is_random_next"]
    if bad.any():
        i = int(bad.argmax())
        raise RowsError(
            f"{file}, row {first_row + i}: {sizes['token_ids'][i]} token_ids, sequence_lengths that sum to "
            f"{sums[i]}, and {sequences[i]} sequences with {sizes['second_starts'][i]} second_starts and "
            f"{sizes['is_random_next'][i]} is_random_next: generate the examples again"
        )
