"""What a classifier is asked: the same texts through every signature."""

import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from components.serving_validator.questions import (
    Answer,
    Judgement,
    Question,
    check_outputs,
    text_of,
)
from components.serving_validator.signature_questions import embedding_question, token_question
from models.classifier import TextClassifier


class ClassifierAsker:
    """Labels and token ids must be equal, probabilities and embeddings within the tolerance.

    Args:
        folder: of `TextClassifier.save`.
        tolerance: largest absolute difference of a probability that still agrees.
    """

    def __init__(self, folder: str, tolerance: float):
        self._classifier = TextClassifier.load(folder)
        self._tolerance = tolerance

    def questions(self, name: str, rows: Sequence[bytes]) -> list[Question]:
        """See Asker.questions."""
        texts = [text_of(row) for row in rows]
        inputs = {"text": texts}
        classifier, tolerance = self._classifier, self._tolerance
        probabilities = classifier.probabilities(texts)
        judge = functools.partial(judge_classes, classifier.classes, probabilities, tolerance)
        judge_scores = functools.partial(
            judge_scored_classes, classifier.classes, probabilities, tolerance
        )
        asked: list[tuple[str, Mapping[str, Sequence], Callable[[Answer], Judgement]]] = [
            ("serving_text", inputs, judge),
            ("serving_default", {"examples": rows}, judge),
            ("classify", {"inputs": rows}, judge_scores),
        ]
        return [
            *(
                Question(f"{signature}, {name}", signature, inputs, texts, judge)
                for signature, inputs, judge in asked
            ),
            embedding_question(classifier, name, inputs, tolerance),
            token_question(classifier, name, inputs, rows),
        ]


def judge_scored_classes(
    classes: Sequence[str], probabilities: np.ndarray, tolerance: float, answer: Answer
) -> Judgement:
    """Holds `classes` and `scores` of the Classify form, both [n, classes], against the training graph's.

    See `judge_classes`.
    """
    shape = probabilities.shape
    check_outputs(answer, {"scores": shape, "classes": shape})
    return _judge(classes, probabilities, tolerance, answer["classes"], answer["scores"])


def judge_classes(
    classes: Sequence[str], probabilities: np.ndarray, tolerance: float, answer: Answer
) -> Judgement:
    """Holds a served classifier's answer against the training graph's.

    Args:
        classes: class names by id.
        probabilities: float32 [n, classes], the training graph's.
        tolerance: largest absolute difference of a probability that still agrees.
        answer: label [n], probabilities [n, classes], classes [n, classes].

    Raises:
        UnusableAnswer: an output is missing or has another shape.
    """
    n, size = probabilities.shape
    check_outputs(answer, {"label": (n,), "probabilities": (n, size), "classes": (n, size)})
    judgement = _judge(
        classes, probabilities, tolerance, answer["classes"], answer["probabilities"]
    )
    problems = [
        problem or _label_problem(classes, row, label, tolerance)
        for problem, row, label in zip(
            judgement.problems, probabilities, answer["label"], strict=True
        )
    ]
    return Judgement(problems, judgement.largest_difference)


def _judge(
    classes: Sequence[str],
    probabilities: np.ndarray,
    tolerance: float,
    answered: np.ndarray,
    scores: np.ndarray,
) -> Judgement:
    differences = np.abs(scores.astype(np.float64) - probabilities)
    problems = [
        _class_problem(list(classes), answered[i].tolist())
        or _probability_problem(classes, probabilities[i], scores[i], differences[i], tolerance)
        for i in range(len(probabilities))
    ]
    return Judgement(problems, float(np.max(differences, initial=0.0)))


def _class_problem(expected: list[str], answered: list[str]) -> str | None:
    if answered == expected:
        return None
    return f"classes are {answered}, the training graph's are {expected}"


def _probability_problem(
    classes: Sequence[str],
    expected: np.ndarray,
    served: np.ndarray,
    differences: np.ndarray,
    tolerance: float,
) -> str | None:
    if np.all(differences <= tolerance):  # false for NaN too
        return None
    worst = int(np.argmax(np.nan_to_num(differences, nan=np.inf)))
    return (
        f"probability of {classes[worst]!r} is {served[worst]:.7g}, the training graph's is "
        f"{expected[worst]:.7g} (difference {differences[worst]:.3g}, allowed {tolerance:g})"
    )


def _label_problem(
    classes: Sequence[str], expected: np.ndarray, label: str, tolerance: float
) -> str | None:
    """Any class whose probability is, within the tolerance, the highest is a right label."""
    highest = expected >= expected.max() - tolerance
    right = [name for name, high in zip(classes, highest, strict=True) if high]
    if label in right:
        return None
    return f"label is {label!r}, the training graph's is {' or '.join(map(repr, right))}"
