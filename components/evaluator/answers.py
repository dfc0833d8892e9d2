"""What a model answered to each example, and how far it was off."""

import dataclasses

import numpy as np

from components.evaluator.predictions import Predictions
from components.evaluator.verdict import WorstExample
from models.config import DECISION

_LEAST = 1e-7  # probability taken for a smaller one, as Keras does, so that a loss is finite
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Answers:
    """Of each example; of a regression, only `losses` are known.

    Attributes:
        predicted: int [n] class ids (single_label; -1: the scores are not finite), bool [n, classes]
            (multi_label), float [n] (regression).
        hits: bool [n], whether the whole answer is right; of a regression always False.
        confidence: float [n] probability of the answer (multi_label: mean over the classes).
        losses: float [n] cross-entropy in nats (multi_label: mean over the classes) or absolute error; NaN
            where a score is not finite.
    """

    predicted: np.ndarray
    hits: np.ndarray
    confidence: np.ndarray
    losses: np.ndarray


def answers(predictions: Predictions) -> Answers:
    """The answers in the examples' order."""
    if predictions.task == "regression":
        return _values(predictions)
    return (_one_class if predictions.task == "single_label" else _some_classes)(predictions)


def _one_class(predictions: Predictions) -> Answers:
    scores, labels = predictions.scores, predictions.labels
    finite = np.isfinite(scores).all(1)
    n = len(predictions)
    predicted = np.where(finite, scores.argmax(1) if n else 0, -1)
    own = np.where(labels >= 0, scores[np.arange(n), labels], 0.0)
    losses = np.where(finite, -np.log(np.clip(own, _LEAST, 1)), np.nan)
    confidence = scores.max(1) if n else np.zeros(0)
    return Answers(predicted, (predicted == labels) & finite, confidence, losses)


def _some_classes(predictions: Predictions) -> Answers:
    scores, labels = predictions.scores, predictions.labels.astype(bool)
    finite = np.isfinite(scores).all(1)
    predicted = scores >= DECISION
    own = np.where(labels, scores, 1 - scores)
    losses = -np.log(np.clip(own, _LEAST, 1)).mean(1)
    confidence = np.maximum(scores, 1 - scores).mean(1)
    return Answers(predicted, (predicted == labels).all(1) & finite, confidence, losses)


def _values(predictions: Predictions) -> Answers:
    predicted = predictions.scores[:, 0]
    n = len(predictions)
    losses = np.abs(predicted - predictions.labels)
    return Answers(predicted, np.zeros(n, bool), np.full(n, np.nan), losses)


def worst_first(losses: np.ndarray) -> np.ndarray:
    """Int [n] indices by falling loss, what is no number first; equal losses in the examples' order."""
    return np.argsort(-np.nan_to_num(losses, nan=np.inf, posinf=np.inf), kind="stable")


def shown(predictions: Predictions, given: Answers, rows: np.ndarray) -> tuple[WorstExample, ...]:
    """The first 20 of some examples, for people.

    Args:
        predictions: of all examples.
        given: their answers.
        rows: int [m], which, in this order.
    """
    return tuple(_example(predictions, given, int(row)) for row in rows[:_SHOWN])


def _example(predictions: Predictions, given: Answers, row: int) -> WorstExample:
    label, predicted = predictions.labels[row], given.predicted[row]
    if predictions.task == "single_label":
        known = "label" in predictions.features
        names = (
            predictions.features["label"][row] if known else _class(predictions, label),
            _class(predictions, predicted),
        )
    elif predictions.task == "multi_label":
        classes = np.array(predictions.classes, object)
        names = ", ".join(classes[label.astype(bool)]), ", ".join(classes[predicted])
    else:
        names = f"{label:g}", f"{predicted:g}"
    return WorstExample(
        key=predictions.keys[row],
        text=predictions.full_texts[row],
        label=names[0],
        predicted=names[1],
        confidence=_number(given.confidence[row]),
        loss=_number(given.losses[row]),
    )


def _class(predictions: Predictions, class_id: int) -> str:
    return predictions.classes[class_id] if class_id >= 0 else ""


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
