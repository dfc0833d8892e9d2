"""Reads columns of an ExampleGen's files."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import tensorflow as tf

from models.config import TaskName

LABEL, TEXT, TEXT_PAIR = "label", "text", "text_pair"
_READ_BATCH = 1024
_CLASSES = "; "  # between the classes of an example, for people


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


def read_labelled(
    files: str | Sequence[str], task: TaskName = "single_label"
) -> Iterator[dict[str, list]]:
    """Yields `key`, `text` (of a pair both, a line break between) and `label` as `read_columns` does.

    Args:
        files: path or paths.
        task: what the labels are.

    Returns:
        Keys and texts are str; a label is str ("" without labels), a sorted list of str, or float.
    """
    label = {
        "single_label": tf.io.FixedLenFeature([], tf.string, ""),
        "multi_label": tf.io.RaggedFeature(tf.string),
        "regression": tf.io.FixedLenFeature([], tf.float32),
    }[task]
    spec = {
        "key": tf.io.FixedLenFeature([], tf.string),
        TEXT: tf.io.FixedLenFeature([], tf.string),
        TEXT_PAIR: tf.io.FixedLenFeature([], tf.string, ""),
        LABEL: label,
    }
    paths = [files] if isinstance(files, str) else list(files)
    records = tf.data.TFRecordDataset(paths, compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH).prefetch(1):
        parsed = tf.io.parse_example(serialized, spec)
        found = parsed[LABEL].to_list() if task == "multi_label" else parsed[LABEL].numpy().tolist()
        yield {
            "key": [key.decode() for key in parsed["key"].numpy()],
            TEXT: [text.decode() for text in joined_texts(_columns(parsed, (TEXT, TEXT_PAIR)))],
            LABEL: [_decoded(label) for label in found],
        }


def joined_texts(columns: Mapping[str, Sequence[bytes]]) -> list[bytes]:
    """The column `text`, with a line break and the column `text_pair` after it where that is not empty."""
    pairs = zip(columns[TEXT], columns[TEXT_PAIR], strict=True)
    return [text + b"\n" + pair if pair else text for text, pair in pairs]


def label_text(label: str | Sequence[str] | float) -> str:
    """A label of `read_labelled` for people."""
    if isinstance(label, str):
        return label
    return f"{label:g}" if isinstance(label, float) else _CLASSES.join(label)


def _columns(parsed: Mapping[str, tf.Tensor], names: Sequence[str]) -> dict[str, list[bytes]]:
    return {name: parsed[name].numpy().tolist() for name in names}


def _decoded(label: bytes | list[bytes] | float) -> str | list[str] | float:
    if isinstance(label, bytes):
        return label.decode()
    return sorted(name.decode() for name in label) if isinstance(label, list) else label
