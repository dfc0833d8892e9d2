"""TFMA's numbers equal scikit-learn's, on the whole and on slices."""

import hypothesis
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from components.evaluator.config import GateConfig
from components.evaluator.metrics import ClassificationReport, ExpectedCalibrationError

BINS = 15


def calibration_error(labels, probabilities) -> float:
    """arXiv 1706.04599, equation 3."""
    confidence, hits = probabilities.max(1).astype(float), probabilities.argmax(1) == labels
    bins = np.floor(confidence * BINS)
    gaps = [
        (bins == b).sum() * abs(hits[bins == b].mean() - confidence[bins == b].mean())
        for b in set(bins)
    ]
    return sum(gaps) / len(labels)


@pytest.fixture(scope="module")
def analysed(analyse, make_rows, random_rows):
    labels, probabilities, bands = random_rows
    gate = GateConfig(min_accuracy=0.1, slices=("length_band",))
    metrics, _ = analyse(gate, make_rows(labels, probabilities, length_band=bands))
    return metrics


@pytest.mark.parametrize("band", [None, "0-49", "50-99"])
def test_metrics_equal_scikit_learns(analysed, random_rows, band):
    labels, probabilities, bands = random_rows
    inside = np.array([band in (None, own) for own in bands])
    labels, probabilities = labels[inside], probabilities[inside]
    predicted = probabilities.argmax(1)
    found = analysed[() if band is None else (("length_band", band),)]

    assert found["example_count"] == len(labels)
    assert found["sparse_categorical_accuracy"] == pytest.approx(np.mean(predicted == labels))
    assert found["sparse_categorical_crossentropy"] == pytest.approx(
        sklearn.log_loss(
            labels, probabilities / probabilities.sum(1, keepdims=True), labels=range(5)
        ),
        rel=1e-5,
    )
    assert found["macro_f1"] == pytest.approx(
        sklearn.f1_score(labels, predicted, average="macro", zero_division=0)
    )
    assert found["expected_calibration_error"] == pytest.approx(
        calibration_error(labels, probabilities), rel=1e-5
    )
    for name, score in (("precision", sklearn.precision_score), ("recall", sklearn.recall_score)):
        values = score(labels, predicted, labels=range(5), average=None, zero_division=0)
        assert [found[name, i] for i in range(5)] == pytest.approx(values.tolist())


def test_the_rows_are_worth_testing(analysed):
    whole = analysed[()]
    assert 0.3 < whole["macro_f1"] < 0.9
    assert abs(whole["macro_f1"] - whole["sparse_categorical_accuracy"]) > 0.02
    assert whole["expected_calibration_error"] > 0.02
    assert set(analysed) == {(), (("length_band", "0-49"),), (("length_band", "50-99"),)}


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.lists(st.integers(1, 1000), min_size=3, max_size=3).filter(lambda n: len(set(n)) == 3),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("metric", [ClassificationReport, ExpectedCalibrationError])
@hypothesis.given(ROWS, st.randoms(use_true_random=False), st.integers(1, 4))
def test_neither_order_nor_sharding_matters(metric, rows, rng, shards):
    [computation] = metric().computations()
    combiner = computation.combiner

    def accumulate(part):
        accumulator = combiner.create_accumulator()
        for label, numbers in part:
            prediction = np.array(numbers, np.float32) / sum(numbers)
            accumulator = combiner.add_input(
                accumulator,
                tfma.metrics.StandardMetricInputs(
                    label=np.array([label]), prediction=prediction, example_weight=np.array([1.0])
                ),
            )
        return accumulator

    mixed = rng.sample(rows, len(rows))
    parts = [accumulate(mixed[i::shards]) for i in range(shards)]
    whole = combiner.extract_output(accumulate(rows))
    merged = combiner.extract_output(combiner.merge_accumulators(parts))
    assert set(merged) == set(whole)
    for key, value in whole.items():
        assert merged[key] == pytest.approx(value, abs=1e-9)

    labels = np.array([label for label, _ in rows])
    probabilities = np.array([np.array(n, np.float32) / sum(n) for _, n in rows], np.float32)
    [value] = [
        v for key, v in whole.items() if key.name in ("macro_f1", "expected_calibration_error")
    ]
    if metric is ClassificationReport:
        expected = sklearn.f1_score(
            labels, probabilities.argmax(1), average="macro", zero_division=0
        )
    else:
        expected = calibration_error(labels, probabilities)
    assert value == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [ClassificationReport, ExpectedCalibrationError])
def test_no_rows_give_no_metric(metric):
    [computation] = metric().computations()
    combiner = computation.combiner
    empty = combiner.merge_accumulators([combiner.create_accumulator()] * 2)
    assert combiner.extract_output(empty) == {}
