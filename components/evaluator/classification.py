"""Metrics of single-label answers, each with its interval."""

import numpy as np

from components.evaluator import names
from components.evaluator.answers import Answers
from components.evaluator.calibration import calibration_error, confidence_bins
from components.evaluator.intervals import UNKNOWN, bootstrap_counts, mean, proportion
from components.evaluator.predictions import Predictions
from components.evaluator.ranking import areas_under_curve
from components.evaluator.verdict import Estimate


def classification_metrics(
    predictions: Predictions, answers: Answers, seed: int = 0
) -> dict[str, Estimate]:
    """Metrics of all classes together, and of each class that occurs as a label.

    Accuracy, precision and recall have Wilson's interval; cross-entropy and overconfidence (confidence minus
    accuracy) Student's; the F1s and the calibration error a bootstrap's; areas under the curve DeLong's.
    """
    hits = answers.hits
    labels, predicted = predictions.labels, answers.predicted
    found = {
        names.ACCURACY: proportion(int(hits.sum()), len(hits)),
        names.CROSS_ENTROPY: mean(answers.losses),
        names.OVERCONFIDENCE: mean(answers.confidence - hits),
        names.CALIBRATION_ERROR: calibration_error(
            confidence_bins(answers.confidence, answers.confidence - hits), seed
        ),
    }
    occurring = np.unique(labels[labels >= 0])
    macro, by_class = f1_scores(labels, predicted, occurring, seed)
    areas, macro_area = areas_under_curve(
        predictions.scores, labels[:, None] == occurring, occurring
    )
    found |= {names.MACRO_F1: macro, names.MACRO_AUC: macro_area}
    for class_id, f1, area in zip(occurring, by_class, areas, strict=True):
        name = predictions.classes[class_id]
        is_class, said = labels == class_id, predicted == class_id
        right = int((is_class & said).sum())
        found[names.of_class(names.PRECISION, name)] = proportion(right, int(said.sum()))
        found[names.of_class(names.RECALL, name)] = proportion(right, int(is_class.sum()))
        found[names.of_class(names.F1, name)] = f1
        found[names.of_class(names.AUC, name)] = area
    return found


def f1_scores(
    labels: np.ndarray, predicted: np.ndarray, wanted: np.ndarray, seed: int = 0
) -> tuple[Estimate, list[Estimate]]:
    """F1 with bootstrap intervals.

    Args:
        labels: int [n]; -1 is no class.
        predicted: int [n], likewise.
        wanted: int [m] class ids.
        seed: of the drawing.

    Returns:
        Macro-F1, the mean over the classes that occur as label or as prediction (as scikit-learn's, with
        zero_division=0), and the F1 of each wanted class.
    """
    if not len(labels):
        return UNKNOWN, []
    cells, counts = np.unique(np.stack([labels, predicted]), axis=1, return_counts=True)
    classes = np.unique(cells[cells >= 0])
    is_label, is_predicted = (side[:, None] == classes for side in cells)
    true, either = (is_label & is_predicted).astype(float), is_label.astype(float) + is_predicted
    columns = np.searchsorted(classes, wanted)

    def scores(drawn: np.ndarray) -> np.ndarray:
        total = drawn @ either
        f1 = np.divide(2 * (drawn @ true), total, out=np.zeros_like(total), where=total > 0)
        occurs = np.maximum((total > 0).sum(1), 1)
        return np.column_stack([f1.sum(1) / occurs, f1[:, columns]])

    macro, *by_class = bootstrap_counts(scores, counts, seed)
    return macro, by_class
