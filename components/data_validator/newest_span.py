"""How far the newest span alone is from the last blessed model's data.

In a window of k spans a change of the newest one is diluted to about a k-th, and would be found late.
"""

import math
from collections import Counter
from collections.abc import Sequence

import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_validator.drift import Change
from components.data_validator.shares import shares

_DISTRIBUTIONS = ("label", "length_band")
_READ_BATCH = 1024


def newest_span_changes(
    files: Sequence[str],
    span: str,
    earlier: statistics_pb2.DatasetFeatureStatisticsList,
    max_drift: float,
) -> list[Change]:
    """Compares the shares of a span's labels and length bands, beyond what chance explains.

    Args:
        files: of the train split, gzipped TFRecord of examples with the feature `span`.
        span: whose rows count.
        earlier: statistics of the last blessed model's train split.
        max_drift: the largest difference of a share that is no drift; two standard errors of the difference
            of two shares of a half are allowed on top.

    Returns:
        One for each of the two that is a text; none if the span has no row.
    """
    then = {name: found for name in _DISTRIBUTIONS if (found := shares(earlier, name))}
    rows, counts = _count(files, span, list(then))
    if rows == 0:
        return []
    chance = 2 * math.sqrt(0.25 / rows + 0.25 / earlier.datasets[0].num_examples)
    return [
        _largest(name, counts[name], then[name], span, min(1.0, max_drift + chance))
        for name in then
        if counts[name]
    ]


def _count(
    files: Sequence[str], span: str, names: Sequence[str]
) -> tuple[int, dict[str, Counter[str]]]:
    """Rows of the span, and how often each value occurs in them, by feature."""
    ragged = {name: tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64) for name in names}
    spec = {"span": tf.io.FixedLenFeature([], tf.string), **ragged}
    rows, counts = 0, {name: Counter[str]() for name in names}
    records = tf.data.TFRecordDataset(list(files), compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH):
        parsed = tf.io.parse_example(serialized, spec)
        is_newest = parsed["span"] == span
        rows += int(tf.reduce_sum(tf.cast(is_newest, tf.int64)))
        for name in names:
            values = tf.ragged.boolean_mask(parsed[name], is_newest).flat_values
            counts[name].update(value.decode() for value in values.numpy().tolist())
    return rows, counts


def _largest(
    name: str, counts: Counter[str], then: dict[str, float], span: str, allowed: float
) -> Change:
    """The value whose share differs most."""
    found = {value: count / counts.total() for value, count in counts.items()}

    def change(value: str) -> float:
        return abs(found.get(value, 0.0) - then.get(value, 0.0))

    value = max(sorted(then.keys() | found.keys()), key=change)
    return Change(
        measure=name,
        difference=change(value),
        allowed=allowed,
        sentence=f"{name} {value!r} has a share of {found.get(value, 0.0):.1%} of span {span} in the train "
        f"split, {then.get(value, 0.0):.1%} of the last blessed model's",
    )
