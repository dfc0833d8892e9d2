"""What a classifier is asked: the same texts, or pairs, through every signature."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
from models.config import DECISION
from models.export import TEXT, TEXT_PAIR


class ClassifierAsker:
    """Decisions and token ids must be equal, probabilities, numbers and embeddings within the tolerance.

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
        classifier = self._classifier
        names = [TEXT, TEXT_PAIR] if classifier.config.pairs else [TEXT]
        columns = {column: [text_of(row, column) for row in rows] for column in names}
        judge, form, judge_form = self._judges(classifier.answers(*columns.values()))
        asked: list[tuple[str, Mapping[str, Sequence], Callable[[Answer], Judgement]]] = [
            ("serving_text", columns, judge),
            ("serving_default", {"examples": rows}, judge),
            (form, {"inputs": rows}, judge_form),
        ]
        return [
            *(
                Question(f"{signature}, {name}", signature, inputs, columns[TEXT], judge)
                for signature, inputs, judge in asked
            ),
            embedding_question(classifier, name, columns, self._tolerance),
            token_question(classifier, name, columns, rows),
        ]

    def _judges(
        self, expected: dict[str, np.ndarray]
    ) -> tuple[Callable[[Answer], Judgement], str, Callable[[Answer], Judgement]]:
        """Of the answer; and of its Classify or Regress form, with that signature's name."""
        config, tolerance = self._classifier.config, self._tolerance
        if config.target is not None:
            values = expected["value"]
            allowed = tolerance * (config.target.deviation + np.abs(values))
            of_form = functools.partial(judge_values, values[:, None], allowed[:, None], "outputs")
            return functools.partial(judge_values, values, allowed, "value"), "regress", of_form
        held = config.classes, expected["probabilities"], tolerance
        judge = judge_several_classes if config.task == "multi_label" else judge_classes
        return (
            functools.partial(judge, *held),
            "classify",
            functools.partial(judge_scored_classes, *held),
        )


def judge_scored_classes(
    classes: Sequence[str], probabilities: np.ndarray, tolerance: float, answer: Answer
) -> Judgement:
    """Holds `classes` and `scores` of the Classify form, both [n, classes], against the training graph's.

    See `judge_classes`.
    """
    shape = probabilities.shape
    check_outputs(answer, {"scores": shape, "classes": shape})
    return _judge(classes, probabilities, tolerance, answer["classes"], answer["scores"])


def judge_values(
    expected: np.ndarray, allowed: np.ndarray, output: str, answer: Answer
) -> Judgement:
    """Holds a served regression's answer against the training graph's.

    Args:
        expected: float32 [n] or [n, 1].
        allowed: float, likewise: largest absolute differences that still agree.
        output: the answer's name: "value" or, in the Regress form, "outputs".
        answer: numbers of the same shape.

    Raises:
        UnusableAnswer: the output is missing or has another shape.
    """
    check_outputs(answer, {output: expected.shape})
    served = answer[output].astype(np.float64).ravel()
    own, bounds = expected.ravel(), allowed.ravel()
    differences = np.abs(served - own)
    problems = [
        None
        if difference <= bound  # false for NaN too
        else f"{output} is {number:.7g}, the training graph's is {known:.7g} (difference {difference:.3g}, "
        f"allowed {bound:.3g})"
        for number, known, difference, bound in zip(served, own, differences, bounds, strict=True)
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
    return _judge_answer(
        classes, probabilities, tolerance, answer, answer["is_answer"], _decision_problem
    )


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
    return _judge_answer(classes, probabilities, tolerance, answer, answer["label"], _label_problem)


def _judge_answer(
    classes: Sequence[str],
    probabilities: np.ndarray,
    tolerance: float,
    answer: Answer,
    decisions: np.ndarray,
    problem_of: Callable[[Sequence[str], np.ndarray, Any, float], str | None],
) -> Judgement:
    """Probabilities, and what the model decided by them."""
    judgement = _judge(
        classes, probabilities, tolerance, answer["classes"], answer["probabilities"]
    )
    problems = [
        problem or problem_of(classes, row, decided, tolerance)
        for problem, row, decided in zip(judgement.problems, probabilities, decisions, strict=True)
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
