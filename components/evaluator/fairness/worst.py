"""The examples that a rule shows when it is not met."""

import numpy as np

from components.evaluator.fairness.gaps import decided
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import WorstExample

_WORST = 20
_LEAST = 1e-12  # a probability of 0 has no finite loss
_UNSEEN = "(not among the training labels)"


def of_highest_loss(predictions: Predictions, rows: np.ndarray) -> tuple[WorstExample, ...]:
    """Of the examples `rows`, int [m], the 20 of the highest loss."""
    losses = _losses(predictions.where(rows))
    return worst_examples(predictions, rows[np.argsort(-losses, kind="stable")])


def worst_examples(predictions: Predictions, rows: np.ndarray) -> tuple[WorstExample, ...]:
    """The first 20 of the examples `rows`, int [m], in their order; losses in nats."""
    chosen = predictions.where(rows[:_WORST])
    is_single_label = chosen.task == "single_label"
    said, losses = decided(is_single_label, chosen.scores), _losses(chosen)
    confidences = np.maximum(chosen.scores, 0 if is_single_label else 1 - chosen.scores)
    confidence = confidences.max(axis=1) if is_single_label else confidences.min(axis=1)
    return tuple(
        WorstExample(
            key=str(chosen.keys[i]),
            text=str(chosen.texts[i]),
            label=_names(chosen.classes, _truth(chosen)[i]) or _UNSEEN * is_single_label,
            predicted=_names(chosen.classes, said[i]),
            confidence=float(confidence[i]),
            loss=float(losses[i]),
        )
        for i in range(len(chosen))
    )


def _truth(predictions: Predictions) -> np.ndarray:
    if predictions.task == "multi_label":
        return predictions.labels.astype(bool)
    return predictions.labels[:, np.newaxis] == np.arange(len(predictions.classes))


def _losses(predictions: Predictions) -> np.ndarray:
    """Cross-entropy, of multi-label examples summed over the classes, float [n]."""
    truth, scores = _truth(predictions), predictions.scores.astype(float)
    if predictions.task == "single_label":
        return -np.log(np.maximum((truth * scores).sum(axis=1), _LEAST))
    given = np.where(truth, scores, 1 - scores)
    return -np.log(np.maximum(given, _LEAST)).sum(axis=1)


def _names(classes: tuple[str, ...], said: np.ndarray) -> str:
    return ", ".join(name for name, is_said in zip(classes, said, strict=True) if is_said)
