"""Metrics of multi-label answers, each with its interval."""

import numpy as np

from components.evaluator import names
from components.evaluator.answers import Answers
from components.evaluator.calibration import BINS, bin_of, calibration_error
from components.evaluator.intervals import bootstraps, mean, proportion
from components.evaluator.predictions import Predictions
from components.evaluator.ranking import areas_under_curve, average_precision
from components.evaluator.verdict import Estimate


def multi_label_metrics(
    predictions: Predictions, answers: Answers, seed: int = 0
) -> dict[str, Estimate]:
    """Metrics of whole answers and of all classes together, and of each class that occurs as a label.

    `accuracy` is the share of examples with every class right. It, precision and recall have Wilson's
    interval; the Hamming loss and the cross-entropy (both a mean over the classes) Student's; the F1s, the
    mean average precision (over the classes that occur) and the calibration error (of each class's
    probability) a bootstrap's; areas under the curve DeLong's.
    """
    labels, predicted = predictions.labels.astype(bool), answers.predicted
    scores, n = predictions.scores, len(predictions)
    occurring = np.flatnonzero(labels.any(0))
    ranked = np.nan_to_num(scores, nan=0.0)
    right, wrong = (labels & predicted).astype(float), (labels ^ predicted).astype(float)

    def statistics(weights: np.ndarray) -> np.ndarray:
        true, false = weights @ right, weights @ wrong
        by_class = _f1(true, false)[:, occurring]
        precision = np.empty_like(by_class)
        for column, c in enumerate(occurring):
            precision[:, column] = average_precision(ranked[:, c], labels[:, c], weights)
        return np.column_stack(
            [
                _f1(true.sum(1), false.sum(1)),
                _mean_of_numbers(by_class),
                _mean_of_numbers(precision),
                by_class,
            ]
        )

    micro, macro, precision, *by_class = bootstraps(statistics, n, seed)
    areas, macro_area = areas_under_curve(scores, labels[:, occurring], occurring)
    found = {
        names.ACCURACY: proportion(int(answers.hits.sum()), n),
        names.HAMMING_LOSS: mean(wrong.mean(1)),
        names.CROSS_ENTROPY: mean(answers.losses),
        names.CALIBRATION_ERROR: calibration_error(_bins(scores, labels), seed),
        names.MICRO_F1: micro,
        names.MACRO_F1: macro,
        names.AVERAGE_PRECISION: precision,
        names.MACRO_AUC: macro_area,
    }
    for class_id, f1, area in zip(occurring, by_class, areas, strict=True):
        name, hits = predictions.classes[class_id], int(right[:, class_id].sum())
        found[names.of_class(names.PRECISION, name)] = proportion(
            hits, int(predicted[:, class_id].sum())
        )
        found[names.of_class(names.RECALL, name)] = proportion(hits, int(labels[:, class_id].sum()))
        found[names.of_class(names.F1, name)] = f1
        found[names.of_class(names.AUC, name)] = area
    return found


def _f1(true: np.ndarray, false: np.ndarray) -> np.ndarray:
    """2 TP / (2 TP + FP + FN), 0 where a class neither occurs nor is predicted."""
    total = 2 * true + false
    return np.divide(2 * true, total, out=np.zeros_like(total), where=total > 0)


def _mean_of_numbers(values: np.ndarray) -> np.ndarray:
    """Float [r], each row's mean without what is no number; NaN if nothing is left."""
    known = np.isfinite(values)
    sums, counts = np.where(known, values, 0.0).sum(1), known.sum(1)
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)


def _bins(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Float [n, bins]: the mean over the classes of probability minus outcome, in the probability's bin."""
    n, classes = scores.shape
    bins = np.zeros((n, BINS))
    np.add.at(bins, (np.arange(n)[:, None], bin_of(scores)), (scores - labels) / max(classes, 1))
    return bins
