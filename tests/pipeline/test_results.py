"""What artifacts say of a run, read from what the components really write."""

import json

import numpy as np
import pytest
from ml_metadata.proto import metadata_store_pb2
from planted import with_errors
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.evaluator.comparison import BLESSED
from components.evaluator.config import GateConfig
from components.evaluator.gate import judge
from components.example_gen.quarantine import Counts, write_counts
from pipeline import results
from pipeline.local_runner import RAN, NodeRun

SITES = ["north", "south"] * 50
PREDICTIONS = with_errors(100, range(20), site=SITES)


def judged_by(folder, gate) -> str:
    """An evaluation that holds the verdict of the gate, against a model that is always right."""
    judge(PREDICTIONS, gate, {BLESSED: with_errors(100, [])}).write(folder)
    return str(folder)


@pytest.fixture(scope="module")
def refused(tmp_path_factory) -> str:
    """The evaluation of a candidate that breaks each kind of rule."""
    gate = GateConfig(
        min_accuracy=0.99,
        max={"cross_entropy": 0.1},
        slices=("site", "year_band"),
        slice_min_accuracy={"site": 0.97, "year_band": 0.5},
    )
    return judged_by(tmp_path_factory.mktemp("refused"), gate)


@pytest.fixture(scope="module")
def passed(tmp_path_factory) -> str:
    gate = GateConfig(min_accuracy=0.5, against_blessed={"rule": "not_worse", "margin": 0.5})
    return judged_by(tmp_path_factory.mktemp("passed"), gate)


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
    found = results.blessing(judged(passed))
    assert (found["blessed"], found["reasons"], found["failed"]) == (True, [], [])
    assert found["notes"] == []


def test_each_reason_names_metric_slice_value_interval_and_bound(refused):
    found = results.blessing(judged(refused, blessed=0))
    assert not found["blessed"]
    accuracy, entropy, north, south, missing, against = found["reasons"]
    assert accuracy == (
        "accuracy on all test examples is 0.8000 (95 % interval 0.7112 to 0.8666) on 100 examples, "
        "asked at least 0.99"
    )
    assert entropy.startswith("cross_entropy on all test examples is 0.6")
    assert entropy.endswith("asked at most 0.1")
    assert north.startswith("accuracy on site=north is 0.8000")
    assert south.startswith("accuracy on site=south is 0.8000")
    assert missing.startswith("no test example is in the slice year_band")
    assert "below that of the latest blessed model" in against
    names = [rule["name"] for rule in found["failed"]]
    assert names[:2] == ["min_accuracy", "max.cross_entropy"]
    assert [len(rule["worst"]) for rule in found["failed"]] == [20, 20, 20, 20, 0, 20]
    assert json.loads(json.dumps(found)) == found


def test_serving_can_refuse_a_good_model(passed):
    found = results.blessing(judged(passed, infra=0, reason="no answer within 60 s"))
    assert not found["blessed"]
    assert found["reasons"] == ["serving: no answer within 60 s"]


def test_no_verdict_before_both_judges_spoke(passed):
    assert results.blessing(judged(passed)[:1]) is None
    assert results.blessing([]) is None


def test_test_metrics_are_the_candidates_on_all_examples(passed):
    found = results.metrics([node("Evaluator", evaluation=artifact(passed))])["test"]
    assert found["accuracy"] == pytest.approx(0.8)
    assert found["cross_entropy"] == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.1))
    assert found["examples"] == 100
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
