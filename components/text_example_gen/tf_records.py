"""Rows of TFRecord files of tf.train.Example; a name ending in `.gz` is decompressed."""

from collections.abc import Iterator

import tensorflow as tf
from google.protobuf.message import DecodeError

from components.example_gen.records import Rejected
from components.text_example_gen.config import TextConfig
from components.text_example_gen.rows import Row


def columns(path: str, config: TextConfig) -> None:
    """Every example names its own."""


def rows(path: str, config: TextConfig) -> Iterator[Row | Rejected]:
    """Yields the examples; a feature with one value is that value, with none is None.

    What holds any number of classes is a list whatever their number.
    """
    listed = config.label_column if config.label_type == "classes" else None
    dataset = tf.data.TFRecordDataset(path, "GZIP" if path.endswith(".gz") else "")
    number = 0
    try:
        for number, serialized in enumerate(dataset.as_numpy_iterator(), start=1):
            yield _row(serialized, number, f"record {number}", listed)
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
        detail = f"{error.message}; what follows is lost"
        yield Rejected(f"after record {number}", "corrupt_tfrecord", detail)


def _row(serialized: bytes, number: int, position: str, listed: str | None) -> Row | Rejected:
    try:
        example = tf.train.Example.FromString(serialized)
    except DecodeError as error:
        excerpt = serialized[:200].decode(errors="backslashreplace")
        return Rejected(position, "not_an_example", str(error), excerpt)
    values = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        found = list(getattr(feature, kind).value) if kind else []
        values[name] = found if len(found) > 1 else (found[0] if found else None)
    if listed in values:
        one = values[listed]
        values[listed] = one if isinstance(one, list) else [] if one is None else [one]
    return Row(number, position, values)
