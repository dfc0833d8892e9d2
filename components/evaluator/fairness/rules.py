"""The limits on groups as rules of the gate, with the sentence that says what came of each.

A limit is met only if the interval says so: the whole interval must lie within it, so that a group too small
to tell does not pass as an equal one. As *every* pair of groups has to pass, no correction for the number of
pairs is needed: a wrong pass is no likelier than that of the worst pair alone (Berger 1982, Technometrics
24:295, intersection-union tests).
"""

import numpy as np

from components.evaluator.answers import answers, shown, worst_first
from components.evaluator.fairness.config import FairnessConfig, RateName
from components.evaluator.fairness.counterfactual import Flips
from components.evaluator.intervals import UNKNOWN, known
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Estimate, Gap, Rule, WorstExample


def gap_rule(
    attribute: str,
    metric: RateName,
    gaps: list[Gap],
    limit: float,
    predictions: Predictions,
    groups: np.ndarray,
    config: FairnessConfig,
) -> Rule:
    """Whether every pair of groups is close enough; told of the pair that may be furthest apart.

    Args:
        attribute: whose groups they are.
        metric: the rate.
        gaps: of all pairs.
        limit: the largest difference allowed.
        predictions: the test examples.
        groups: str [n], of each.
        config: for the least size of a group.
    """
    name, words = f"fairness.max_gaps.{metric}", metric.replace("_", " ")
    if not gaps:
        return _unjudged(
            name,
            f"{words} gap",
            attribute,
            limit,
            f"{name}: the groups of {attribute} cannot be compared: fewer than two have "
            f"{config.min_examples} examples and a {words}; this informs, and blocks nothing",
        )
    gap = max(gaps, key=lambda gap: _reach(gap.difference))
    high, low = (groups == name for name in (gap.high_group, gap.low_group))
    is_met = _reach(gap.difference) <= limit
    worse = low if metric == "accuracy" else high
    sentence = (
        f"{name}: the {words} of {attribute} {gap.high_group} ({high.sum()} examples) is "
        f"{_points(gap.difference)} above that of {gap.low_group} ({low.sum()}); "
        f"{_judgement(gap.difference, is_met, limit)}"
    )
    return Rule(
        name=name,
        metric=f"{words} gap",
        slice=f"{attribute}: {gap.high_group} against {gap.low_group}",
        estimate=gap.difference,
        examples=int(high.sum() + low.sum()),
        threshold=limit,
        is_met=is_met,
        blocks=True,
        sentence=sentence,
        worst=() if is_met else _worst(predictions, worse),
    )


def flip_rule(flips: Flips, predictions: Predictions, config: FairnessConfig) -> Rule:
    """Whether the predictions hang on a group's words too often.

    Args:
        flips: of one attribute.
        predictions: the test examples.
        config: with a `max_flip_rate`.
    """
    name, limit, result = "fairness.max_flip_rate", config.max_flip_rate, flips.result
    assert limit is not None  # else there is no such rule
    is_enough = result.examples >= config.min_examples
    if result.flip_rate == UNKNOWN:
        sentence = f"{name}: no test text has a word of {result.attribute}; this informs, and blocks nothing"
        return _unjudged(name, "flip rate", result.attribute, limit, sentence)
    is_met = known(result.flip_rate)[2] <= limit
    sentence = (
        f"{name}: with the words of {result.attribute} swapped, {_points(result.flip_rate)} of the "
        f"{result.examples} predictions change; {_judgement(result.flip_rate, is_met, limit)}"
    )
    if not is_enough:
        sentence += (
            f"; with fewer than {config.min_examples} texts this informs, and blocks nothing"
        )
    return Rule(
        name=name,
        metric="flip rate",
        slice=result.attribute,
        estimate=result.flip_rate,
        examples=result.examples,
        threshold=limit,
        is_met=is_met,
        blocks=is_enough,
        sentence=sentence,
        worst=() if is_met else shown(predictions, answers(predictions), flips.rows),
    )


def _reach(difference: Estimate) -> float:
    """The furthest that two groups may be apart, whichever is the higher."""
    _, low, high = known(difference)
    return max(high, -low)


def _judgement(estimate: Estimate, is_met: bool, limit: float) -> str:
    if is_met:
        return f"the limit is {limit:g}"
    if known(estimate)[1] > limit:
        return f"that is more than {limit:g}"
    return f"that is not shown to be at most {limit:g}: the interval reaches beyond it"


def _points(estimate: Estimate) -> str:
    value, low, high = known(estimate)
    return f"{value:.3f} (95 %: {low:.3f} to {high:.3f})"


def _unjudged(name: str, metric: str, where: str, limit: float, sentence: str) -> Rule:
    return Rule(
        name=name,
        metric=metric,
        slice=where,
        estimate=UNKNOWN,
        examples=0,
        threshold=limit,
        is_met=False,
        blocks=False,
        sentence=sentence,
    )


def _worst(predictions: Predictions, chosen: np.ndarray) -> tuple[WorstExample, ...]:
    """Of the examples at the True places of bool [n], those of the highest loss."""
    given = answers(predictions)
    order = worst_first(given.losses)
    return shown(predictions, given, order[chosen[order]])
