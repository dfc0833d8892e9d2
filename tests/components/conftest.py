"""Fixtures shared by the components' tests."""

import dataclasses
import json
import pathlib

import pytest
import tensorflow as tf
from tfx.proto import example_gen_pb2
from tfx.types import standard_artifacts
from tfx.utils import proto_utils

from components.example_gen import quarantine


@dataclasses.dataclass
class Ingested:
    """What an ExampleGen's executor wrote."""

    counts: quarantine.Counts
    rejected: list[dict[str, str]]
    examples: dict[str, list[dict[str, list]]]
    serialized: dict[str, list[bytes]]

    @property
    def all(self) -> list[dict[str, list]]:
        return [example for split in self.examples.values() for example in split]

    @property
    def reasons(self) -> list[str]:
        return [row["reason"] for row in self.rejected]

    def column(self, name: str) -> list:
        """First values of a bytes feature, as strings, over all splits."""
        return [example[name][0].decode() for example in self.all]


@pytest.fixture
def ingest(tmp_path_factory):
    """Runs an ExampleGen executor on a folder, as TFX would, and reads back what it wrote."""

    def run(executor_class, config, folder: pathlib.Path, beam_args=()) -> Ingested:
        out = tmp_path_factory.mktemp("out")
        examples, rejects = standard_artifacts.Examples(), quarantine.Quarantine()
        for artifact, name in ((examples, "examples"), (rejects, "quarantine")):
            artifact.uri = str(out / name)
            (out / name).mkdir()
        input_config = example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern=config.pattern)]
        )
        context = executor_class.Context(beam_pipeline_args=list(beam_args), tmp_dir=str(out))
        executor_class(context).Do(
            {},
            {"examples": [examples], "quarantine": [rejects]},
            {
                "input_base": str(folder),
                "input_config": proto_utils.proto_to_json(input_config),
                "reader_config": config.model_dump_json(),
            },
        )
        serialized = {
            name: _records(out / "examples" / f"Split-{name}")
            for name in json.loads(examples.split_names)
        }
        return Ingested(
            quarantine.read_counts(rejects.uri),
            [json.loads(line) for line in quarantine.rejected_lines(rejects.uri)],
            {name: [_features(raw) for raw in raws] for name, raws in serialized.items()},
            serialized,
        )

    return run


def _records(folder: pathlib.Path) -> list[bytes]:
    paths = sorted(map(str, folder.iterdir()))
    return list(tf.data.TFRecordDataset(paths, "GZIP").as_numpy_iterator())


def _features(serialized: bytes) -> dict[str, list]:
    features = tf.train.Example.FromString(serialized).features.feature
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value)
        for name, feature in features.items()
    }
