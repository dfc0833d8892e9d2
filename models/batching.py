"""From TFRecords of unpadded ids to length-bucketed batches."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

_BUCKET_WIDTH = 32  # tokens; a batch wastes at most this much padding a row
_SHUFFLE_BUFFER = 16_384  # examples; ids only, so some tens of megabytes at the most
_READ_BATCH = 512


def read_examples(files: Sequence[str]) -> tf.data.Dataset:
    """Reads transformed examples.

    Args:
        files: gzipped TFRecord files of tf.train.Example with `token_ids` (int64, any number) and
            `label_id` (int64, one).

    Returns:
        A dataset of `{"token_ids": int32 ragged [_, (ids)], "label_id": int64 [_]}`, up to 512 rows each,
        in the files' order.
    """
    spec = {
        "token_ids": tf.io.RaggedFeature(tf.int64),
        "label_id": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        features = tf.io.parse_example(serialized, spec)
        return features | {"token_ids": tf.cast(features["token_ids"], tf.int32)}

    records = tf.data.TFRecordDataset(sorted(files), compression_type="GZIP")
    return records.batch(_READ_BATCH).map(parse, num_parallel_calls=tf.data.AUTOTUNE)


@dataclasses.dataclass(frozen=True)
class Scan:
    """What one pass over the examples tells.

    Attributes:
        examples: number of examples.
        tokens: number of ids, padding not counted.
        batches: batches an epoch has, all buckets together.
        label_counts: int64 [classes], examples by class id.
    """

    examples: int
    tokens: int
    batches: int
    label_counts: np.ndarray


def scan(examples: tf.data.Dataset, batch_size: int, num_classes: int) -> Scan:
    """Counts examples, ids, labels and the batches that `bucketed` will make of `examples`.

    Raises:
        ValueError: a label id is not in [0, num_classes).
    """
    buckets, labels, tokens = np.zeros(0, np.int64), np.zeros(num_classes, np.int64), 0
    for rows in examples:
        lengths, label_ids = rows["token_ids"].row_lengths().numpy(), rows["label_id"].numpy()
        if bad := set(label_ids) - set(range(num_classes)):
            raise ValueError(
                f"label ids {sorted(map(int, bad))} are outside 0 … {num_classes - 1}: an unseen label?"
            )
        tokens += int(lengths.sum())
        labels += np.bincount(label_ids, minlength=num_classes)
        counts = np.bincount((lengths - 1) // _BUCKET_WIDTH)
        size = max(len(counts), len(buckets))
        buckets = np.pad(buckets, (0, size - len(buckets))) + np.pad(
            counts, (0, size - len(counts))
        )
    return Scan(int(labels.sum()), tokens, int(np.ceil(buckets / batch_size).sum()), labels)


def bucketed(
    examples: tf.data.Dataset, batch_size: int, max_length: int, shuffle_seed: int | None = None
) -> tf.data.Dataset:
    """Batches examples of like length, each padded to the longest of its batch.

    Args:
        examples: a dataset as `read_examples` gives.
        batch_size: rows a batch; the last batch of each bucket may be smaller.
        max_length: the most ids of an example.
        shuffle_seed: shuffles with this seed, in another order at each pass; None keeps the order.

    Returns:
        A dataset of `{"token_ids": int32 [b, length], "padding_mask": int32 [b, length],
        "label_id": int64 [b]}`.
    """
    rows = examples.unbatch()
    if shuffle_seed is not None:
        rows = rows.shuffle(_SHUFFLE_BUFFER, seed=shuffle_seed, reshuffle_each_iteration=True)
    rows = rows.map(lambda row: row | {"padding_mask": tf.ones_like(row["token_ids"])})
    boundaries = list(range(_BUCKET_WIDTH + 1, max_length + 1, _BUCKET_WIDTH))
    return rows.bucket_by_sequence_length(
        lambda row: tf.size(row["token_ids"]),
        bucket_boundaries=boundaries,
        bucket_batch_sizes=[batch_size] * (len(boundaries) + 1),
    ).prefetch(tf.data.AUTOTUNE)
