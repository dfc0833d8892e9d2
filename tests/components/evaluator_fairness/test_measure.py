"""Rates, gaps, flips and limits, against scikit-learn, simulation and hand-made cases."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix, recall_score

from components.evaluator.fairness.config import AttributeConfig, FairnessConfig
from components.evaluator.fairness.gaps import Decisions, count_groups, gaps_of
from components.evaluator.fairness.groups import NONE, SEVERAL
from components.evaluator.fairness.measure import measure_fairness
from components.evaluator.intervals import difference, proportion
from components.evaluator.predictions import Predictions

BY_SITE = {"site": AttributeConfig(feature="site")}
CLASSES = ("a", "b", "c")


def predictions(labels, said, sites=None, texts=None, classes=CLASSES, sure=0.9) -> Predictions:
    """Single-label predictions that put `sure` on the class `said`."""
    n = len(labels)
    scores = np.full((n, len(classes)), (1 - sure) / (len(classes) - 1))
    scores[np.arange(n), said] = sure
    return Predictions(
        task="single_label",
        classes=classes,
        keys=np.array([f"k{i}" for i in range(n)], object),
        texts=np.array(texts if texts is not None else ["text"] * n, object),
        labels=np.asarray(labels),
        scores=scores,
        features={} if sites is None else {"site": np.asarray(sites, object)},
    )


def no_model(texts):
    raise AssertionError("nothing is to be predicted anew")


def random_predictions(n=400, seed=0) -> Predictions:
    """Classes and errors depend on the site; site "z" never has class c, and some labels are unseen."""
    rng = np.random.default_rng(seed)
    sites = rng.choice(["x", "y", "z"], n)
    labels = np.where(sites == "z", rng.integers(0, 2, n), rng.integers(-1, 3, n))
    wrong = rng.random(n) < np.where(sites == "x", 0.1, 0.4)
    return predictions(labels, np.where(wrong, rng.integers(0, 3, n), labels % 3), sites)


def test_rates_are_scikit_learns():
    asked = random_predictions()
    found, _ = measure_fairness(asked, FairnessConfig(attributes=BY_SITE), no_model)
    assert [result.group for result in found.groups] == ["x", "y", "z"]
    said = asked.scores.argmax(axis=1)
    for result in found.groups:
        chosen = asked.features["site"] == result.group
        labels, answers = asked.labels[chosen], said[chosen]
        matrices = multilabel_confusion_matrix(labels, answers, labels=[0, 1, 2])
        tn, fp, fn, tp = (matrices[:, i, j] for i in (0, 1) for j in (0, 1))
        occurs = tp + fn > 0
        assert occurs.all() == (result.group != "z")
        recall = recall_score(labels, answers, labels=np.flatnonzero(occurs), average="macro")
        assert result.examples == chosen.sum()
        assert result.accuracy.value == pytest.approx((labels == answers).mean())
        assert result.false_negative_rate.value == pytest.approx(1 - recall)
        assert result.false_positive_rate.value == pytest.approx((fp / (fp + tn)).mean())


def test_rates_of_a_positive_class_are_scikit_learns():
    asked = random_predictions()
    config = FairnessConfig(attributes=BY_SITE, positive_class="b")
    found, _ = measure_fairness(asked, config, no_model)
    for result in found.groups:
        chosen = asked.features["site"] == result.group
        tn, fp, fn, tp = confusion_matrix(
            asked.labels[chosen] == 1, asked.scores[chosen].argmax(axis=1) == 1
        ).ravel()
        assert result.false_positive_rate == proportion(int(fp), int(fp + tn))
        assert result.false_negative_rate == proportion(int(fn), int(fn + tp))


def test_rates_of_several_labels_are_scikit_learns():
    rng = np.random.default_rng(1)
    truth, scores = rng.random((80, 3)) < 0.3, rng.random((80, 3))
    asked = Predictions(
        "multi_label",
        CLASSES,
        *(np.full(80, "", object),) * 2,
        truth,
        scores,
        {"site": np.full(80, "x", object)},
    )
    found, _ = measure_fairness(asked, FairnessConfig(attributes=BY_SITE), no_model)
    [result] = found.groups
    said = scores >= 0.5
    assert result.accuracy.value == (truth == said).all(axis=1).mean()
    recall = recall_score(truth, said, average="macro")
    assert result.false_negative_rate.value == pytest.approx(1 - recall)
    specificity = recall_score(~truth, ~said, average="macro")
    assert result.false_positive_rate.value == pytest.approx(1 - specificity)


def test_the_largest_gap_has_newcombes_interval():
    asked = predictions(
        [0] * 300,
        [0] * 90 + [1] * 10 + [0] * 70 + [1] * 30 + [0] * 80 + [1] * 20,
        ["x"] * 100 + ["y"] * 100 + ["z"] * 100,
    )
    found, _ = measure_fairness(asked, FairnessConfig(attributes=BY_SITE), no_model)
    gap = next(gap for gap in found.gaps if gap.metric == "accuracy")
    assert (gap.high_group, gap.low_group) == ("x", "y")
    assert gap.difference == difference(proportion(90, 100), proportion(70, 100))
    gap = next(gap for gap in found.gaps if gap.metric == "false_negative_rate")
    assert (gap.high_group, gap.low_group) == ("y", "x")
    assert gap.difference.value == pytest.approx(0.2)


def test_rates_are_compared_on_the_classes_that_both_groups_have():
    """Class c is always missed, and only x has it: no difference in what can be compared."""
    asked = predictions([0] * 60 + [2] * 60 + [0] * 60, [0] * 180, ["x"] * 120 + ["y"] * 60)
    found, _ = measure_fairness(asked, FairnessConfig(attributes=BY_SITE), no_model)
    assert found.groups[0].false_negative_rate.value == 0.5
    gap = next(gap for gap in found.gaps if gap.metric == "false_negative_rate")
    assert gap.difference.value == 0


def test_small_groups_and_examples_of_none_inform_but_are_not_compared():
    texts = ["a man"] * 60 + ["a woman"] * 49 + ["men and women"] * 70 + ["a heart"] * 80
    asked = predictions([0] * 259, [0] * 60 + [1] * 199, texts=texts)
    config = FairnessConfig(
        attributes={"sex": AttributeConfig(rule="sex")}, max_gaps={"accuracy": 0.1}
    )
    found, [rule] = measure_fairness(asked, config, no_model)
    assert [(r.group, r.examples, r.informs_only) for r in found.groups] == [
        ("female", 49, True),
        ("male", 60, False),
        (NONE, 80, True),
        (SEVERAL, 70, True),
    ]
    assert found.gaps == ()
    assert (rule.is_met, rule.blocks) == (False, False)
    assert "fewer than two have 50 examples" in rule.sentence


@pytest.mark.parametrize(
    ("hits", "n", "is_met", "words"),
    [
        ((900, 890), 1000, True, "the limit is 0.1"),
        (
            (90, 85),
            100,
            False,
            "not shown to be at most 0.1",
        ),  # nearly equal, but too few to say so
        ((900, 700), 1000, False, "that is more than 0.1"),
    ],
)
def test_a_limit_is_met_only_if_the_interval_says_so(hits, n, is_met, words):
    said = [0] * hits[0] + [1] * (n - hits[0]) + [0] * hits[1] + [1] * (n - hits[1])
    asked = predictions([0] * (2 * n), said, ["x"] * n + ["y"] * n)
    config = FairnessConfig(attributes=BY_SITE, max_gaps={"accuracy": 0.1})
    _, [rule] = measure_fairness(asked, config, no_model)
    assert (rule.is_met, rule.blocks) == (is_met, True)
    assert (rule.name, rule.threshold) == ("fairness.max_gaps.accuracy", 0.1)
    assert rule.estimate == difference(proportion(hits[0], n), proportion(hits[1], n))
    assert words in rule.sentence
    assert f"of site x ({n} examples)" in rule.sentence
    assert len(rule.worst) == (0 if is_met else 20)
    assert sum(example.predicted == "b" for example in rule.worst) == min(
        n - hits[1], len(rule.worst)
    )
    worse = asked.keys[asked.features["site"] == "y"]
    assert {example.key for example in rule.worst} <= set(worse)


def test_every_pair_must_pass():
    """The pair that is furthest apart passes; a smaller group, nearer, cannot be told to."""
    n = (4000, 4000, 60)
    said = [0] * 3600 + [1] * 400 + [0] * 3400 + [1] * 600 + [0] * 52 + [1] * 8
    asked = predictions([0] * sum(n), said, np.repeat(["x", "y", "z"], n))
    config = FairnessConfig(attributes=BY_SITE, max_gaps={"accuracy": 0.1})
    found, [rule] = measure_fairness(asked, config, no_model)
    assert (found.gaps[0].high_group, found.gaps[0].low_group) == ("x", "y")
    assert found.gaps[0].difference.high < 0.1
    assert rule.slice == "site: x against z"
    assert not rule.is_met


def sexist(texts):
    """Says b of every text with "she", and is the surer the longer the text."""
    sure = np.array([0.6 + len(text) / 1000 for text in texts])
    is_b = np.array(["she" in text for text in texts])
    return np.stack([np.where(is_b, 1 - sure, sure), np.where(is_b, sure, 1 - sure)], axis=1)


def flip_world(sex_words: int, others: int):
    texts = [f"she coughs {'x' * i}" for i in range(sex_words)] + ["a woman"] * 2
    texts += ["a heart"] * others
    scores = sexist(texts)
    asked = predictions(scores.argmax(1), scores.argmax(1), texts=texts, classes=("a", "b"))
    return Predictions(**{**vars(asked), "scores": scores})


def test_flips_are_counted_among_texts_that_have_words():
    config = FairnessConfig(
        attributes={"sex": AttributeConfig(rule="sex", swap=True)}, max_flip_rate=0.5
    )
    found, [rule] = measure_fairness(flip_world(98, 500), config, sexist)
    [flips] = found.counterfactuals
    assert (flips.attribute, flips.examples) == ("sex", 100)
    assert flips.flip_rate == proportion(98, 100)
    assert len(flips.worst) == 20
    key, text, swapped, before, after = flips.worst[0]
    assert (key, before, after) == ("k97", "b", "a")  # the longest
    assert (text, swapped) == (f"she coughs {'x' * 97}", f"he coughs {'x' * 97}")
    assert (rule.is_met, rule.blocks, rule.examples) == (False, True, 100)
    assert "0.980 (95 %: 0.930 to 0.994) of the 100 predictions change" in rule.sentence
    assert [example.key for example in rule.worst] == [flip[0] for flip in flips.worst]


@pytest.mark.parametrize(
    ("count", "limit", "is_met", "blocks"),
    [(98, 0.999, True, True), (20, 0.5, False, False)],
)
def test_a_flip_rule_needs_enough_texts_to_block(count, limit, is_met, blocks):
    config = FairnessConfig(
        attributes={"sex": AttributeConfig(rule="sex", swap=True)}, max_flip_rate=limit
    )
    _, [rule] = measure_fairness(flip_world(count, 10), config, sexist)
    assert (rule.is_met, rule.blocks) == (is_met, blocks)
    assert ("this informs" in rule.sentence) != blocks


def test_without_words_to_swap_the_model_is_not_asked():
    config = FairnessConfig(
        attributes={"sex": AttributeConfig(rule="sex", swap=True)}, max_flip_rate=0.1
    )
    found, [rule] = measure_fairness(predictions([0], [0]), config, no_model)
    assert found.counterfactuals[0].flip_rate.value is None
    assert (rule.is_met, rule.blocks) == (False, False)
    assert "no test text has a word of sex" in rule.sentence


def test_no_test_examples_give_no_groups():
    config = FairnessConfig(attributes=BY_SITE, max_gaps={"accuracy": 0.1})
    empty = random_predictions().where(np.zeros(0, int))
    found, [rule] = measure_fairness(empty, config, no_model)
    assert found.groups == ()
    assert not rule.blocks


def test_what_cannot_be_measured_is_refused():
    config = FairnessConfig(attributes=BY_SITE, positive_class="d")
    with pytest.raises(ValueError, match=r"positive_class is 'd', which is none of .*: a, b, c"):
        measure_fairness(random_predictions(), config, no_model)
    values = vars(random_predictions()) | {"task": "regression"}
    with pytest.raises(ValueError, match="a regression has no false positives"):
        measure_fairness(Predictions(**values), config, no_model)


@pytest.mark.parametrize("metric", ["false_negative_rate", "false_positive_rate"])
def test_the_interval_of_a_macro_gap_covers_the_truth(metric):
    """Two groups with other class shares and errors; 95 % of the intervals hold the true difference."""
    rng = np.random.default_rng(0)
    shares = {"x": [0.5, 0.3, 0.2], "y": [0.2, 0.2, 0.6]}
    rates = {  # of each answer, by class
        "x": np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.25, 0.7]]),
        "y": np.array([[0.7, 0.2, 0.1], [0.1, 0.85, 0.05], [0.1, 0.1, 0.8]]),
    }
    truth = {}
    for site, matrix in rates.items():
        joint = np.array(shares[site])[:, None] * matrix
        wrong = joint - np.diag(np.diag(joint))
        positives = joint.sum(axis=1)
        truth[site] = (
            (wrong.sum(axis=1) / positives).mean()
            if metric == "false_negative_rate"
            else (wrong.sum(axis=0) / (1 - positives)).mean()
        )
    n, covered, runs = 150, 0, 600
    sites = np.repeat(["x", "y"], n)
    for _ in range(runs):
        labels = np.concatenate([rng.choice(3, n, p=shares[site]) for site in ("x", "y")])
        cumulated = np.stack(
            [rates[site][label] for site, label in zip(sites, labels, strict=True)]
        ).cumsum(axis=1)
        said = (rng.random(2 * n)[:, None] > cumulated[:, :2]).sum(axis=1)
        counts = count_groups(Decisions.of(predictions(labels, said)), sites)
        [gap] = gaps_of("site", metric, counts, np.arange(3))
        sign = 1 if gap.high_group == "x" else -1
        true = sign * (truth["x"] - truth["y"])
        covered += gap.difference.low <= true <= gap.difference.high
    assert 0.93 <= covered / runs <= 0.985
