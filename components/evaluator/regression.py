"""Metrics of numbers, each with its interval."""

import math

import numpy as np
from scipy import stats

from components.evaluator import names
from components.evaluator.answers import Answers
from components.evaluator.intervals import UNKNOWN, bootstraps, mean
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Estimate

_Z = float(stats.norm.ppf(0.975))


def regression_metrics(
    predictions: Predictions, answers: Answers, seed: int = 0
) -> dict[str, Estimate]:
    """Absolute error (Student's interval), root of the mean square and R² (bootstrap), Spearman's rho."""
    labels, predicted = predictions.labels.astype(float), answers.predicted
    centred = labels - labels.mean() if len(labels) else labels
    sums = np.column_stack([(predicted - labels) ** 2, centred, centred**2])

    def statistics(weights: np.ndarray) -> np.ndarray:
        n = np.maximum(weights.sum(1), 1)
        square, label, label_square = (weights @ sums).T / n
        spread = label_square - label**2
        r2 = 1 - np.divide(square, spread, out=np.full_like(square, np.nan), where=spread > 0)
        return np.column_stack([np.sqrt(square), r2])

    rmse, r2 = bootstraps(statistics, len(labels), seed)
    return {
        names.MAE: mean(answers.losses),
        names.RMSE: rmse,
        names.R2: r2,
        names.SPEARMAN: spearman(labels, predicted),
    }


def spearman(labels: np.ndarray, predicted: np.ndarray) -> Estimate:
    """Rank correlation, with Fisher's z and the variance of Bonett and Wright (2000, Psychometrika 65:23).

    Args:
        labels: float [n].
        predicted: likewise. Fewer than 4 examples, or only equal values, tell nothing.
    """
    n = len(labels)
    if n < 4 or np.ptp(labels) == 0 or not np.ptp(predicted) > 0:
        return UNKNOWN
    rho = float(stats.spearmanr(labels, predicted).statistic)
    if not abs(rho) < 1:
        return Estimate(value=rho, low=None, high=None)
    half = _Z * math.sqrt((1 + rho**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(rho) + end) for end in (-half, half))
    return Estimate(value=rho, low=low, high=high)
