"""Whether confidence means what it says, and what is gained by trusting only the surest answers."""

import numpy as np

from components.evaluator.answers import Answers
from components.evaluator.intervals import bootstrap, proportion
from components.evaluator.verdict import CalibrationBin, CoveragePoint, Estimate

BINS = 15
_COVERAGES = (1.0, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


def bin_of(confidence: np.ndarray) -> np.ndarray:
    """Int, the equal bin that each confidence falls into, the last for what is no number."""
    finite = np.nan_to_num(confidence, nan=1.0)
    return np.clip((finite * BINS).astype(int), 0, BINS - 1)


def confidence_bins(confidence: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Float [n, bins]: each example's confidence minus outcome, in its confidence's bin."""
    bins = np.zeros((len(confidence), BINS))
    bins[np.arange(len(confidence)), bin_of(confidence)] = gap
    return bins


def calibration_error(bins: np.ndarray, seed: int = 0) -> Estimate:
    """Mean gap between confidence and accuracy over equal bins (arXiv 1706.04599, section 3).

    A mean of absolute values: of a well calibrated model it is above the truth by chance alone, and so is its
    bootstrap interval. A maximum set for it errs on the strict side; `overconfidence` has no such bias.

    Args:
        bins: float [n, bins] of `confidence_bins`.
        seed: of the bootstrap.
    """
    return bootstrap(
        lambda weights: np.abs(weights @ bins).sum(1) / np.maximum(weights.sum(1), 1),
        len(bins),
        seed,
    )


def reliability(answers: Answers) -> tuple[CalibrationBin, ...]:
    """The bins of the reliability diagram that have examples; of answers that are numbers."""
    inside = np.where(np.isfinite(answers.confidence), bin_of(answers.confidence), -1)
    found = []
    for number in np.unique(inside[inside >= 0]):
        own = inside == number
        found.append(
            CalibrationBin(
                confidence=float(answers.confidence[own].mean()),
                accuracy=proportion(int(answers.hits[own].sum()), int(own.sum())),
                examples=int(own.sum()),
            )
        )
    return tuple(found)


def coverage(answers: Answers) -> tuple[CoveragePoint, ...]:
    """Accuracy on the surest share of the answers that are numbers, from all of them down to a tenth."""
    order = np.argsort(-answers.confidence, kind="stable")  # what is no number comes last
    order = order[: np.isfinite(answers.confidence).sum()]
    points, hits = [], answers.hits[order].cumsum()
    for share in _COVERAGES if len(order) else ():
        kept = max(1, round(share * len(order)))
        points.append(
            CoveragePoint(
                coverage=kept / len(order),
                accuracy=proportion(int(hits[kept - 1]), kept),
                min_confidence=float(answers.confidence[order[kept - 1]]),
            )
        )
    return tuple(points)
