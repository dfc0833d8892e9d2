"""TFMA's sums give scikit-learn's numbers, however the rows are spread over workers."""

import hypothesis
import numpy as np
import pytest
import tensorflow_model_analysis as tfma
from hypothesis import strategies as st
from sklearn import metrics as sklearn

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


ROWS = st.lists(
    st.tuples(
        st.integers(-1, 2),  # -1: a label that was not trained on
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
            labels,
            probabilities.argmax(1),
            labels=sorted({*labels, *probabilities.argmax(1)} - {-1}),
            average="macro",
            zero_division=0,
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
