"""What a classifier is asked: the same texts, or pairs, as raw text and as tf.Example."""

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
from models.classifier import TextClassifier
from models.config import DECISION
from models.export import TEXT, TEXT_PAIR


class ClassifierAsker:
    """Decisions must be equal, and probabilities within the tolerance.

    Args:
        folder: of `TextClassifier.save`.
        tolerance: largest absolute difference of a probability that still agrees; of a number, relative to
            its size and the labels' deviation.
    """

    def __init__(self, folder: str, tolerance: float):
        self._classifier = TextClassifier.load(folder)
        self._tolerance = tolerance

    def questions(self, name: str, rows: Sequence[bytes]) -> list[Question]:
        """See Asker.questions."""
        names = [TEXT, TEXT_PAIR] if self._classifier.config.pairs else [TEXT]
        columns = {column: [text_of(row, column) for row in rows] for column in names}
        judge = self._judge(self._classifier.answers(*columns.values()))
        ways: tuple[tuple[str, Mapping[str, Sequence]], ...] = (
            ("serving_text", columns),
            ("serving_default", {"examples": rows}),
        )
        return [
            Question(f"{signature}, {name}", signature, inputs, columns[TEXT], judge)
            for signature, inputs in ways
        ]

    def _judge(self, expected: dict[str, np.ndarray]) -> Callable[[Answer], Judgement]:
        """Holds an answer against the training graph's."""
        config = self._classifier.config
        if config.target is not None:
            allowed = self._tolerance * (config.target.deviation + np.abs(expected["value"]))
            return functools.partial(judge_values, expected["value"], allowed)
        judge = judge_several_classes if config.task == "multi_label" else judge_classes
        return functools.partial(judge, config.classes, expected["probabilities"], self._tolerance)


def judge_values(expected: np.ndarray, allowed: np.ndarray, answer: Answer) -> Judgement:
    """Holds a served regression's answer against the training graph's.

    Args:
        expected: float32 [n].
        allowed: float [n], largest absolute differences that still agree.
        answer: value [n].

    Raises:
        UnusableAnswer: the output is missing or has another shape.
    """
    check_outputs(answer, {"value": expected.shape})
    differences = np.abs(answer["value"].astype(np.float64) - expected)
    problems = [
        None
        if difference <= bound  # false for NaN too
        else f"value is {served:.7g}, the training graph's is {own:.7g} (difference {difference:.3g}, "
        f"allowed {bound:.3g})"
        for served, own, difference, bound in zip(
            answer["value"], expected, differences, allowed, strict=True
        )
    ]
    return Judgement(problems, float(np.max(differences, initial=0.0)))


def judge_several_classes(
    classes: Sequence[str], probabilities: np.ndarray, tolerance: float, answer: Answer
) -> Judgement:
    """The same for an answer of any number of classes; see `judge_classes`.

    Args:
        classes: class names by id.
        probabilities: float32 [n, classes], the training graph's.
        tolerance: largest absolute difference of a probability that still agrees.
        answer: probabilities, classes and is_answer, [n, classes] each.

    Raises:
        UnusableAnswer: an output is missing or has another shape.
    """
    names = ("probabilities", "classes", "is_answer")
    check_outputs(answer, dict.fromkeys(names, probabilities.shape))
    differences = np.abs(answer["probabilities"].astype(np.float64) - probabilities)
    problems = []
    for i, served in enumerate(answer["probabilities"]):
        problems.append(
            _class_problem(list(classes), answer["classes"][i].tolist())
            or _probability_problem(classes, probabilities[i], served, differences[i], tolerance)
            or _decision_problem(classes, probabilities[i], answer["is_answer"][i], tolerance)
        )
    return Judgement(problems, float(np.max(differences, initial=0.0)))


def _decision_problem(
    classes: Sequence[str], expected: np.ndarray, decided: np.ndarray, tolerance: float
) -> str | None:
    """A class whose probability is, within the tolerance, 1/2 may be decided either way."""
    wrong = (decided.astype(bool) != (expected >= DECISION)) & (
        np.abs(expected - DECISION) > tolerance
    )
    if not wrong.any():
        return None
    first = int(np.argmax(wrong))
    return (
        f"is_answer of {classes[first]!r} is {bool(decided[first])}, the training graph's probability is "
        f"{expected[first]:.7g}"
    )


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
    differences = np.abs(answer["probabilities"].astype(np.float64) - probabilities)
    problems = []
    for i, (label, served) in enumerate(zip(answer["label"], answer["probabilities"], strict=True)):
        problems.append(
            _class_problem(list(classes), answer["classes"][i].tolist())
            or _probability_problem(classes, probabilities[i], served, differences[i], tolerance)
            or _label_problem(classes, probabilities[i], label, tolerance)
        )
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
