"""The component's work: TFMA's own results, our predictions and verdict, the blessing."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from planted import CLASSES, with_errors
from tfx.types.standard_artifacts import ModelEvaluation

from components.evaluator.config import GateConfig
from components.evaluator.predictions import Predictions
from components.text_baselines.artifact import TextBaselines

SITES = ["north", "south"] * 60


@pytest.fixture(scope="module")
def planted():
    """A candidate that is worse on the south, and a blessed model that is better."""
    sure, south = np.linspace(0.5, 0.99, 120), range(1, 41, 2)
    candidate = with_errors(120, [0, *south], site=SITES, confidence=sure)
    return candidate, with_errors(120, [0, 2, 4], site=SITES)


@pytest.fixture(scope="module")
def refused(evaluate, planted):
    gate = GateConfig(
        min_accuracy=0.8,
        slices=("site", "year_band"),
        slice_min_accuracy={"site": 0.6, "year_band": 0.5},
    )
    return evaluate(gate, *planted)


@pytest.fixture(scope="module")
def baselines(tmp_path_factory):
    """The SVM knows the classes in another order, and is wrong on 30 of the 120."""
    folder = tmp_path_factory.mktemp("baselines")
    svm = with_errors(120, range(90, 120))
    turned = dataclasses.replace(
        svm, classes=CLASSES[::-1], labels=2 - svm.labels, scores=svm.scores[:, ::-1]
    )
    for name, predictions in (("tfidf_svm", turned), ("majority", with_errors(120, range(80)))):
        (folder / name).mkdir()
        predictions.write(folder / name)
    artifact = TextBaselines()
    artifact.uri = str(folder)
    return artifact


@pytest.fixture(scope="module")
def blessed(evaluate, planted, baselines):
    words = {"words": {"x": ["x"], "t": ["text"]}, "swap": True}
    fairness = {"attributes": {"place": {"feature": "site"}, "word": words}}
    gate = GateConfig(
        min_accuracy=0.9, slices=("label",), fairness=fairness, against_svm={"rule": "better"}
    )
    return evaluate(gate, planted[1], baselines=[baselines])


def test_the_predictions_are_what_the_models_said(planted, refused, close_to):
    _, evaluation, _ = refused
    for folder, expected in zip(
        (evaluation.uri, f"{evaluation.uri}/blessed_model"), planted, strict=True
    ):
        found = Predictions.read(folder)
        assert (found.task, found.classes) == ("single_label", CLASSES)
        assert list(found.keys) == list(expected.keys)
        assert list(found.texts) == list(expected.texts)
        assert list(found.labels) == list(expected.labels)
        assert close_to(found.scores, expected.scores)
        assert list(found.features["site"]) == SITES


def test_a_refusal_says_why(planted, refused):
    verdict, _, blessing = refused
    accuracy, south, missing, against = verdict.reasons
    assert accuracy.startswith("accuracy on all test examples is 0.8250 (95 % interval 0.74")
    assert (
        "on 120 examples, asked at least 0.8: the value meets it, the interval does not" in accuracy
    )
    assert south.startswith("accuracy on site=south is 0.6667")
    assert missing.startswith("no test example is in the slice year_band")
    assert "below that of the latest blessed model (0.9750)" in against
    assert blessing.get_int_custom_property("blessed") == 0
    assert blessing.get_string_custom_property("reasons").splitlines() == list(verdict.reasons)


OURS = {  # by TFMA's name of the same thing
    "sparse_categorical_accuracy": "accuracy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "macro_f1": "macro_f1",
    "expected_calibration_error": "expected_calibration_error",
    **{(m, i): f"{m}:{name}" for m in ("precision", "recall") for i, name in enumerate(CLASSES)},
}


def test_tfma_measures_the_same(refused, read_tfma):
    verdict, evaluation, _ = refused
    found = read_tfma(evaluation, "candidate")
    assert set(found) == {(), (("site", "north"),), (("site", "south"),)}
    for measured in verdict.slices:
        name, _, value = measured.slice.partition("=")
        theirs = found[((name, value),) if name else ()]
        assert theirs["example_count"] == measured.examples
        ours = {name: measured.metrics[our].value for name, our in OURS.items()}
        assert {name: theirs[name] for name in ours} == pytest.approx(ours, abs=1e-6)


def test_tfmas_views_open_the_evaluation(refused):
    _, evaluation, _ = refused
    result = tfma.load_eval_result(evaluation.uri, model_name="candidate")
    assert tfma.view.render_slicing_metrics(result, slicing_column="site") is not None
    assert tfma.view.render_plot(result) is not None


def test_a_blessing_is_the_stock_one(blessed, look_up_model):
    verdict, evaluation, blessing = blessed
    assert verdict.blessed, verdict.reasons
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_int_custom_property("current_model_id") == look_up_model("candidate").id
    assert not blessing.has_custom_property("reasons")
    assert isinstance(evaluation, ModelEvaluation)
    assert set(verdict.seconds) == {"tfma", "fairness", "intervals", "rules"}
    assert [part.slice for part in verdict.slices[1:]] == [f"label={name}" for name in CLASSES]


def test_groups_are_compared_and_their_words_swapped(blessed):
    verdict, _, _ = blessed
    assert {(g.attribute, g.group, g.examples) for g in verdict.fairness.groups} >= {
        ("place", "north", 60),
        ("place", "south", 60),
    }
    [swapped] = verdict.fairness.counterfactuals
    assert swapped.examples == 120  # "text 3" becomes "x 3"
    assert swapped.flip_rate.value > 0


def test_simple_models_are_compared_with(blessed):
    verdict, _, _ = blessed
    svm, majority = verdict.comparisons
    assert (svm.against, svm.other.value) == ("TF-IDF + linear SVM", 0.75)
    assert svm.difference.value == pytest.approx(0.975 - 0.75)
    assert (majority.against, majority.other.value) == ("majority class", pytest.approx(1 / 3))
    rule = next(rule for rule in verdict.rules if rule.name == "against_svm")
    assert rule.is_met
    assert "(rule better)" in rule.sentence


def test_an_empty_test_split_is_refused(evaluate):
    verdict, evaluation, blessing = evaluate(GateConfig(min_accuracy=0.5), with_errors(0, []))
    assert verdict.reasons == (
        "accuracy on all test examples is unknown, as there is no example; asked at least 0.5",
    )
    assert blessing.get_int_custom_property("blessed") == 0
    assert len(Predictions.read(evaluation.uri)) == 0


def test_failed_rules_are_properties(refused):
    verdict, _, blessing = refused
    rules = json.loads(blessing.get_string_custom_property("failed_rules"))
    assert [rule["slice"] for rule in rules] == [
        rule.slice for rule in verdict.rules if not rule.is_met
    ]
    south = next(rule for rule in rules if rule["slice"] == "site=south")
    assert (south["metric"], south["examples"], south["threshold"]) == ("accuracy", 60, 0.6)
    assert south["low"] < 0.6 < south["value"] < south["high"]
    assert len(south["worst"]) == 20
