"""The PubMed sample as our component reads it, and a part of it as the peer does."""

import json
import shutil
from pathlib import Path

import tensorflow as tf

from benchmarks.pretrain_examples.work import EVAL, PEER_TEXT, SENTENCES, SIZES, TEXTS, TRAIN
from components.example_gen.config import SplitConfig
from components.example_gen.records import Record, serialize
from components.example_gen.splits import assign_split
from components.medline_example_gen.config import MedlineConfig
from components.medline_example_gen.executor import MedlineReader
from components.pretrain_example_gen.sentences import split_sentences

_SPLITS = SplitConfig(eval=0.01, test=0)


def prepare(source: Path, target: Path, peer_every: int) -> dict[str, int]:
    """Writes raw examples as ExampleGen does, the same with one sentence a line, and the peer's text file.

    Args:
        source: folder of the PubMed sample.
        target: where to write; replaced.
        peer_every: the peer gets every so many-th document of the train split.

    Returns:
        `bytes` of the texts of both splits, `documents`, and `peer_bytes`.
    """
    shutil.rmtree(target, ignore_errors=True)
    sizes = {"bytes": 0, "documents": 0, "peer_bytes": 0}
    reader = MedlineReader(MedlineConfig())
    for form in (TEXTS, SENTENCES):
        for split in (TRAIN, EVAL):
            (target / form / f"Split-{split}").mkdir(parents=True)
    with (target / PEER_TEXT).open("w", encoding="utf-8") as peer:
        for number, path in enumerate(sorted(source.glob("*.xml.gz"))):
            writers = {
                (form, split): tf.io.TFRecordWriter(
                    str(target / form / f"Split-{split}" / f"examples-{number:05}.gz"), "GZIP"
                )
                for form in (TEXTS, SENTENCES)
                for split in (TRAIN, EVAL)
            }
            for record in reader.read(str(path)):
                if isinstance(record, Record):
                    split = assign_split(record.key, _SPLITS)
                    lines = "\n".join(split_sentences(record.text))
                    sentences = Record(record.position, record.key, lines, None, record.features)
                    writers[TEXTS, split].write(serialize(record))
                    writers[SENTENCES, split].write(serialize(sentences))
                    size = len(record.text.encode())
                    sizes["bytes"] += size
                    if split == TRAIN and sizes["documents"] % peer_every == 0:
                        peer.write(lines + "\n\n")
                        sizes["peer_bytes"] += size
                    sizes["documents"] += 1
            for writer in writers.values():
                writer.close()
    (target / SIZES).write_text(json.dumps(sizes))
    return sizes
