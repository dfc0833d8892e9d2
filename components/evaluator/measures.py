"""All metrics of a set of predictions, on the whole and on slices."""

import numpy as np

from components.evaluator.answers import Answers, answers
from components.evaluator.classification import classification_metrics
from components.evaluator.multi_label import multi_label_metrics
from components.evaluator.predictions import VALUE_SEPARATOR, Predictions
from components.evaluator.regression import regression_metrics
from components.evaluator.verdict import OVERALL, Estimate, SliceResult

_METRICS = {
    "single_label": classification_metrics,
    "multi_label": multi_label_metrics,
    "regression": regression_metrics,
}
METHOD = (
    "95 % intervals: shares (accuracy, precision, recall) by Wilson's score, means by Student's t, areas "
    "under the curve by DeLong, Spearman by Fisher's z, all others by 1,000 bootstrap samples of the "
    "examples (bias-corrected percentiles)"
)


def measure(predictions: Predictions, given: Answers | None = None) -> dict[str, Estimate]:
    """Every metric of the predictions' task, by name.

    Args:
        predictions: on some examples; of none, all that is asked for is unknown, so that nothing is given.
        given: their answers, if they are known already.
    """
    if not len(predictions):
        return {}
    return _METRICS[predictions.task](predictions, given or answers(predictions))


def slice_rows(predictions: Predictions, features: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The examples of each slice: int [m] by "feature=value", features in this order, values sorted.

    An example that has several values of a feature is in several slices, one that has none in none.
    """
    found: dict[str, np.ndarray] = {}
    for feature in features:
        rows: dict[str, list[int]] = {}
        for row, values in enumerate(predictions.features.get(feature, ())):
            for value in set(values.split(VALUE_SEPARATOR)) - {""}:
                rows.setdefault(value, []).append(row)
        found |= {f"{feature}={value}": np.array(rows[value]) for value in sorted(rows)}
    return found


def measure_slices(
    predictions: Predictions, rows: dict[str, np.ndarray], min_examples: int
) -> tuple[SliceResult, ...]:
    """The metrics of all examples, and of each slice.

    Args:
        predictions: of all examples.
        rows: of `slice_rows`.
        min_examples: a slice of fewer only informs.
    """
    found = [
        SliceResult(
            slice=OVERALL,
            examples=len(predictions),
            informs_only=False,
            metrics=measure(predictions),
        )
    ]
    for name, inside in rows.items():
        metrics = measure(predictions.where(inside))
        found.append(
            SliceResult(
                slice=name,
                examples=len(inside),
                informs_only=len(inside) < min_examples,
                metrics=metrics,
            )
        )
    return tuple(found)
