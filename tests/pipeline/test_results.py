"""What artifacts say of a run, read from what TFMA really wrote."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.evaluator.config import GateConfig
from components.evaluator.eval_config import build_eval_config
from components.example_gen.quarantine import Counts, write_counts
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from pipeline import results
from pipeline.local_runner import RAN, NodeRun

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung", "skin", "the"]
TEXTS = [f"{a} {b} {c}" for a in VOCABULARY[4:] for b in VOCABULARY[4:] for c in VOCABULARY[4:]]


def export(folder, seed) -> TextClassifier:
    """A model with random weights, which answers one thing or another."""
    keras.utils.set_random_seed(seed)
    backbone = BackboneConfig(
        vocabulary_size=8, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    config = ClassifierConfig(backbone=backbone, classes=("a", "b"), max_length=8)
    classifier = TextClassifier(config, VOCABULARY)
    rng = np.random.default_rng(seed)
    for variable in classifier.model.trainable_variables:
        variable.assign(
            rng.normal(size=variable.shape)
        )  # not the initial ones, which differ each time
    bias = classifier.model.get_layer("head").bias
    bias.assign([0.0, 0.0])
    odds = np.log(classifier.probabilities(TEXTS))
    bias.assign([np.median(odds[:, 1] - odds[:, 0]), 0.0])  # each answer half of the time

    def transform_features(examples):
        return tf.io.parse_example(examples, {"label_id": tf.io.FixedLenFeature([], tf.int64)})

    export_classifier(classifier, str(folder), {"transform_features": transform_features})
    return classifier


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A candidate, a baseline that is always right, and the examples."""
    folder = tmp_path_factory.mktemp("world")
    candidate = export(folder / "candidate", 1)
    truth = export(folder / "baseline", 2).probabilities(TEXTS).argmax(1)
    with tf.io.TFRecordWriter(str(folder / "examples")) as writer:
        for number, (text, label) in enumerate(zip(TEXTS, truth, strict=True)):
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(text.encode())
            example.features.feature["label_id"].int64_list.value.append(int(label))
            site = "north" if number % 2 else "south"
            example.features.feature["site"].bytes_list.value.append(site.encode())
            writer.write(example.SerializeToString())
    right = candidate.probabilities(TEXTS).argmax(1) == truth
    assert 0.1 < right.mean() < 0.9
    return folder, right


def evaluate(world, gate, with_baseline) -> str:
    folder, _ = world
    config = tfma.utils.update_eval_config_with_defaults(
        build_eval_config(gate), has_baseline=with_baseline, rubber_stamp=True
    )
    models = [
        tfma.default_eval_shared_model(
            str(folder / (spec.name or "candidate")),
            eval_config=config,
            model_name=spec.name,
            rubber_stamp=not with_baseline,
        )
        for spec in config.model_specs
    ]
    out = str(folder / f"evaluation-{with_baseline}")
    tfma.run_model_analysis(models, config, str(folder / "examples"), "tfrecords", out)
    return out


@pytest.fixture(scope="module")
def refused(world) -> str:
    """The evaluation of a candidate that fails each kind of threshold."""
    gate = GateConfig(
        min_accuracy=0.99,
        min_macro_f1=0.98,
        max_accuracy_drop=0.01,
        slices=("site", "year_band"),
        slice_min_accuracy={"site": 0.97, "year_band": 0.5},
    )
    return evaluate(world, gate, with_baseline=True)


@pytest.fixture(scope="module")
def passed(world) -> str:
    return evaluate(world, GateConfig(min_accuracy=0.0, slices=()), with_baseline=False)


def artifact(uri="", **properties) -> metadata_store_pb2.Artifact:
    made = metadata_store_pb2.Artifact(uri=str(uri))
    for name, value in properties.items():
        if isinstance(value, int):
            made.custom_properties[name].int_value = value
        else:
            made.custom_properties[name].string_value = value
    return made


def node(name, **outputs) -> NodeRun:
    return NodeRun(name, RAN, 1.0, {key: [value] for key, value in outputs.items()})


def judged(evaluation, blessed=1, infra=1, reason="") -> list[NodeRun]:
    return [
        node("Evaluator", evaluation=artifact(evaluation), blessing=artifact(blessed=blessed)),
        node("ServingValidator", blessing=artifact(blessed=infra, reason=reason)),
    ]


def test_a_blessed_model_has_no_reasons_against_it(passed):
    assert results.blessing(judged(passed)) == {"blessed": True, "reasons": []}


def test_each_reason_names_metric_slice_value_and_bound(world, refused):
    _, right = world
    found = results.blessing(judged(refused, blessed=0))
    assert not found["blessed"]
    south, north = right[::2].mean(), right[1::2].mean()
    f1 = results.metrics([node("Evaluator", evaluation=artifact(refused))])["test"]["macro_f1"]
    assert sorted(found["reasons"]) == sorted(
        [
            f"accuracy on all test examples is {right.mean():.4f}, asked at least 0.99",
            f"accuracy on all test examples changed by {right.mean() - 1:+.4f} against the baseline, "
            "allowed -0.0100",
            f"macro_f1 on all test examples is {f1:.4f}, asked at least 0.98",
            f"accuracy on site=south is {south:.4f}, asked at least 0.97",
            f"accuracy on site=north is {north:.4f}, asked at least 0.97",
            "no example in the slice year_band, which has a threshold",
        ]
    )


def test_serving_can_refuse_a_good_model(passed):
    found = results.blessing(judged(passed, infra=0, reason="no answer within 60 s"))
    assert found == {"blessed": False, "reasons": ["serving: no answer within 60 s"]}


def test_no_verdict_before_both_judges_spoke(passed):
    assert results.blessing(judged(passed)[:1]) is None
    assert results.blessing([]) is None


@pytest.mark.parametrize("evaluation", ["passed", "refused"])
def test_test_metrics_are_the_candidates_on_all_examples(world, request, evaluation):
    _, right = world
    uri = request.getfixturevalue(evaluation)
    found = results.metrics([node("Evaluator", evaluation=artifact(uri))])["test"]
    assert found["accuracy"] == pytest.approx(right.mean())
    assert found["examples"] == len(TEXTS)
    assert set(found) == {
        "accuracy",
        "cross_entropy",
        "macro_f1",
        "expected_calibration_error",
        "examples",
    }


def test_what_the_tuner_found(tmp_path):
    trials = [
        {"trial_id": "1", "score": 0.25, "optimizer.learning_rate": 3e-5, "batch_size": 16},
        {"trial_id": "0", "score": 0.5, "optimizer.learning_rate": 1e-5, "batch_size": 32},
    ]
    (tmp_path / "tuner_results.json").write_text(json.dumps(trials))
    assert results.tuning([node("Tuner", tuner_results=artifact(tmp_path))]) == {
        "trials": 2,
        "eval_loss": 0.25,
        "values": {"optimizer.learning_rate": 3e-5, "batch_size": 16},
    }
    assert results.tuning([]) is None


def test_training_metrics_are_those_of_the_kept_epoch(tmp_path):
    numbers = {"train": {"loss": 0.5}, "eval": {"loss": 0.7}, "best_epoch": 2, "epochs": []}
    (tmp_path / "training_metrics.json").write_text(json.dumps(numbers))
    found = results.metrics([node("Trainer", model=artifact(tmp_path))])
    assert found == {"train": {"loss": 0.5}, "eval": {"loss": 0.7}}


def test_no_metrics_before_training():
    assert results.metrics([]) == {}


def test_rows(tmp_path):
    totals = {("read", ""): 5, ("kept_by_split", "train"): 3, ("quarantined_by_reason", "bad"): 2}
    write_counts(Counts.of(totals, ["train", "eval"]), str(tmp_path))
    found = results.rows([node("TextExampleGen", quarantine=artifact(tmp_path))])
    assert (found["read"], found["kept"], found["quarantined"], found["filtered"]) == (5, 3, 2, 0)
    assert found["kept_by_split"] == {"train": 3, "eval": 0}
    assert results.rows([]) is None


def test_text_statistics(tmp_path):
    statistics = statistics_pb2.DatasetFeatureStatisticsList()
    feature = statistics.datasets.add(num_examples=2).features.add()
    feature.type = statistics_pb2.FeatureNameStatistics.INT
    feature.path.step.append("token_ids")
    feature.num_stats.common_stats.avg_num_values = 40.5
    feature.num_stats.common_stats.max_num_values = 64
    language = statistics_pb2.NaturalLanguageStatistics(feature_coverage=0.98, avg_token_length=4.5)
    feature.custom_stats.add(name="nl_statistics").any.Pack(language)
    (tmp_path / "FeatureStats.pb").write_bytes(statistics.SerializeToString())
    assert results.text_statistics(
        [node("Transform", post_transform_stats=artifact(tmp_path))]
    ) == {
        "coverage": 0.98,
        "token_chars": 4.5,
        "tokens_mean": 40.5,
        "tokens_max": 64,
    }
    assert results.text_statistics([]) is None


def test_pushed():
    properties = {"pushed": 1, "pushed_version": "17", "pushed_destination": "/serving/17"}
    runs = [node("Pusher", pushed_model=artifact(**properties))]
    assert results.pushed(runs) == {"version": "17", "path": "/serving/17"}
    assert results.pushed([node("Pusher", pushed_model=artifact(pushed=0))]) is None
    assert results.pushed([]) is None
