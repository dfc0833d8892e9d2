"""Tokenized examples with random access, so that an order is data and not a reader's state."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np
import tensorflow as tf

from models.config import TaskName

EXAMPLE_WEIGHT = "example_weight"  # a feature of an example, and its name in a batch
# The label in a batch: a class's id, whether the example has each class, or a number. As a feature of an
# example, LABEL_ID has the ids of all its classes.
LABEL_ID, HAS_CLASS, TARGET = "label_id", "has_class", "target"
_LABEL_NAMES = {"i": LABEL_ID, "b": HAS_CLASS, "f": TARGET}  # by kind of dtype
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
        labels: int64 [examples] class ids, bool [examples, classes], or float32 [examples] numbers.
        weights: float32 [examples], factors on the training loss; None if all count alike.
    """

    token_ids: np.ndarray
    offsets: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None = None

    @classmethod
    def read(
        cls, files: Sequence[str], task: TaskName = "single_label", num_classes: int = 0
    ) -> "Examples":
        """Reads transformed examples into memory, 4 bytes an id, in the order of the files' names.

        Args:
            files: gzipped TFRecord files of tf.train.Example with `token_ids` (int64, any number), with
                `label_id` (int64, one, or of multi_label any number) or `target` (float, one), and either
                all or none with `example_weight` (float, one).
            task: what the labels are.
            num_classes: how many there are; of multi_label only. Other ids are left out.

        Raises:
            ValueError: only some examples have a weight.
        """
        label = {
            "single_label": {LABEL_ID: tf.io.FixedLenFeature([], tf.int64)},
            "multi_label": {LABEL_ID: tf.io.RaggedFeature(tf.int64)},
            "regression": {TARGET: tf.io.FixedLenFeature([], tf.float32)},
        }[task]
        [label_name] = label
        spec = label | {
            "token_ids": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
            EXAMPLE_WEIGHT: tf.io.RaggedFeature(tf.float32),
        }
        records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
        ids, lengths, labels, weights = [], [], [], []
        for serialized in records.batch(_READ_BATCH).prefetch(1):
            rows = tf.io.parse_example(serialized, spec)
            ids.append(rows["token_ids"].values.numpy().astype(np.int32))
            lengths.append(rows["token_ids"].row_lengths().numpy())
            found = rows[label_name]
            labels.append(
                _has_class(found, num_classes) if task == "multi_label" else found.numpy()
            )
            weights.append(rows[EXAMPLE_WEIGHT].values.numpy())
        factors = _joined(weights, np.float32)
        if len(factors) not in (0, sum(map(len, labels))):
            raise ValueError(
                f"{len(factors)} of {sum(map(len, labels))} examples have {EXAMPLE_WEIGHT}: all or none must"
            )
        return cls(
            _joined(ids, np.int32),
            _offsets(_joined(lengths, np.int64)),
            np.concatenate(labels) if labels else _no_labels(task, num_classes),
            factors if len(factors) else None,
        )

    @classmethod
    def from_rows(
        cls,
        token_ids: Sequence[Sequence[int]],
        labels: Sequence[int] | np.ndarray,
        weights: Sequence[float] | None = None,
    ) -> "Examples":
        """Examples of Python lists.

        Args:
            token_ids: of each example.
            labels: class ids, or an array as the attribute is.
            weights: of each example, if there are some.
        """
        lengths = np.array([len(row) for row in token_ids], np.int64)
        ids = [np.asarray(row, np.int32) for row in token_ids]
        return cls(
            _joined(ids, np.int32),
            _offsets(lengths),
            labels if _is_array_of_others(labels) else np.asarray(labels, np.int64),
            None if weights is None else np.asarray(weights, np.float32),
        )

    def __len__(self) -> int:
        return len(self.labels)

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
        label = self._label(np.zeros(0, int))
        return {
            "token_ids": tf.TensorSpec([None, None], tf.int32),
            "padding_mask": tf.TensorSpec([None, None], tf.int32),
            self._label_name: tf.TensorSpec([None, *label.shape[1:]], label.dtype),
        } | weights

    def label_counts(self, num_classes: int) -> np.ndarray:
        """Examples that have each class, int64 [num_classes].

        Raises:
            ValueError: a label id is not in [0, num_classes).
        """
        if self._label_name == HAS_CLASS:
            return self.labels.sum(axis=0)
        bad = set(np.unique(self.labels)) - set(range(num_classes))
        if bad:
            raise ValueError(
                f"label ids {sorted(map(int, bad))} are outside 0 … {num_classes - 1}: an unseen label?"
            )
        return np.bincount(self.labels, minlength=num_classes)

    def padded(self, rows: np.ndarray, length: int) -> dict[str, np.ndarray]:
        """Some examples as a batch.

        Args:
            rows: int [n], numbers of examples.
            length: ids a row; none of the examples is longer.

        Returns:
            `{"token_ids": int32 [n, length], "padding_mask": int32 [n, length] (1 = a token)}`, the labels as
            `label_id` (int64 [n]), `has_class` (float32 [n, classes], 0 or 1) or `target` (float32 [n]), and
            `example_weight`, float32 [n], if the examples have weights.
        """
        starts, positions = self.offsets[rows, np.newaxis], np.arange(length)
        mask = positions < self.lengths[rows, np.newaxis]
        token_ids = np.zeros(mask.shape, np.int32)
        token_ids[mask] = self.token_ids[(starts + positions)[mask]]
        weights = {} if self.weights is None else {EXAMPLE_WEIGHT: self.weights[rows]}
        return {
            "token_ids": token_ids,
            "padding_mask": mask.astype(np.int32),
            self._label_name: self._label(rows),
        } | weights

    @property
    def _label_name(self) -> str:
        return _LABEL_NAMES[self.labels.dtype.kind]

    def _label(self, rows: np.ndarray) -> np.ndarray:
        """As a batch has it."""
        found = self.labels[rows]
        return found.astype(np.float32) if self._label_name == HAS_CLASS else found


def _is_array_of_others(labels: Sequence[int] | np.ndarray) -> TypeGuard[np.ndarray]:
    """Whether labels are marks or numbers, and not class ids."""
    return isinstance(labels, np.ndarray) and labels.dtype.kind in "bf"


def _has_class(ids: tf.RaggedTensor, num_classes: int) -> np.ndarray:
    """Ragged int64 [n, (classes)] → bool [n, num_classes]."""
    rows, columns = ids.value_rowids().numpy(), ids.values.numpy()
    known = (columns >= 0) & (columns < num_classes)
    found = np.zeros((int(ids.nrows()), num_classes), bool)
    found[rows[known], columns[known]] = True
    return found


def _no_labels(task: TaskName, num_classes: int) -> np.ndarray:
    if task == "multi_label":
        return np.zeros((0, num_classes), bool)
    return np.zeros(0, np.float32 if task == "regression" else np.int64)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.zeros(0, dtype)


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
