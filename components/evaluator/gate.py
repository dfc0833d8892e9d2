"""The decision: predictions and rules in, a verdict with its reasons out."""

import time
from collections.abc import Sequence

import numpy as np

from components.evaluator.answers import Answers, answers, shown, worst_first
from components.evaluator.calibration import coverage, reliability
from components.evaluator.comparison import BLESSED, Compared, compare
from components.evaluator.config import GateConfig
from components.evaluator.measures import METHOD, measure_slices, slice_rows
from components.evaluator.predictions import Predictions
from components.evaluator.rules import Rules
from components.evaluator.verdict import Confusion, Fairness, Rule, SliceResult, Verdict

_LARGEST_CONFUSION = 60  # classes; more than that nobody can look at


def judge(
    predictions: Predictions,
    gate: GateConfig,
    others: dict[str, Predictions],
    fairness: tuple[Fairness, tuple[Rule, ...]] | None = None,
) -> Verdict:
    """Measures, compares, and applies every rule of the gate.

    Args:
        predictions: the candidate's, on all test examples.
        gate: the rules.
        others: by name (`comparison.BLESSED` …), the predictions of other models on the same examples.
        fairness: what was found of groups, and the rules about them.
    """
    start = time.monotonic()
    own = answers(predictions)
    rows = slice_rows(predictions, gate.slices)
    slices = measure_slices(predictions, rows, gate.min_examples)
    measured = time.monotonic()
    compared = {name: compare(predictions, own, other, name) for name, other in others.items()}
    judged = Rules(predictions, own, gate, rows, {found.slice: found for found in slices})
    rules = (*judged.apply(compared), *(fairness[1] if fairness else ()))
    reasons = tuple(rule.sentence for rule in rules if rule.blocks and not rule.is_met)
    worst = worst_first(own.losses)
    is_classification = predictions.task != "regression"
    return Verdict(
        blessed=not reasons,
        reasons=reasons,
        notes=_notes(slices, gate, compared),
        task=predictions.task,
        method=METHOD,
        examples=len(predictions),
        rules=rules,
        comparisons=tuple(found.result for found in compared.values()),
        slices=slices,
        calibration=reliability(own) if predictions.task == "single_label" else (),
        coverage=coverage(own) if is_classification else (),
        confusion=_confusion(predictions, own) if predictions.task == "single_label" else None,
        fairness=fairness[0] if fairness else None,
        worst=shown(predictions, own, worst),
        best=shown(predictions, own, worst[::-1]),
        seconds={"intervals": measured - start, "rules": time.monotonic() - measured},
    )


def _notes(
    slices: Sequence[SliceResult], gate: GateConfig, compared: dict[str, Compared]
) -> tuple[str, ...]:
    notes = []
    if small := [f"{found.slice} ({found.examples})" for found in slices if found.informs_only]:
        notes.append(
            f"slices of fewer than {gate.min_examples} examples inform, but block nothing: "
            + ", ".join(small)
        )
    if BLESSED not in compared:
        notes.append("there is no earlier blessed model to compare with")
    return tuple(notes)


def _confusion(predictions: Predictions, own: Answers) -> Confusion | None:
    """Counts of known labels and answers."""
    k = len(predictions.classes)
    if not 0 < k <= _LARGEST_CONFUSION:
        return None
    known = (predictions.labels >= 0) & (own.predicted >= 0)
    cells = predictions.labels[known] * k + own.predicted[known]
    counts = np.bincount(cells, minlength=k * k).reshape(k, k)
    return Confusion(
        classes=predictions.classes, counts=tuple(tuple(map(int, row)) for row in counts)
    )
