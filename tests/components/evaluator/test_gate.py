"""The right decision and the right sentence, on planted cases."""

import dataclasses

import numpy as np
import pydantic
import pytest
from planted import random_multi_label, random_regression, single_label, with_errors

from components.evaluator.comparison import BLESSED, SVM
from components.evaluator.config import AgainstConfig, GateConfig
from components.evaluator.gate import judge
from components.evaluator.verdict import Verdict


def gate(**rules) -> GateConfig:
    return GateConfig(**{"min_accuracy": 0.5, "slices": ()} | rules)


def decide(predictions, others=None, **rules) -> Verdict:
    verdict = judge(predictions, gate(**rules), others or {})
    assert verdict.blessed == (not verdict.reasons)
    assert verdict.reasons == tuple(r.sentence for r in verdict.rules if r.blocks and not r.is_met)
    return verdict


def test_good_enough_is_blessed():
    verdict = decide(with_errors(400, range(20)), min_accuracy=0.9, min_macro_f1=0.9)
    assert verdict.blessed
    assert [rule.name for rule in verdict.rules] == ["min_accuracy", "min_macro_f1"]
    assert all(rule.is_met and not rule.worst for rule in verdict.rules)
    assert verdict.examples == 400
    assert verdict.notes == ("there is no earlier blessed model to compare with",)


def test_worse_overall():
    verdict = decide(with_errors(400, range(80)), min_accuracy=0.9)
    assert verdict.reasons == (
        "accuracy on all test examples is 0.8000 (95 % interval 0.7580 to 0.8363) on 400 examples, "
        "asked at least 0.9",
    )
    [rule] = verdict.rules
    assert (rule.metric, rule.slice, rule.examples, rule.threshold) == ("accuracy", "", 400, 0.9)
    assert len(rule.worst) == 20
    assert all(example.label != example.predicted for example in rule.worst)


def test_a_value_above_the_threshold_is_not_enough():
    verdict = decide(with_errors(100, range(8)), min_accuracy=0.9)
    [reason] = verdict.reasons
    assert (
        "is 0.9200 (95 % interval 0.8500 to 0.9589) on 100 examples, asked at least 0.9" in reason
    )
    assert "the value meets it, the interval does not" in reason
    needed = int(reason.split("on about ")[1].split(" ")[0].replace(",", ""))
    errors = round(needed * 0.08)
    assert decide(with_errors(needed + 500, range(errors)), min_accuracy=0.9).blessed
    assert not decide(with_errors(needed // 2, range(errors // 2)), min_accuracy=0.9).blessed


def test_worse_on_one_slice():
    site = ["a"] * 300 + ["b"] * 100
    predictions = with_errors(400, [*range(10), *range(300, 340)], site=site)
    rules = {"min_accuracy": 0.8, "slices": ("site",), "slice_min_accuracy": {"site": 0.7}}
    verdict = decide(predictions, **rules)
    [reason] = verdict.reasons
    assert reason.startswith("accuracy on site=b is 0.6000 (95 % interval 0.50")
    assert reason.endswith("on 100 examples, asked at least 0.7")
    bad = next(rule for rule in verdict.rules if not rule.is_met)
    assert {example.key for example in bad.worst} <= {f"k{i:05}" for i in range(300, 340)}
    assert len(bad.worst) == 20
    assert decide(predictions, **rules | {"slice_min_accuracy": {"site=a": 0.7}}).blessed


def test_a_slice_with_too_few_examples_informs_and_does_not_block():
    predictions = with_errors(400, range(390, 400), site=["a"] * 380 + ["b"] * 20)
    rules = {"slices": ("site",), "slice_min_accuracy": {"site": 0.8}, "min_examples": 21}
    verdict = decide(predictions, **rules)
    assert verdict.blessed
    rule = next(rule for rule in verdict.rules if rule.slice == "site=b")
    assert not rule.is_met
    assert not rule.blocks
    assert rule.sentence.endswith("it has fewer than 21 examples and only informs")
    assert (
        "slices of fewer than 21 examples inform, but block nothing: site=b (20)" in verdict.notes
    )
    assert not decide(predictions, **rules | {"min_examples": 20}).blessed


def test_too_few_examples_in_all_are_not_let_through():
    verdict = decide(with_errors(5, []), min_accuracy=0.6)
    [reason] = verdict.reasons
    assert "is 1.0000 (95 % interval 0.5655 to 1.0000) on 5 examples, asked at least 0.6" in reason


@pytest.mark.parametrize("name", ["year_band", "year_band=1990-1999"])
def test_a_missing_slice(name):
    years = {} if name == "year_band" else {"year_band": ["2000-2009"] * 60}
    predictions = with_errors(60, [], **years)
    verdict = decide(predictions, slices=("year_band",), slice_min_accuracy={name: 0.5})
    assert verdict.reasons == (
        f"no test example is in the slice {name}, which has a threshold: accuracy of at least 0.5",
    )


def test_answers_that_are_no_numbers():
    predictions = with_errors(200, [])
    predictions.scores[7] = np.nan
    verdict = decide(predictions, max={"cross_entropy": 1.0})
    assert verdict.reasons == (
        "the model's answer is not a number for 1 of 200 test examples",
        "cross_entropy on all test examples is not a number on 200 examples, asked at most 1",
    )
    assert verdict.rules[0].worst[0].key == "k00007"
    assert verdict.worst[0].loss is None
    assert verdict.slices[0].metrics["accuracy"].value == 0.995


def test_an_empty_test_set():
    verdict = decide(with_errors(0, []), slices=("label",), min_macro_f1=0.2)
    assert verdict.reasons == (
        "accuracy on all test examples is unknown, as there is no example; asked at least 0.5",
        "macro_f1 on all test examples is unknown, as there is no example; asked at least 0.2",
    )
    assert verdict.examples == 0


def test_a_metric_that_the_task_does_not_have():
    [reason] = decide(with_errors(90, []), max={"rmse": 1}).reasons
    assert reason.startswith("rmse was not measured on all test examples")


def test_metrics_of_a_class_and_maxima():
    predictions = single_label([0, 1, 2] * 50, [0, 1, 1] * 50)
    verdict = decide(
        predictions, min={"recall:lung": 0.9, "recall:skin": 0.5}, max={"overconfidence": 0.1}
    )
    [skin, sure] = verdict.reasons
    assert skin.startswith("recall:skin on all test examples is 0.0000")
    assert sure.startswith("overconfidence on all test examples is 0.13")
    assert "asked at most 0.1" in sure


SIZE = 1000


def pair(gained, lost):
    """Of 1,000 answers, the candidate alone has `gained` right, the other alone `lost`."""
    both = set(range(900, 950))
    other = both | set(range(gained))
    return with_errors(SIZE, both | set(range(500, 500 + lost))), with_errors(SIZE, other)


BETTER, NOT_WORSE = {"rule": "better"}, {"rule": "not_worse", "margin": 0.02}
TIGHT = {"rule": "not_worse", "margin": 0.005}
DEFAULT = {}


@pytest.mark.parametrize(
    ("gained", "lost", "blessed_by"),
    [
        (40, 10, (DEFAULT, BETTER, NOT_WORSE, TIGHT)),  # a gain beyond noise
        (12, 9, (DEFAULT, NOT_WORSE)),  # a gain that may be noise
        (9, 12, (DEFAULT, NOT_WORSE)),  # a loss that may be noise
        (10, 40, ()),  # a loss beyond noise
        (0, 10, (NOT_WORSE,)),  # a loss beyond noise, but a small one
        (60, 60, (DEFAULT,)),  # no difference, but not surely none
    ],
)
def test_against_the_latest_blessed_model(gained, lost, blessed_by):
    candidate, other = pair(gained, lost)
    for rule in (DEFAULT, BETTER, NOT_WORSE, TIGHT):
        verdict = decide(candidate, {BLESSED: other}, against_blessed=rule)
        assert verdict.blessed == (rule in blessed_by), rule
        [comparison] = verdict.comparisons
        assert comparison.difference.value == pytest.approx((gained - lost) / SIZE)
        assert "no earlier blessed model" not in "".join(verdict.notes)


def test_a_noise_only_gain_says_so():
    candidate, other = pair(12, 9)
    verdict = decide(candidate, {BLESSED: other}, against_blessed=BETTER)
    [reason] = verdict.reasons
    assert reason == (
        "accuracy is 0.0030 above that of the latest blessed model (0.9380); paired difference "
        "-0.0064 to +0.0124 on 1,000 examples, p = 0.66 (McNemar, exact): it may be noise; asked to be "
        "shown more than 0 better (rule better)"
    )
    rule = verdict.rules[-1]
    assert rule.name == "against_blessed"
    assert {example.key for example in rule.worst} == {f"k{i:05}" for i in range(500, 509)}


def test_other_models_are_compared_by_key_and_by_class_name():
    candidate = with_errors(90, range(10), classes=("heart", "lung", "skin"))
    names = ("skin", "eye", "heart")  # this one does not know lung
    ids = {"heart": 2, "lung": -1, "skin": 0}
    labels = [ids[label] for label in candidate.features["label"]]
    other = single_label(labels, np.where(np.array(labels) < 0, 1, labels), classes=names)
    shuffled = np.random.default_rng(0).permutation(90)
    [comparison] = decide(candidate, {SVM: other.where(shuffled)}).comparisons
    assert comparison.other.value == pytest.approx(2 / 3)  # all of heart and skin
    assert comparison.difference.value == pytest.approx(80 / 90 - 2 / 3)


def test_the_svm_blocks_only_if_the_gate_says_so():
    candidate, other = with_errors(300, range(30)), with_errors(300, [])
    assert decide(candidate, {SVM: other}).blessed
    [reason] = decide(candidate, {SVM: other}, against_svm={}).reasons
    assert "below that of the TF-IDF + linear SVM" in reason
    [reason] = decide(candidate, {}, against_svm={}).reasons
    assert reason.startswith("there is no TF-IDF + linear SVM to compare with")


def test_models_without_a_common_example_are_not_compared():
    candidate = with_errors(50, [])
    other = dataclasses.replace(candidate, keys=candidate.keys + "x")
    [reason] = decide(candidate, {BLESSED: other}).reasons
    assert reason.startswith("accuracy against the latest blessed model is unknown on 0 examples")


def test_other_tasks_have_verdicts():
    rules = GateConfig(min={"micro_f1": 0.5}, slices=("site",))
    verdict = judge(random_multi_label(), rules, {BLESSED: random_multi_label()})
    assert verdict.blessed
    assert [found.slice for found in verdict.slices] == ["", "site=a", "site=b"]
    assert verdict.coverage
    good, bad = random_regression(), random_regression(noise=2.0)
    rules = GateConfig(min={"spearman": 0.8}, max={"rmse": 0.7}, slices=())
    assert judge(good, rules, {BLESSED: bad}).blessed
    verdict = judge(bad, rules, {BLESSED: good})
    assert [rule.name for rule in verdict.rules] == ["min.spearman", "max.rmse", "against_blessed"]
    blessed = verdict.reasons[-1]
    assert blessed.startswith("-mae is 1.")
    assert "below that of the latest blessed model" in blessed
    assert verdict.worst[0].confidence is None


def test_a_verdict_comes_back_from_disk(tmp_path):
    predictions = with_errors(200, range(60), site=["a", "b"] * 100)
    predictions.scores[3] = np.nan
    verdict = decide(predictions, {SVM: predictions}, slices=("label", "site"), min_accuracy=0.9)
    verdict.write(tmp_path)
    assert Verdict.read(tmp_path) == verdict


def test_confusion_counts_known_labels():
    verdict = decide(single_label([0, 0, 1, -1], [0, 1, 1, 2]))
    assert verdict.confusion.counts == ((1, 1, 0), (0, 1, 0), (0, 0, 0))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"min_accuracy": None}, "the gate asks for nothing"),
        ({"min": {"acuracy": 0.5}}, "no metric is called 'acuracy'; there are accuracy, macro_f1"),
        ({"slice_min_accuracy": {"year_band": 0.5}}, r"names \['year_band'\], which slices does"),
        ({"against_blessed": {"rule": "not_worse"}}, "margin is missing"),
        ({"against_blessed": {"margin": 0.1}}, "margin has no meaning for rule not_shown_worse"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        gate(**rules)


def test_the_default_rule_lets_noise_pass():
    assert GateConfig(min_accuracy=0.5).against_blessed == AgainstConfig(rule="not_shown_worse")
