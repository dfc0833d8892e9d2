"""The outcome of asking a question one way."""

import dataclasses
import math
from collections.abc import Sequence

from components.serving_validator.questions import Answer, Question, UnusableAnswer

_EXCERPT = 60


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """One text whose answer is not the model's own.

    Attributes:
        path: which way the server was asked, e.g. "REST serving_text, eval rows".
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
        largest_difference: of any number; None if there was none to compare, or it is no number.
        mismatches: empty if all agree.
    """

    path: str
    texts: int
    largest_difference: float | None
    mismatches: list[Mismatch]


def compare(path: str, question: Question, answer: Answer) -> Comparison:
    """Holds a server's answer against the model's own.

    Args:
        path: which way the server was asked, for the report.
        question: what it was asked.
        answer: the signature's outputs.
    """
    try:
        judgement = question.judge(answer)
    except UnusableAnswer as error:
        return failed(path, question.texts, str(error))
    mismatches = [
        Mismatch(path, text[:_EXCERPT], problem)
        for text, problem in zip(question.texts, judgement.problems, strict=True)
        if problem
    ]
    largest = judgement.largest_difference
    if largest is not None and not math.isfinite(largest):
        largest = None
    return Comparison(path, len(question.texts), largest, mismatches)


def failed(path: str, texts: Sequence[str], problem: str) -> Comparison:
    """The outcome where there is no answer to compare."""
    return Comparison(path, len(texts), None, [Mismatch(path, "(all)", problem)])
