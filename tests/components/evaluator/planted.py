"""Predictions with known properties."""

import numpy as np

from components.evaluator.predictions import Predictions

CLASSES = ("heart", "lung", "skin")


def strings(values) -> np.ndarray:
    return np.array(list(values), object)


def single_label(labels, predicted, classes=CLASSES, confidence=0.8, **features) -> Predictions:
    """Answers of one confidence, float or float [n]; labels and answers are class ids."""
    labels, predicted = np.array(labels, int), np.array(predicted, int)
    n, k = len(labels), len(classes)
    confidence = np.broadcast_to(np.asarray(confidence, float), n)
    scores = np.repeat((1 - confidence)[:, None] / max(k - 1, 1), k, axis=1)
    scores[np.arange(n), predicted] = confidence
    names = [classes[label] if label >= 0 else "unheard of" for label in labels]
    return Predictions(
        task="single_label",
        classes=tuple(classes),
        keys=strings(f"k{i:05}" for i in range(n)),
        texts=strings(f"text {i}" for i in range(n)),
        labels=labels,
        scores=scores,
        features={"label": strings(names), **{k: strings(v) for k, v in features.items()}},
    )


def with_errors(n: int, errors, **others) -> Predictions:
    """Labels in turn; the answers of the rows in `errors` are wrong."""
    labels = np.arange(n) % 3
    predicted = labels.copy()
    predicted[list(errors)] = (predicted[list(errors)] + 1) % 3
    return single_label(labels, predicted, **others)


def random_single_label(n=300, classes=5, seed=0, power=1.5) -> Predictions:
    """Noisy scores; the last class is never a label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes - 1, n)
    logits = rng.normal(size=(n, classes)) + power * np.eye(classes)[labels]
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = single_label(labels, scores.argmax(1), [f"c{i}" for i in range(classes)])
    return Predictions(**{**vars(found), "scores": scores})


def random_multi_label(n=300, classes=4, seed=0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.random((n, classes)) < np.linspace(0.1, 0.5, classes)
    scores = 1 / (1 + np.exp(-(rng.normal(size=labels.shape) + 3.0 * labels - 1.5)))
    return Predictions(
        task="multi_label",
        classes=tuple(f"c{i}" for i in range(classes)),
        keys=strings(f"k{i:05}" for i in range(n)),
        texts=strings(f"text {i}" for i in range(n)),
        labels=labels,
        scores=scores.round(2),  # so that there are ties
        features={"site": strings("ab"[i % 2] for i in range(n))},
    )


def random_regression(n=200, seed=0, noise=0.5) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=n)
    return Predictions(
        task="regression",
        classes=("value",),
        keys=strings(f"k{i:05}" for i in range(n)),
        texts=strings(f"text {i}" for i in range(n)),
        labels=labels,
        scores=(labels + rng.normal(0, noise, n))[:, None],
        features={},
    )
