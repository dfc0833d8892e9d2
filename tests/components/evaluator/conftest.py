"""Runs the Evaluator's executor on rows that carry their own predictions."""

import functools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from google.protobuf import json_format, text_format
from planted import CLASSES
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.types import artifact_utils
from tfx.types.standard_artifacts import Examples, Model, ModelBlessing, ModelEvaluation, Schema
from tfx.utils import json_utils

from components.evaluator.eval_config import build_eval_config
from components.evaluator.executor import Executor
from components.evaluator.verdict import Verdict

SCHEMA = """
feature { name: "text" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "key" type: BYTES presence { min_fraction: 1 } shape { dim { size: 1 } } }
feature { name: "label" type: BYTES }
feature { name: "site" type: BYTES }
feature { name: "candidate" type: FLOAT }
feature { name: "blessed" type: FLOAT }
"""


def write_rows(path: Path, predictions, blessed=None) -> None:
    """The predictions' examples; each holds what a `look_up_model` will answer."""
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for i in range(len(predictions)):
            example = tf.train.Example()
            feature = example.features.feature
            strings = {"key": predictions.keys[i], "text": predictions.texts[i]}
            strings |= {name: values[i] for name, values in predictions.features.items()}
            for name, value in strings.items():
                feature[name].bytes_list.value.append(value.encode())
            feature["candidate"].float_list.value.extend(predictions.scores[i])
            if blessed is not None:
                feature["blessed"].float_list.value.extend(blessed.scores[i])
            writer.write(example.SerializeToString())


@pytest.fixture(scope="session")
def look_up_model(tmp_path_factory):
    """Feature name → artifact of a model that answers with the probabilities its example holds."""

    @functools.cache
    def save(feature: str) -> Model:
        classes = tf.constant(CLASSES)

        def answer(examples):
            row = {feature: tf.io.FixedLenFeature([len(CLASSES)], tf.float32)}
            probabilities = tf.io.parse_example(examples, row)[feature]
            return {
                "probabilities": probabilities,
                "classes": tf.repeat(classes[tf.newaxis], tf.shape(probabilities)[0], axis=0),
            }

        def serving_text(text):
            """Sure of the first class, unless there is an "x" in the text."""
            has_x = tf.strings.regex_full_match(text, ".*x.*")
            first = tf.where(has_x, 0.1, 0.8)
            return {
                "probabilities": tf.stack([first, 0.9 - first, tf.fill(tf.shape(first), 0.1)], 1)
            }

        def transform(examples):
            label = tf.io.FixedLenFeature([], tf.string)
            found = tf.io.parse_example(examples, {"label": label})["label"][:, tf.newaxis]
            return {"label_id": tf.argmax(tf.cast(found == classes, tf.int64), axis=1)}

        def of_strings(name):
            return [tf.TensorSpec([None], tf.string, name=name)]

        module = tf.Module()
        signatures = {
            "serving_default": tf.function(answer, input_signature=of_strings("examples")),
            "serving_text": tf.function(serving_text, input_signature=of_strings("text")),
            "transform_features": tf.function(transform, input_signature=of_strings("examples")),
        }
        module.functions = list(signatures.values())
        model = Model()
        model.uri = str(tmp_path_factory.mktemp(feature))
        model.id = len(feature)
        tf.saved_model.save(module, f"{model.uri}/Format-Serving", signatures)
        return model

    return save


def _artifact(kind, folder: Path):
    folder.mkdir()
    made = kind()
    made.uri = str(folder)
    return made


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory, look_up_model):
    """(gate, predictions, the blessed model's predictions, baselines) → verdict, evaluation, blessing."""

    def run(gate, predictions, blessed=None, baselines=()):
        folder = tmp_path_factory.mktemp("evaluation")
        examples = _artifact(Examples, folder / "examples")
        examples.split_names = artifact_utils.encode_split_names(["test"])
        (folder / "examples" / "Split-test").mkdir()
        write_rows(folder / "examples/Split-test/rows.gz", predictions, blessed)
        schema = _artifact(Schema, folder / "schema")
        proto = text_format.Parse(SCHEMA, schema_pb2.Schema())
        (folder / "schema" / "schema.pbtxt").write_text(text_format.MessageToString(proto))
        evaluation = _artifact(ModelEvaluation, folder / "evaluation")
        blessing = _artifact(ModelBlessing, folder / "blessing")
        Executor().Do(
            {
                "examples": [examples],
                "schema": [schema],
                "model": [look_up_model("candidate")],
                "baseline_model": [look_up_model("blessed")] if blessed is not None else [],
                "baselines": list(baselines),
            },
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "gate": gate.model_dump_json(),
                "task": "single_label",
                "eval_config": json_format.MessageToJson(build_eval_config(gate.slices)),
                "example_splits": json_utils.dumps(["test"]),
            },
        )
        return Verdict.read(evaluation.uri), evaluation, blessing

    return run


def tfma_metrics(evaluation, model=None) -> dict:
    """{slice: {name or (name, class id): value}} as TFMA measured them."""
    result = tfma.load_eval_result(evaluation.uri, model_name=model)
    return {key: flatten(value) for key, value in result.slicing_metrics}


def flatten(metrics) -> dict:
    """{output: {sub key: {name: {"doubleValue": x}}}} → {name or (name, class id): x}."""
    found = {}
    for sub_key, values in metrics[""].items():
        for name, value in values.items():
            if "doubleValue" in value:
                class_id = sub_key.partition(":")[2]
                found[(name, int(class_id)) if class_id else name] = value["doubleValue"]
    return found


@pytest.fixture(scope="session")
def read_tfma():
    """See `tfma_metrics`."""
    return tfma_metrics


@pytest.fixture(scope="session")
def close_to():
    """The float32 of what was planted."""
    return functools.partial(np.allclose, atol=1e-6)
