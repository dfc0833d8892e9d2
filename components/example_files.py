"""Reads columns of an ExampleGen's files."""

from collections.abc import Collection, Iterator, Sequence

import tensorflow as tf

_READ_BATCH = 1024


def read_columns(
    files: str | Sequence[str], names: Sequence[str], optional: Collection[str] = ()
) -> Iterator[dict[str, list[bytes]]]:
    """Yields batches of gzipped TFRecord files of tf.train.Examples, by column, in the files' order.

    Args:
        files: path or paths.
        names: features of one bytes value each.
        optional: those among them that an example may lack; b"" stands for it.

    Raises:
        tf.errors.InvalidArgumentError: an example lacks another feature.
    """
    spec = {
        name: tf.io.FixedLenFeature([], tf.string, default_value="" if name in optional else None)
        for name in names
    }
    paths = [files] if isinstance(files, str) else list(files)
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH).prefetch(1):
        parsed = tf.io.parse_example(serialized, spec)
        yield {name: parsed[name].numpy().tolist() for name in names}
