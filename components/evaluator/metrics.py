"""TFMA metrics of a single-label classifier that need not be told its classes.

TFMA's own binarized metrics want every class id in the EvalConfig, which is written before the data is
read; these take the classes from the predictions' width.
"""

from collections.abc import Callable, Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2

_BINS = 15  # as in the source of ExpectedCalibrationError


class ClassificationReport(tfma.metrics.Metric):
    """Macro-F1, and precision and recall of each class, all of the argmax prediction.

    `macro_f1` is the mean F1 of the classes that occur in the slice, as label or as prediction. A class's
    precision is 0 where it was never predicted, its recall 0 where it never occurs (as scikit-learn's
    `zero_division=0`).
    """

    def __init__(self, name: str = "macro_f1"):
        super().__init__(tfma.metrics.merge_per_key_computations(_report_computations), name=name)


class ExpectedCalibrationError(tfma.metrics.Metric):
    """Mean gap between confidence and accuracy over 15 equal bins (arXiv 1706.04599, section 3)."""

    def __init__(self, name: str = "expected_calibration_error"):
        super().__init__(
            tfma.metrics.merge_per_key_computations(_calibration_computations), name=name
        )


def _report_computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    **_: Any,  # sub keys, aggregation and weights, which these metrics do without
) -> list[tfma.metrics.MetricComputation]:
    def result(confusion: np.ndarray) -> dict[tfma.metrics.MetricKey, float]:
        hits = np.diag(confusion).astype(float)
        predicted, labelled = confusion.sum(axis=0), confusion[:-1].sum(axis=1)
        precision, recall = _ratio(hits, predicted), _ratio(hits, labelled)
        f1 = _ratio(2 * precision * recall, precision + recall)
        occurs = (predicted + labelled) > 0
        values = {
            _key(name, model_name, output_name): float(f1[occurs].mean())
            if occurs.any()
            else np.nan
        }
        for class_id in range(len(hits)):
            values[_key("precision", model_name, output_name, class_id)] = float(
                precision[class_id]
            )
            values[_key("recall", model_name, output_name, class_id)] = float(recall[class_id])
        return values

    keys = [_key(name, model_name, output_name)]
    return [
        tfma.metrics.MetricComputation(
            keys=keys,
            preprocessors=None,
            combiner=_Sum(_confusion, result, eval_config, model_name),
        )
    ]


def _calibration_computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    **_: Any,  # sub keys, aggregation and weights, which these metrics do without
) -> list[tfma.metrics.MetricComputation]:
    key = _key(name, model_name, output_name)

    def result(bins: np.ndarray) -> dict[tfma.metrics.MetricKey, float]:
        count, confidence, hits = bins
        total = count.sum()
        return {key: float(np.abs(confidence - hits).sum() / total) if total else np.nan}

    return [
        tfma.metrics.MetricComputation(
            keys=[key], preprocessors=None, combiner=_Sum(_bins, result, eval_config, model_name)
        )
    ]


class _Sum(beam.CombineFn):
    """Adds up an array per example; the empty accumulator is None, since the classes are not known yet."""

    def __init__(
        self,
        per_example: Callable[[int, np.ndarray], np.ndarray],
        result: Callable[[np.ndarray], dict[tfma.metrics.MetricKey, float]],
        eval_config: config_pb2.EvalConfig | None,
        model_name: str,
    ):
        self._per_example, self._result = per_example, result
        self._eval_config, self._model_name = eval_config, model_name

    def create_accumulator(self) -> np.ndarray | None:
        return None

    def add_input(self, accumulator: np.ndarray | None, inputs: Any) -> np.ndarray:
        [(label, prediction, _)] = tfma.metrics.to_label_prediction_example_weight(
            inputs, eval_config=self._eval_config, model_name=self._model_name, flatten=False
        )
        value = self._per_example(int(label.item()), prediction.reshape(-1))
        return value if accumulator is None else accumulator + value

    def merge_accumulators(self, accumulators: Iterable[np.ndarray | None]) -> np.ndarray | None:
        present = [accumulator for accumulator in accumulators if accumulator is not None]
        return sum(present[1:], present[0]) if present else None

    def extract_output(self, accumulator: np.ndarray | None) -> dict[tfma.metrics.MetricKey, float]:
        return {} if accumulator is None else self._result(accumulator)


def _confusion(label: int, probabilities: np.ndarray) -> np.ndarray:
    """int64 [classes + 1, classes]: rows are labels, those not trained on the last; columns predictions."""
    matrix = np.zeros((len(probabilities) + 1, len(probabilities)), np.int64)
    matrix[label, probabilities.argmax()] = 1  # label -1 is the last row
    return matrix


def _bins(label: int, probabilities: np.ndarray) -> np.ndarray:
    """float64 [3, bins]: count, confidence and hit, in the bin of the confidence."""
    bins = np.zeros((3, _BINS))
    confidence = float(probabilities.max())
    bins[:, min(int(confidence * _BINS), _BINS - 1)] = (
        1,
        confidence,
        probabilities.argmax() == label,
    )
    return bins


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros(len(numerator)), where=denominator > 0)


def _key(
    name: str, model_name: str, output_name: str, class_id: int | None = None
) -> tfma.metrics.MetricKey:
    sub_key = None if class_id is None else tfma.metrics.SubKey(class_id=class_id)
    return tfma.metrics.MetricKey(
        name, model_name=model_name, output_name=output_name, sub_key=sub_key
    )
