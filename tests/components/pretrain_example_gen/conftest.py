"""Runs the PretrainExampleGen executor as TFX would, and reads back what it wrote."""

import dataclasses
import json
import pathlib

import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.executor import Executor
from components.vocabulary_gen.artifact import Vocabulary

WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"),
    *("heart", "lung", "fail", "##ure", "##s", "the", "a", "of", ".", "was", "seen"),
]
FEATURES = (*("token_ids", "sequence_lengths", "second_starts", "is_random_next", "document_keys"),)


@dataclasses.dataclass
class Made:
    """What the executor wrote."""

    folder: pathlib.Path
    report: dict
    rows: dict[str, list[dict[str, list]]]

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def make_rows(tmp_path_factory):
    """`make_rows(config, {"train": [(key, text)], …}, vocabulary_folder=None, beam_args=(), files=1)`."""

    def run(config: PretrainExamplesConfig, documents, vocabulary=None, beam_args=(), files=1):
        out = tmp_path_factory.mktemp("pretrain")
        source, target = standard_artifacts.Examples(), standard_artifacts.Examples()
        source.uri, target.uri = str(out / "raw"), str(out / "rows")
        source.split_names = artifact_utils.encode_split_names(list(documents))
        for split, rows in documents.items():
            for number in range(files):
                _write(out / f"raw/Split-{split}/examples-{number}.gz", rows[number::files])
        artifact = Vocabulary()
        artifact.uri = str(vocabulary or out / "words")
        if vocabulary is None:
            (out / "words").mkdir()
            (out / "words/vocab.txt").write_text("\n".join(WORDS) + "\n")
        context = Executor.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(out))
        Executor(context).Do(
            {"examples": [source], "vocabulary": [artifact]},
            {"pretrain_examples": [target]},
            {"config": config.model_dump_json()},
        )
        folder = out / "rows"
        rows = {
            split: [row for path in sorted(folder.glob(f"Split-{split}/*")) for row in _read(path)]
            for split in json.loads(target.split_names)
        }
        return Made(folder, json.loads((folder / "report.json").read_text()), rows)

    return run


def _write(path: pathlib.Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for key, text in rows:
            example = tf.train.Example()
            example.features.feature["key"].bytes_list.value.append(key.encode())
            example.features.feature["text"].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())


def _read(path: pathlib.Path) -> list[dict[str, list]]:
    rows = []
    for raw in tf.data.TFRecordDataset(str(path), "GZIP").as_numpy_iterator():
        features = tf.train.Example.FromString(raw).features.feature
        rows.append(
            {
                name: list(getattr(feature, feature.WhichOneof("kind")).value)
                for name, feature in features.items()
            }
        )
    return rows
