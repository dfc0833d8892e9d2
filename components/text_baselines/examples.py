"""Reads labelled texts."""

import dataclasses
from collections.abc import Sequence

import tensorflow as tf

_READ_BATCH = 1024


@dataclasses.dataclass(frozen=True)
class LabelledTexts:
    """Examples by column."""

    keys: list[str]
    texts: list[str]
    labels: list[str]

    def __len__(self) -> int:
        return len(self.keys)


def read_texts(files: Sequence[str]) -> LabelledTexts:
    """Reads `key`, `text` and `label` of an ExampleGen's files (gzipped TFRecord), in their order."""
    names = ("key", "text", "label")
    columns: dict[str, list[str]] = {name: [] for name in names}
    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in names}
    records = tf.data.TFRecordDataset(list(files), compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH).prefetch(1):
        parsed = tf.io.parse_example(serialized, spec)
        for name in names:
            columns[name] += [value.decode() for value in parsed[name].numpy()]
    return LabelledTexts(columns["key"], columns["text"], columns["label"])
