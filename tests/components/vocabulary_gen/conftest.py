"""Runs the VocabularyGen executor as TFX would, and reads back what it wrote."""

import dataclasses
import json
import pathlib

import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components.vocabulary_gen.artifact import Vocabulary
from components.vocabulary_gen.config import VocabularyConfig
from components.vocabulary_gen.executor import Executor


@dataclasses.dataclass
class Made:
    """What the executor wrote."""

    folder: pathlib.Path
    report: dict
    content: bytes

    @property
    def tokens(self) -> list[str]:
        return self.content.decode().splitlines()


@pytest.fixture
def make_vocabulary(tmp_path_factory):
    """`make_vocabulary(config, {"train": [text, …], …}, files=1, beam_args=())`."""

    def run(config: VocabularyConfig, texts, files=1, beam_args=()) -> Made:
        out = tmp_path_factory.mktemp("vocabulary")
        source, target = standard_artifacts.Examples(), Vocabulary()
        source.uri, target.uri = str(out / "raw"), str(out / "made")
        source.split_names = artifact_utils.encode_split_names(list(texts))
        for split, rows in texts.items():
            for number in range(files):
                _write(out / f"raw/Split-{split}/examples-{number}.gz", rows[number::files])
        context = Executor.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(out))
        Executor(context).Do(
            {"examples": [source]},
            {"vocabulary": [target]},
            {"config": config.model_dump_json()},
        )
        folder = out / "made"
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["report.json", config.file_name]
        )
        return Made(
            folder,
            json.loads((folder / "report.json").read_text()),
            (folder / config.file_name).read_bytes(),
        )

    return run


def _write(path: pathlib.Path, rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for text in rows:
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())
