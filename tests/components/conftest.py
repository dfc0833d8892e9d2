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


TEN_WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]"),
    *("heart", "lung", "fail", "##ure", "##s", "the", "a", "of", ".", ","),
]
# Texts and labels by split; "gamma" is the commonest label, "delta" is not in train.
TRANSFORM_ROWS = {
    "train": [
        ("the heart fails, the heart.", "alpha"),
        ("Heart failure of a lung", "gamma"),
        ("unheard of", "gamma"),
        ("", "gamma"),
        ("lung lungs LÜNG", "beta ❤"),
        ("lung , " * 20, "beta ❤"),
    ]
    * 4,
    "eval": [("a heart", "alpha"), ("a lung", "beta ❤"), ("the", "gamma")],
    "test": [("of the lungs", "delta"), ("a heart", "alpha"), ("fail", "")],
}


@dataclasses.dataclass
class Transformed:
    """What the Transform component made of TRANSFORM_ROWS."""

    rows: dict[str, list[tuple[str, str]]]
    vocabulary_file: str
    custom_config: dict
    folder: pathlib.Path  # with a folder for each output

    def examples(self, split: str) -> list[dict[str, list]]:
        return [
            _features(raw) for raw in _records(self.folder / f"transformed_examples/Split-{split}")
        ]


@pytest.fixture(scope="session")
def transformed(tmp_path_factory) -> Transformed:
    """Runs TFX's Transform executor, with our functions, as a pipeline would."""
    from tfx.types import artifact_utils
    from tfx.utils import io_utils

    from components.data_validator.schema import build_schema
    from components.transform.executor import Executor
    from components.transform.preprocessing import preprocessing_config

    out = tmp_path_factory.mktemp("transform")
    inputs = {"examples": standard_artifacts.Examples(), "schema": standard_artifacts.Schema()}
    outputs = {
        "transform_graph": standard_artifacts.TransformGraph(),
        "transformed_examples": standard_artifacts.Examples(),
        "updated_analyzer_cache": standard_artifacts.TransformCache(),
        "pre_transform_schema": standard_artifacts.Schema(),
        "pre_transform_stats": standard_artifacts.ExampleStatistics(),
        "post_transform_schema": standard_artifacts.Schema(),
        "post_transform_stats": standard_artifacts.ExampleStatistics(),
        "post_transform_anomalies": standard_artifacts.ExampleAnomalies(),
    }
    for name, artifact in {**inputs, **outputs}.items():
        artifact.uri = str(out / name)
    names = artifact_utils.encode_split_names(list(TRANSFORM_ROWS))
    inputs["examples"].split_names = names
    for split, rows in TRANSFORM_ROWS.items():
        folder = out / "examples" / f"Split-{split}"
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / "data.gz"), "GZIP") as writer:
            for i, (text, label) in enumerate(rows):
                example = tf.train.Example()
                for name, value in {"key": str(i), "text": text, "label": label}.items():
                    example.features.feature[name].bytes_list.value.append(value.encode())
                writer.write(example.SerializeToString())
    schema = build_schema({"key": "bytes", "text": "bytes", "label": "bytes"})
    io_utils.write_pbtxt_file(str(out / "schema" / "schema.pbtxt"), schema)
    vocabulary = out / "vocab.txt"
    vocabulary.write_text("".join(f"{token}\n" for token in TEN_WORDS))
    config = preprocessing_config(str(vocabulary), "a hash", max_length=16)
    Executor(Executor.Context(tmp_dir=str(out / "tmp"), unique_id="1")).Do(
        {name: [artifact] for name, artifact in inputs.items()},
        {name: [artifact] for name, artifact in outputs.items()},
        {
            "preprocessing_fn": "components.transform.preprocessing.preprocessing_fn",
            "stats_options_updater_fn": "components.transform.preprocessing.stats_options_updater_fn",
            "custom_config": json.dumps(config),
        },
    )
    return Transformed(TRANSFORM_ROWS, str(vocabulary), config, out)
