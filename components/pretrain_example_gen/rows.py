"""Rows of sequences as serialized tf.train.Examples."""

import dataclasses
import itertools

import numpy as np
import tensorflow as tf

from components.pretrain_example_gen.documents import Documents, indices, starts
from components.pretrain_example_gen.sequences import Sequences


@dataclasses.dataclass(frozen=True)
class Frame:
    """Ids around segments: `[CLS] a… [SEP] b… [SEP]`; `sep` also stands between documents of a segment."""

    cls: int
    sep: int


def sequence_lengths(sequences: Sequences, frame: Frame | None) -> np.ndarray:
    """Ids of each sequence with its frame, if it has one, int64 [n]."""
    lengths = sequences.lengths.sum(axis=1)
    return lengths if frame is None else lengths + 2 + (sequences.lengths[:, 1] > 0)


def serialize(
    documents: Documents,
    sequences: Sequences,
    order: np.ndarray,
    sizes: np.ndarray,
    frame: Frame | None,
) -> list[bytes]:
    """Writes down rows.

    Args:
        documents: what the sequences are cut from.
        sequences: of all rows.
        order: the sequences' numbers row by row, int64 [n].
        sizes: how many sequences each row has, int64 [rows].
        frame: the special ids of BERT; None for segments as they are.

    Returns:
        For each row a tf.train.Example of int64 lists `token_ids` and `sequence_lengths`, with a frame also
        `second_starts` and `is_random_next`, and of bytes `document_keys`.
    """
    lengths = sequence_lengths(sequences, frame)[order]
    row_lengths = np.add.reduceat(lengths, starts(sizes)[:-1])
    integers = {
        "token_ids": (_token_ids(documents, sequences, order, frame), row_lengths),
        "sequence_lengths": (lengths, sizes),
    }
    if frame is not None:
        a, b = sequences.lengths[order].T
        integers["second_starts"] = (np.where(b > 0, a + 2, lengths), sizes)
        integers["is_random_next"] = (sequences.is_random_next[order], sizes)
    features = {
        name: _int64_features(values, counts) for name, (values, counts) in integers.items()
    }
    features["document_keys"] = _key_features(documents, sequences, order, sizes)
    return _examples(features)


def _token_ids(
    documents: Documents, sequences: Sequences, order: np.ndarray, frame: Frame | None
) -> np.ndarray:
    """The ids of all sequences, int32, gathered in one go: special ids stand behind the documents'."""
    firsts, lengths = sequences.firsts[order], sequences.lengths[order]
    if frame is None:
        return documents.token_ids[indices(firsts[:, 0], lengths[:, 0])]
    total, ones = len(documents.token_ids), np.ones(len(order), np.int64)
    cls, sep = np.full(len(order), total), np.full(len(order), total + 1)
    firsts = np.stack([cls, firsts[:, 0], sep, firsts[:, 1], sep], axis=1)
    has_second = (lengths[:, 1] > 0).astype(np.int64)
    lengths = np.stack([ones, lengths[:, 0], ones, lengths[:, 1], has_second], axis=1)
    ids = np.append(documents.token_ids, np.array([frame.cls, frame.sep], np.int32))
    return ids[indices(firsts.ravel(), lengths.ravel())]


def _int64_features(values: np.ndarray, counts: np.ndarray) -> tf.Tensor:
    """Serialized tf.train.Features, string [rows], of `counts` of the values each."""
    padded = tf.RaggedTensor.from_row_lengths(values.astype(np.int64), counts).to_tensor()
    return _feature("int64_list", "Int64List", padded, counts)


def _key_features(
    documents: Documents, sequences: Sequences, order: np.ndarray, sizes: np.ndarray
) -> tf.Tensor:
    counts = sequences.document_counts[order]
    of_rows = indices(sequences.documents[order].ravel(), counts.ravel()).tolist()
    row_starts = starts(counts.sum(axis=1))[starts(sizes)].tolist()
    keys = [
        [documents.keys[document] for document in dict.fromkeys(of_rows[first:end])]
        for first, end in itertools.pairwise(row_starts)
    ]
    key_counts = np.array([len(row) for row in keys], np.int64)
    flat = tf.constant([key for row in keys for key in row], tf.string)
    return _feature(
        "bytes_list",
        "BytesList",
        tf.RaggedTensor.from_row_lengths(flat, key_counts).to_tensor(),
        key_counts,
    )


def _feature(kind: str, message: str, values: tf.Tensor, counts: np.ndarray) -> tf.Tensor:
    sizes = tf.constant(counts[:, np.newaxis], tf.int32)
    return _message(
        "Feature", {kind: tf.io.encode_proto(sizes, [values], ["value"], f"tensorflow.{message}")}
    )


def _examples(features: dict[str, tf.Tensor]) -> list[bytes]:
    """tf.train.Examples of features by name; TensorFlow's encoder saves the time of Python's."""
    entries = [
        _message("Features.FeatureEntry", {"key": tf.fill(tf.shape(value), name), "value": value})
        for name, value in sorted(features.items())
    ]
    counts = tf.fill([len(entries[0]), 1], len(entries))
    together = tf.io.encode_proto(
        counts, [tf.stack(entries, axis=1)], ["feature"], "tensorflow.Features"
    )
    return _message("Example", {"features": together}).numpy().tolist()


def _message(name: str, fields: dict[str, tf.Tensor]) -> tf.Tensor:
    """Serialized messages, string [rows], each field once."""
    rows = len(next(iter(fields.values())))
    return tf.io.encode_proto(
        tf.ones([rows, len(fields)], tf.int32),
        [value[:, tf.newaxis] for value in fields.values()],
        list(fields),
        f"tensorflow.{name}",
    )
