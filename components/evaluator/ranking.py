"""How well scores put the right examples first."""

import math

import numpy as np
from scipy import stats

from components.evaluator.intervals import UNKNOWN, mean, proportion
from components.evaluator.verdict import Estimate


def areas_under_curve(
    scores: np.ndarray, is_class: np.ndarray, columns: np.ndarray
) -> tuple[list[Estimate], Estimate]:
    """Area under the ROC curve of classes, each against the rest, and the mean over the classes.

    Variances are DeLong's (1988, Biometrics 44:837), computed from midranks (Sun and Xu 2014, IEEE Signal
    Processing Letters 21:1389); the interval is made on the scale of the log-odds, so that it stays within
    0 and 1. A perfect order shows no variance: it gets Wilson's interval for as many hits as the rarer side
    has examples.

    Args:
        scores: float [n, classes].
        is_class: bool [n, m], whether an example is of each class asked for.
        columns: int [m], the classes' columns of `scores`.

    Returns:
        An estimate a class, unknown where all or none of the examples are of it, and that of the mean over
        the others.
    """
    found, influences, areas, rarer = [], [], [], [0]
    for column, own in zip(columns, is_class.T, strict=True):
        area, influence = _area(scores[:, column], own)
        rare = min(int(own.sum()), int((~own).sum()))
        found.append(_on_log_odds(area, influence, rare))
        if math.isfinite(area):
            areas.append(area)
            influences.append(influence)
            rarer.append(rare)
    if not areas:
        return found, UNKNOWN
    return found, _on_log_odds(float(np.mean(areas)), np.mean(influences, axis=0), max(rarer))


def _area(scores: np.ndarray, own: np.ndarray) -> tuple[float, np.ndarray]:
    """The area, and how much each example pulls it: float [n] of mean 0, whose variance / n is the area's."""
    n, positives = len(own), int(own.sum())
    if positives in (0, n) or not np.isfinite(scores).all():
        return math.nan, np.zeros(n)
    ranks, above = (
        stats.rankdata(scores),
        np.empty(n),
    )  # above: share of the other kind on the right side
    above[own] = (ranks[own] - stats.rankdata(scores[own])) / (n - positives)
    above[~own] = 1 - (ranks[~own] - stats.rankdata(scores[~own])) / positives
    area = float(above[own].mean())
    return area, (above - area) * np.where(own, n / positives, n / (n - positives))


def _on_log_odds(area: float, influence: np.ndarray, rare: int) -> Estimate:
    if not math.isfinite(area):
        return UNKNOWN
    if area in (0, 1):
        return proportion(round(area * rare), rare)
    spread = mean(influence / (area * (1 - area)))
    if spread.low is None or spread.high is None:
        return UNKNOWN
    odds = math.log(area / (1 - area))
    low, high = (1 / (1 + math.exp(-odds - end)) for end in (spread.low, spread.high))
    return Estimate(value=area, low=low, high=high)


def average_precision(scores: np.ndarray, own: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of the precision at each example of a class, as scikit-learn's, without ties taken apart.

    Args:
        scores: float [n].
        own: bool [n], whether an example is of the class.
        weights: float [r, n], r samples of the examples.

    Returns:
        float [r], NaN for a sample without an example of the class.
    """
    order = np.argsort(-scores, kind="stable")
    sorted_scores, drawn = scores[order], weights[:, order]
    last = np.append(np.flatnonzero(np.diff(sorted_scores)), len(scores) - 1)  # of equal scores
    seen, right = drawn.cumsum(1)[:, last], (drawn * own[order]).cumsum(1)[:, last]
    precision = np.divide(right, seen, out=np.zeros_like(right), where=seen > 0)
    gained = np.diff(right, axis=1, prepend=0.0)
    total = right[:, -1]
    summed = (precision * gained).sum(1)
    return np.divide(summed, total, out=np.full_like(total, np.nan), where=total > 0)
