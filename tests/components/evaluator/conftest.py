"""Runs TFMA with the gate's own EvalConfig, on rows that carry their predictions."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma

from components.evaluator.eval_config import build_eval_config

BASELINE = "baseline_probabilities"


def _rows(labels, probabilities, baseline=None, **features) -> list[tf.train.Example]:
    rows = []
    for i, label in enumerate(labels):
        row = tf.train.Example()
        row.features.feature["label_id"].int64_list.value.append(int(label))
        row.features.feature["probabilities"].float_list.value.extend(probabilities[i])
        if baseline is not None:
            row.features.feature[BASELINE].float_list.value.extend(baseline[i])
        for name, values in features.items():
            row.features.feature[name].bytes_list.value.append(values[i].encode())
        rows.append(row)
    return rows


@pytest.fixture(scope="session")
def make_rows():
    """(labels, probabilities, baseline's probabilities, feature=strings, …) → one Example a row."""
    return _rows


@pytest.fixture(scope="session")
def look_up_model(tmp_path_factory):
    """Feature name → folder of a SavedModel that answers with the probabilities its example holds."""

    def save(feature: str) -> str:
        def answer(examples):
            row = {feature: tf.io.RaggedFeature(tf.float32)}
            return {"probabilities": tf.io.parse_example(examples, row)[feature].to_tensor()}

        def transform(examples):
            row = {"label_id": tf.io.FixedLenFeature([], tf.int64)}
            return tf.io.parse_example(examples, row)

        spec = tf.TensorSpec([None], tf.string, name="examples")
        module = tf.Module()
        signatures = {
            "serving_default": tf.function(answer, input_signature=[spec]),
            "transform_features": tf.function(transform, input_signature=[spec]),
        }
        module.functions = list(signatures.values())
        folder = str(tmp_path_factory.mktemp(feature))
        tf.saved_model.save(module, folder, signatures)
        return folder

    return functools.cache(save)


@pytest.fixture(scope="session")
def analyse(tmp_path_factory, look_up_model):
    """(gate, rows) → metrics {slice: {name or (name, class id): value}}, and TFMA's validation result."""

    def run(gate, rows):
        folder = tmp_path_factory.mktemp("tfma")
        data, out = str(folder / "rows.tfrecord"), str(folder / "out")
        with tf.io.TFRecordWriter(data) as writer:
            for row in rows:
                writer.write(row.SerializeToString())
        has_baseline = BASELINE in rows[0].features.feature
        config = tfma.utils.update_eval_config_with_defaults(  # as TFX's Evaluator does
            build_eval_config(gate), has_baseline=has_baseline, rubber_stamp=True
        )
        features = {"candidate": "probabilities", "baseline": BASELINE}
        models = [
            tfma.default_eval_shared_model(
                look_up_model(features[spec.name or "candidate"]),
                eval_config=config,
                model_name=spec.name,
                rubber_stamp=not has_baseline,
            )
            for spec in config.model_specs
        ]
        tfma.run_model_analysis(
            models, config, data_location=data, file_format="tfrecords", output_path=out
        )
        result = tfma.load_eval_result(out, model_name="candidate" if has_baseline else None)
        metrics = {key: flatten(value) for key, value in result.slicing_metrics}
        return metrics, tfma.load_validation_result(out)

    return run


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
def random_rows():
    """Labels, probabilities and slices of 60 rows; a fifth class is neither a label nor predicted."""
    rng = np.random.default_rng(11)
    labels = rng.choice(4, 60, p=[0.5, 0.3, 0.15, 0.05])
    logits = rng.normal(size=(60, 5)) + 2 * np.eye(5)[labels] * rng.random((60, 1))
    logits[:, 4] -= 20
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    bands = [("0-49", "50-99")[i % 2] for i in range(60)]
    return labels, probabilities, bands
