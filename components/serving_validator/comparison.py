"""Compares a server's answers with the training graph's."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

_EXCERPT = 60


@dataclasses.dataclass(frozen=True)
class Expected:
    """The training graph's own answer.

    Attributes:
        classes: class names by id.
        probabilities: float32 [n, classes].
    """

    classes: list[str]
    probabilities: np.ndarray


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """One text whose answer is not the training graph's.

    Attributes:
        path: which way the server was asked, e.g. "REST serving_text".
        text: the text's beginning.
        problem: a sentence with the figures.
    """

    path: str
    text: str
    problem: str

    def __str__(self) -> str:
        return f"{self.path}, text {self.text!r}: {self.problem}"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The outcome of one way to ask.

    Attributes:
        path: which way.
        texts: how many were compared.
        largest_difference: of any probability; None if there was none to compare, or it is no
            number.
        mismatches: empty if all agree.
    """

    path: str
    texts: int
    largest_difference: float | None
    mismatches: list[Mismatch]


def compare(
    path: str,
    texts: Sequence[str],
    expected: Expected,
    answer: Mapping[str, np.ndarray],
    tolerance: float,
) -> Comparison:
    """Holds a server's answer against the training graph's.

    Args:
        path: which way the server was asked, for the report.
        texts: n texts.
        expected: the training graph's answer to them.
        answer: the signature's outputs: label [n], probabilities [n, classes], classes
            [n, classes].
        tolerance: largest absolute difference of a probability that still agrees.
    """
    problem = _shape_problem(expected, answer)
    if problem:
        return failed(path, texts, problem)
    differences = np.abs(answer["probabilities"].astype(np.float64) - expected.probabilities)
    mismatches = []
    for i, text in enumerate(texts):
        problem = _class_problem(expected.classes, answer["classes"][i].tolist())
        problem = problem or _probability_problem(expected, answer, differences, i, tolerance)
        problem = problem or _label_problem(expected, answer["label"][i], i, tolerance)
        if problem:
            mismatches.append(Mismatch(path, text[:_EXCERPT], problem))
    largest = float(np.max(differences, initial=0.0))
    return Comparison(path, len(texts), largest if math.isfinite(largest) else None, mismatches)


def failed(path: str, texts: Sequence[str], problem: str) -> Comparison:
    """The outcome where there is no answer to compare."""
    return Comparison(path, len(texts), None, [Mismatch(path, "(all)", problem)])


def _shape_problem(expected: Expected, answer: Mapping[str, np.ndarray]) -> str | None:
    n, classes = expected.probabilities.shape
    for name, shape in (
        ("label", (n,)),
        ("probabilities", (n, classes)),
        ("classes", (n, classes)),
    ):
        if name not in answer:
            return f"the answer has no output {name!r}, only {sorted(answer)}"
        if answer[name].shape != shape:
            return f"output {name!r} has shape {answer[name].shape}, expected {shape}"
    return None


def _class_problem(expected: list[str], answered: list[str]) -> str | None:
    if answered == expected:
        return None
    return f"classes are {answered}, the training graph's are {expected}"


def _probability_problem(
    expected: Expected,
    answer: Mapping[str, np.ndarray],
    differences: np.ndarray,
    row: int,
    tolerance: float,
) -> str | None:
    if np.all(differences[row] <= tolerance):  # false for NaN too
        return None
    worst = int(np.argmax(np.nan_to_num(differences[row], nan=np.inf)))
    return (
        f"probability of {expected.classes[worst]!r} is {answer['probabilities'][row, worst]:.7g}, "
        f"the training graph's is {expected.probabilities[row, worst]:.7g} "
        f"(difference {differences[row, worst]:.3g}, allowed {tolerance:g})"
    )


def _label_problem(expected: Expected, label: str, row: int, tolerance: float) -> str | None:
    """Any class whose probability is, within the tolerance, the highest is a right label."""
    probabilities = expected.probabilities[row]
    highest = probabilities >= probabilities.max() - tolerance
    right = [name for name, high in zip(expected.classes, highest, strict=True) if high]
    if label in right:
        return None
    return f"label is {label!r}, the training graph's is {' or '.join(map(repr, right))}"
