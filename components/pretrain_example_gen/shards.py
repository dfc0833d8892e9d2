"""Writes the rows of a shard, and reads their documents' keys back."""

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.documents import Documents
from components.pretrain_example_gen.held_out import HeldOut
from components.pretrain_example_gen.packing import pack
from components.pretrain_example_gen.rows import Frame, sequence_lengths, serialize
from components.pretrain_example_gen.sequences import (
    Sequences,
    full_sentences,
    joined_documents,
    sentence_pairs,
)

_READ_BATCH = 4096
# The fastest level: ids as varints hardly get smaller at higher ones.
_GZIP = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
REPORT_FILE = "report.json"
# What is counted: documents on the way in, what was made of them, and what was read again.
COUNTED = (
    *("read", "held_out", "without_tokens"),
    *("documents", "sentences", "document_tokens", "sequences", "random_next", "rows", "tokens"),
    "rows_checked",
)


class HeldOutError(ValueError):
    """A document that is held out was found in the rows written."""


def make_rows(
    documents: Documents, seed: str, frame: Frame | None, config: PretrainExamplesConfig
) -> tuple[list[bytes], Counter[str]]:
    """Makes the rows of a shard.

    Args:
        documents: in any order.
        seed: of the shard's random choices.
        frame: special ids around segments, None for "clm".
        config: the settings.

    Returns:
        Serialized tf.train.Examples; and how many `documents`, `sentences`, `document_tokens`, `sequences`,
        `random_next`, `rows` and `tokens` (special ids included, padding not).
    """
    documents = documents.in_order()
    counts = Counter(
        documents=len(documents),
        sentences=len(documents.sentence_lengths),
        document_tokens=len(documents.token_ids),
    )
    if config.objective == "mlm" and frame:
        documents = documents.separated(frame.sep)
    sequences, order, sizes = _rows(documents, seed, frame, config)
    counts.update(
        sequences=len(sequences),
        random_next=int((sequences.is_random_next == 1).sum()),
        rows=len(sizes),
        tokens=int(sequence_lengths(sequences, frame).sum()),
    )
    return serialize(documents, sequences, order, sizes, frame), counts


def write_checked(rows: list[bytes], path: str, held_out: HeldOut) -> Counter[str]:
    """Writes a gzipped TFRecord file, whole or not at all, and checks what is in it.

    Returns:
        As `check_shard`.

    Raises:
        HeldOutError: a row is from a held-out document.
    """
    with tf.io.TFRecordWriter(path + ".part", _GZIP) as writer:
        for row in rows:
            writer.write(row)
    fileio.rename(path + ".part", path, overwrite=True)
    return check_shard(path, held_out)


def _rows(
    documents: Documents, seed: str, frame: Frame | None, config: PretrainExamplesConfig
) -> tuple[Sequences, np.ndarray, np.ndarray]:
    """The sequences, their order, and how many each row has."""
    if config.objective == "clm":
        sequences, sizes = joined_documents(documents, config.max_length)
        return sequences, np.arange(len(sequences)), sizes
    if config.objective == "mlm":
        sequences = full_sentences(documents, config.max_length - 2)
    else:
        sequences = sentence_pairs(documents, config.max_length - 3, config.short_fraction, seed)
    if not config.packing:
        return sequences, np.arange(len(sequences)), np.ones(len(sequences), np.int64)
    return sequences, *pack(sequence_lengths(sequences, frame), config.max_length)


def check_shard(path: str, held_out: HeldOut) -> Counter[str]:
    """Reads a file's rows and proves that no held-out document is in them.

    Returns:
        How many `rows_checked`.

    Raises:
        HeldOutError: one is.
    """
    rows = 0
    for keys in document_keys(path):
        rows += keys.nrows()
        for key in np.unique(keys.values.numpy()):
            if key in held_out:
                raise HeldOutError(f"{path}: the held-out document {key.decode()} is in a row")
    return Counter(rows_checked=int(rows))


def document_keys(path: str) -> Iterator[tf.RaggedTensor]:
    """Yields the keys of the documents in a file's rows, string [rows, (documents)], some rows at a time."""
    spec = {"document_keys": tf.io.RaggedFeature(tf.string)}
    records = tf.data.TFRecordDataset(path, compression_type="GZIP")
    for serialized in records.batch(_READ_BATCH).prefetch(1):
        yield tf.io.parse_example(serialized, spec)["document_keys"]


def write_report(
    counts: Mapping[tuple[str, str], int],
    uri: str,
    splits: list[str],
    config: PretrainExamplesConfig,
) -> None:
    """Writes `report.json`: the settings, and for each split its counts and how full its rows are.

    Args:
        counts: by split and name.
        uri: the artifact's folder.
        splits: their names.
        config: the settings.

    Raises:
        ValueError: a split has no rows, or not all rows were checked.
    """
    report = {"config": config.model_dump(mode="json"), "splits": {}}
    for split in splits:
        found = {name: counts.get((split, name), 0) for name in COUNTED}
        if not found["rows"]:
            raise ValueError(
                f"split {split} gives no row: of {found['read']} documents {found['held_out']} are held "
                f"out and {found['without_tokens']} have no token"
            )
        if found["rows_checked"] != found["rows"]:
            raise ValueError(
                f"split {split}: {found['rows']} rows written, {found['rows_checked']} read"
            )
        efficiency = found["tokens"] / (found["rows"] * config.max_length)
        report["splits"][split] = {**found, "packing_efficiency": round(efficiency, 4)}
    write_artifact_file(os.path.join(uri, REPORT_FILE), json.dumps(report, indent=2) + "\n")
