"""Values against scikit-learn and scipy; intervals against independent formulas and simulated truth."""

import numpy as np
import pytest
from planted import (
    random_multi_label,
    random_regression,
    random_single_label,
    single_label,
    with_errors,
)
from scipy import stats
from sklearn import metrics as sklearn

from components.evaluator.answers import answers
from components.evaluator.calibration import coverage, reliability
from components.evaluator.classification import f1_scores
from components.evaluator.measures import measure, measure_slices, slice_rows
from components.evaluator.predictions import Predictions
from components.evaluator.ranking import areas_under_curve


def check_ends(found):
    for name, estimate in found.items():
        assert estimate.low <= estimate.value <= estimate.high, name
        assert estimate.high - estimate.low > 0, name


def test_single_label_values_are_scikit_learns():
    predictions = random_single_label()
    labels, scores = predictions.labels, predictions.scores
    predicted, found = scores.argmax(1), measure(predictions)
    check_ends(found)
    expected = {
        "accuracy": sklearn.accuracy_score(labels, predicted),
        "macro_f1": sklearn.f1_score(labels, predicted, average="macro", zero_division=0),
        "cross_entropy": sklearn.log_loss(labels, scores, labels=range(5)),
        "overconfidence": (scores.max(1) - (predicted == labels)).mean(),
        "macro_auc": np.mean([sklearn.roc_auc_score(labels == c, scores[:, c]) for c in range(4)]),
    }
    for c in range(4):
        expected |= {
            f"precision:c{c}": sklearn.precision_score(labels == c, predicted == c),
            f"recall:c{c}": sklearn.recall_score(labels == c, predicted == c),
            f"f1:c{c}": sklearn.f1_score(labels == c, predicted == c),
            f"auc:c{c}": sklearn.roc_auc_score(labels == c, scores[:, c]),
        }
    error = found.pop("expected_calibration_error")
    assert {name: e.value for name, e in found.items()} == pytest.approx(expected)
    bins = np.floor(scores.max(1) * 15)
    gaps = [abs((scores.max(1) - (predicted == labels))[bins == b].sum()) for b in set(bins)]
    assert error.value == pytest.approx(sum(gaps) / 300)


def test_multi_label_values_are_scikit_learns():
    predictions = random_multi_label()
    labels, scores = predictions.labels, predictions.scores
    predicted, found = scores >= 0.5, measure(predictions)
    check_ends(found)
    expected = {
        "accuracy": sklearn.accuracy_score(labels, predicted),
        "hamming_loss": sklearn.hamming_loss(labels, predicted),
        "micro_f1": sklearn.f1_score(labels, predicted, average="micro"),
        "macro_f1": sklearn.f1_score(labels, predicted, average="macro"),
        "mean_average_precision": sklearn.average_precision_score(labels, scores, average="macro"),
        "macro_auc": sklearn.roc_auc_score(labels, scores, average="macro"),
        "cross_entropy": np.mean(
            [sklearn.log_loss(labels[:, c], np.clip(scores[:, c], 1e-7, 1)) for c in range(4)]
        ),
        "f1:c2": sklearn.f1_score(labels[:, 2], predicted[:, 2]),
        "recall:c0": sklearn.recall_score(labels[:, 0], predicted[:, 0]),
    }
    assert {name: found[name].value for name in expected} == pytest.approx(expected, rel=1e-5)


def test_regression_values_are_scikit_learns():
    predictions = random_regression()
    labels, predicted, found = predictions.labels, predictions.scores[:, 0], measure(predictions)
    check_ends(found)
    assert {name: estimate.value for name, estimate in found.items()} == pytest.approx(
        {
            "mae": sklearn.mean_absolute_error(labels, predicted),
            "rmse": sklearn.mean_squared_error(labels, predicted) ** 0.5,
            "r2": sklearn.r2_score(labels, predicted),
            "spearman": stats.spearmanr(labels, predicted).statistic,
        }
    )


def test_a_slice_of_one_label_has_what_can_be_known():
    found = measure(single_label([1, 1, 1], [1, 1, 2]))
    assert found["accuracy"].value == found["recall:lung"].value == pytest.approx(2 / 3)
    assert found["macro_auc"].value is None
    assert found["macro_f1"].value == pytest.approx(0.4)  # of lung .8, of skin, predicted only, 0
    assert "recall:skin" not in found


def test_a_label_that_was_not_trained_on_is_an_error():
    found = measure(single_label([0, 1, -1, 2], [0, 1, 2, 2]))
    assert found["accuracy"].value == 0.75
    assert found["precision:skin"].value == 0.5
    assert found["cross_entropy"].value > 3  # the least probability of a loss, 1e-7, in the mean


def test_delongs_interval_is_a_bootstraps():
    predictions = random_single_label(400, seed=3)
    own = predictions.labels == 1
    [found], _ = areas_under_curve(predictions.scores, own[:, None], np.array([1]))
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 400, (600, 400))
    areas = [sklearn.roc_auc_score(own[rows], predictions.scores[rows, 1]) for rows in drawn]
    assert [found.low, found.high] == pytest.approx(np.quantile(areas, [0.025, 0.975]), abs=0.01)


def test_a_perfect_order_is_not_taken_for_certain():
    [area], macro = areas_under_curve(np.arange(10.0)[:, None], np.arange(10)[:, None] > 6, [0])
    assert area.value == area.high == macro.value == 1
    assert area.low == pytest.approx(stats.binomtest(3, 3).proportion_ci(method="wilson").low)


def test_the_bootstrap_intervals_of_macro_f1_covers_the_truth():
    rng = np.random.default_rng(6)
    prior, k, n = np.array([0.4, 0.25, 0.15, 0.12, 0.08]), 5, 400
    cells = prior[:, None] * (np.eye(k) * 0.85 + (1 - np.eye(k)) * 0.15 / (k - 1))
    true = np.mean(2 * np.diag(cells) / (cells.sum(0) + cells.sum(1)))
    hits = []
    for seed in range(600):
        labels, predicted = np.divmod(rng.choice(k * k, n, p=cells.ravel()), k)
        macro, _ = f1_scores(labels, predicted, np.arange(0), seed)
        hits.append(macro.low <= true <= macro.high)
    assert 0.93 <= np.mean(hits) <= 0.97


def test_reliability_and_coverage_count_the_examples():
    confidence = np.linspace(0.34, 0.99, 100)
    predictions = with_errors(100, range(0, 50, 2), confidence=confidence)
    own = answers(predictions)
    bins = reliability(own)
    assert sum(found.examples for found in bins) == 100
    assert all(abs(found.confidence * 15 % 1 - 0.5) <= 0.5 for found in bins)
    assert bins[-1].accuracy.value == 1.0
    points = coverage(own)
    assert [points[0].coverage, points[0].accuracy.value] == [1.0, 0.75]
    half = next(point for point in points if point.coverage == 0.5)
    assert half.accuracy.value == 1.0
    assert half.min_confidence == pytest.approx(confidence[50])


def test_slices_are_the_values_of_features():
    predictions = with_errors(
        6, [], site=["b", "a", "", "a\nb", "a", "b"], year=["1", "1", "1", "2", "2", "2"]
    )
    rows = slice_rows(predictions, ("site", "year", "unknown"))
    assert {name: list(found) for name, found in rows.items()} == {
        "site=a": [1, 3, 4],
        "site=b": [0, 3, 5],
        "year=1": [0, 1, 2],
        "year=2": [3, 4, 5],
    }
    found = measure_slices(predictions, rows, 3)
    assert [(s.slice, s.examples, s.informs_only) for s in found[:2]] == [
        ("", 6, False),
        ("site=a", 3, False),
    ]
    assert measure_slices(predictions, rows, 4)[1].informs_only
    assert found[1].metrics == measure(predictions.where(rows["site=a"]))


@pytest.mark.parametrize("make", [random_single_label, random_multi_label, random_regression])
@pytest.mark.parametrize("n", [1, 2])
def test_a_few_examples_are_no_error(make, n):
    found = measure(make().where(np.arange(n)))
    for name, estimate in found.items():
        if estimate.low is not None:
            assert estimate.low <= estimate.value <= estimate.high, name


@pytest.mark.parametrize("make", [random_single_label, random_multi_label, random_regression])
@pytest.mark.parametrize("n", [0, 7])
def test_predictions_come_back_from_disk(make, n, tmp_path):
    written = make().where(np.arange(n))
    written.write(tmp_path)
    read = Predictions.read(tmp_path)
    assert (read.task, read.classes) == (written.task, written.classes)
    for name in ("keys", "texts", "labels", "scores"):
        old, new = getattr(written, name), getattr(read, name)
        assert old.shape == new.shape
        assert (old == new).all()
    assert {k: list(v) for k, v in read.features.items()} == {
        k: list(v) for k, v in written.features.items()
    }
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.parquet"]
