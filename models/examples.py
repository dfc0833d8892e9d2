"""Tokenized examples with random access, so that an order is data and not a reader's state."""

import abc
import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

EXAMPLE_WEIGHT = "example_weight"  # a feature of an example, and its name in a batch
_READ_BATCH = 4096


class Rows(abc.ABC):
    """All that batches need to know of a split's examples, whatever they are for."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many rows there are."""

    @property
    @abc.abstractmethod
    def lengths(self) -> np.ndarray:
        """Ids of each row, int64 [rows]."""

    @property
    @abc.abstractmethod
    def spec(self) -> dict[str, tf.TensorSpec]:
        """Shapes and dtypes of what `padded` returns."""

    @abc.abstractmethod
    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Some rows as a batch.

        Args:
            rows: int [n], numbers of rows.
            length: ids a row; none of the rows is longer.

        Returns:
            Arrays [n, …], among them `padding_mask`, int32 [n, length] (1 = a token).
        """

    def transformed(
        self, batch: dict[str, tf.Tensor], rows: tf.Tensor, epoch: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """What is done to a batch in tf.data, before it is divided; nothing by default.

        What is random here must follow from the row and the epoch alone, so that a training that goes on
        from a checkpoint sees what it would have seen.

        Args:
            batch: what `padded` returned, and `weight`, float32 [n]: 0 where a row is repeated to fill.
            rows: int64 [n], the rows' numbers.
            epoch: int64 scalar, from 0; always 0 in evaluation.

        Returns:
            Tensors [n, …].
        """
        return batch


@dataclasses.dataclass(frozen=True, eq=False)
class Examples(Rows):
    """All examples of a split, unpadded, one after the other.

    Attributes:
        token_ids: int32 [ids of all examples].
        offsets: int64 [examples + 1]; example i has the ids from offsets[i] to offsets[i + 1].
        label_ids: int64 [examples].
        weights: float32 [examples], factors on the training loss; None if all count alike.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    label_ids: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def read(cls, files: Sequence[str]) -> "Examples":
        """Reads transformed examples into memory, 4 bytes an id, in the order of the files' names.

        Args:
            files: gzipped TFRecord files of tf.train.Example with `token_ids` (int64, any number) and
                `label_id` (int64, one), and either all or none with `example_weight` (float, one).

        Raises:
            ValueError: only some examples have a weight.
        """
        spec = {
            "token_ids": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            "label_id": tf.io.FixedLenFeature([], tf.int64),
            EXAMPLE_WEIGHT: tf.io.RaggedFeature(tf.float32),
        }
        records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
        ids, lengths, labels, weights = [], [], [], []
        for serialized in records.batch(_READ_BATCH).prefetch(1):
            rows = tf.io.parse_example(serialized, spec)
            ids.append(rows["token_ids"].values.numpy().astype(np.int32))
            lengths.append(rows["token_ids"].row_lengths().numpy())
            labels.append(rows["label_id"].numpy())
            weights.append(rows[EXAMPLE_WEIGHT].values.numpy())
        factors = _joined(weights, np.float32)
        if len(factors) not in (0, sum(map(len, labels))):
            raise ValueError(
                f"{len(factors)} of {sum(map(len, labels))} examples have {EXAMPLE_WEIGHT}: all or none must"
            )
        return cls(
            _joined(ids, np.int32),
            _offsets(_joined(lengths, np.int64)),
            _joined(labels, np.int64),
            factors if len(factors) else None,
        )

    @classmethod
    def from_rows(
        cls,
        token_ids: Sequence[Sequence[int]],
        label_ids: Sequence[int],
        weights: Sequence[float] | None = None,
    ) -> "Examples":
        """Examples of Python lists; one label, and one weight if there are some, for each list of ids."""
        lengths = np.array([len(row) for row in token_ids], np.int64)
        ids = [np.asarray(row, np.int32) for row in token_ids]
        return cls(
            _joined(ids, np.int32),
            _offsets(lengths),
            np.asarray(label_ids, np.int64),
            None if weights is None else np.asarray(weights, np.float32),
        )

    def __len__(self) -> int:
        return len(self.label_ids)

    @property
    def lengths(self) -> np.ndarray:
        """Ids of each example, int64 [examples]."""
        return np.diff(self.offsets)

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """See `padded`."""
        weights = (
            {} if self.weights is None else {EXAMPLE_WEIGHT: tf.TensorSpec([None], tf.float32)}
        )
        return {
            "token_ids": tf.TensorSpec([None, None], tf.int32),
            "padding_mask": tf.TensorSpec([None, None], tf.int32),
            "label_id": tf.TensorSpec([None], tf.int64),
        } | weights

    def label_counts(self, num_classes: int) -> np.ndarray:
        """Examples by class id, int64 [num_classes].

        Raises:
            ValueError: a label id is not in [0, num_classes).
        """
        bad = set(np.unique(self.label_ids)) - set(range(num_classes))
        if bad:
            raise ValueError(
                f"label ids {sorted(map(int, bad))} are outside 0 … {num_classes - 1}: an unseen label?"
            )
        return np.bincount(self.label_ids, minlength=num_classes)

    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Some examples as a batch.

        Args:
            rows: int [n], numbers of examples.
            length: ids a row; none of the examples is longer.

        Returns:
            `{"token_ids": int32 [n, length], "padding_mask": int32 [n, length] (1 = a token),
            "label_id": int64 [n]}`, and `example_weight`, float32 [n], if the examples have weights.
        """
        starts, positions = self.offsets[rows, np.newaxis], np.arange(length)
        mask = positions < self.lengths[rows, np.newaxis]
        token_ids = np.zeros(mask.shape, np.int32)
        token_ids[mask] = self.token_ids[(starts + positions)[mask]]
        weights = {} if self.weights is None else {EXAMPLE_WEIGHT: self.weights[rows]}
        return {
            "token_ids": token_ids,
            "padding_mask": mask.astype(np.int32),
            "label_id": self.label_ids[rows],
        } | weights


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
