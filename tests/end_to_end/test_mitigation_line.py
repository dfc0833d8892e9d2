"""A whole line whose training texts are augmented and weighed, and whose gate looks at groups."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from end_to_end_world import Recorder, make_config, make_rows

from components.evaluator.verdict import Verdict
from pipeline.run import new_run_id, run

pytestmark = pytest.mark.slow

FAIRNESS = {
    "attributes": {
        "acuity": {"words": {"acute": ["acute"], "mild": ["mild"]}, "swap": True},
        "site": {"feature": "site"},
    },
    "max_gaps": {"accuracy": 1.0},
    "max_flip_rate": 1.0,
    "min_examples": 5,
}


@pytest.fixture(scope="module")
def summary(world):
    gate = {"min_accuracy": 0.0, "slices": ["label"], "fairness": FAIRNESS}
    mitigation = {"attribute": "acuity", "augment": True, "reweight": True}
    config = make_config(world, gate=gate, mitigation=mitigation, training={"epochs": 1})
    return run(config, new_run_id(), Recorder())


def test_training_sees_copies_and_weights(summary):
    assert summary["status"] == "succeeded", summary["error"] or summary["blessing"]
    [raw] = summary["artifacts"]["TextExampleGen.examples"]
    [transformed] = summary["artifacts"]["Transform.transformed_examples"]
    texts = [f["text"].bytes_list.value[0].decode() for f in features(raw, "train")]
    touched = sum(bool({"acute", "mild"} & set(text.replace(",", " ").split())) for text in texts)
    rows = features(transformed, "train")
    assert 0 < touched < len(texts)
    assert len(rows) == len(texts) + touched
    weights = [row["example_weight"].float_list.value[0] for row in rows]
    assert len(set(weights)) > 2
    assert sum(weights) == pytest.approx(len(weights), rel=1e-4)
    assert len(features(transformed, "eval")) == len(features(raw, "eval"))


def features(folder: str, split: str) -> list:
    files = sorted(map(str, Path(folder, f"Split-{split}").glob("*")))
    records = tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    return [tf.train.Example.FromString(raw).features.feature for raw in records]


def test_what_is_served_knows_nothing_of_weights(summary):
    model = tf.saved_model.load(summary["pushed"]["path"])
    transform = model.signatures["transform_features"]
    assert set(transform.structured_outputs) == {"token_ids", "label_id"}
    texts = tf.constant([row["text"] for row in make_rows(3, seed=7)])
    assert model.signatures["serving_text"](text=texts)["probabilities"].shape == [3, 3]


def test_the_verdict_holds_groups_gaps_and_flips(summary):
    [folder] = summary["artifacts"]["Evaluator.evaluation"]
    verdict = Verdict.read(folder)
    fairness = verdict.fairness
    assert {each.group for each in fairness.groups if each.attribute == "site"} == {"s0", "s1"}
    by_site = [each.examples for each in fairness.groups if each.attribute == "site"]
    assert sum(by_site) == verdict.examples
    assert {gap.attribute for gap in fairness.gaps} == {"acuity", "site"}
    assert [each.attribute for each in fairness.counterfactuals] == ["acuity"]
    names = [rule.name for rule in verdict.rules if rule.name.startswith("fairness")]
    assert sorted(names) == ["fairness.max_flip_rate", *["fairness.max_gaps.accuracy"] * 2]
    assert json.loads(Path(folder, "verdict.json").read_text())["blessed"]
