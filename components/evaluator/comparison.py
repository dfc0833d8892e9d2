"""The candidate and another model on the same examples."""

import dataclasses

import numpy as np

from components.evaluator import names
from components.evaluator.answers import Answers, answers
from components.evaluator.intervals import mean, paired_difference, proportion
from components.evaluator.predictions import Predictions
from components.evaluator.sentences import comparison_sentence
from components.evaluator.verdict import Comparison

BLESSED, SVM, MAJORITY = "latest blessed model", "TF-IDF + linear SVM", "majority class"
RIDGE, MEAN = "TF-IDF + ridge", "mean of the train split"  # of numbers


@dataclasses.dataclass(frozen=True)
class Compared:
    """A comparison.

    Attributes:
        result: as the verdict holds it.
        examples: that both answered.
        lost: int [m], the candidate's rows on which the other was right, or nearer, and it was not.
    """

    result: Comparison
    examples: int
    lost: np.ndarray


def compare(predictions: Predictions, own: Answers, other: Predictions, against: str) -> Compared:
    """Compares accuracy, or, of numbers, the negative absolute error, on the examples that both answered.

    Each model is right or wrong by the classes' names: they may be others, or in another order.

    Args:
        predictions: the candidate's.
        own: its answers.
        other: another model's, on the same examples, found by their keys.
        against: the other's name.
    """
    rows, other_rows = _shared(predictions.keys, other.keys)
    theirs = answers(other)
    if predictions.task == "regression":
        metric, test = f"-{names.MAE}", "paired t"
        a, b = -own.losses[rows], -theirs.losses[other_rows]
        value = mean(b)
    else:
        metric, test = names.ACCURACY, "McNemar, exact"
        a, b = own.hits[rows], theirs.hits[other_rows]
        value = proportion(int(b.sum()), len(b))
    difference, p = paired_difference(a, b)
    result = Comparison(
        against=against,
        metric=metric,
        other=value,
        difference=difference,
        p_value=p if len(rows) else None,
        test=test,
        sentence=comparison_sentence(metric, against, value, difference, len(rows), p, test),
    )
    return Compared(result, len(rows), rows[a < b])


def _shared(keys: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Int [m] twice: the rows in each that hold the same keys."""
    place = {key: row for row, key in enumerate(other)}
    rows = np.array([row for row, key in enumerate(keys) if key in place], int)
    return rows, np.array([place[key] for key in keys[rows]], int)
