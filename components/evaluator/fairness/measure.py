"""All that the gate wants to know of groups: what was found, and which limits are kept."""

from collections.abc import Callable

import numpy as np

from components.evaluator.fairness.config import RATES, FairnessConfig
from components.evaluator.fairness.counterfactual import Flips, measure_flips
from components.evaluator.fairness.gaps import (
    Decisions,
    GroupCounts,
    count_groups,
    gaps_of,
    group_result,
    is_compared,
)
from components.evaluator.fairness.groups import Groups
from components.evaluator.fairness.rules import flip_rule, gap_rule
from components.evaluator.intervals import known
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Fairness, Gap, GroupResult, Rule


def measure_fairness(
    predictions: Predictions,
    config: FairnessConfig,
    probabilities: Callable[..., np.ndarray],
) -> tuple[Fairness, tuple[Rule, ...]]:
    """Compares the groups of each attribute, and swaps the words of those that ask for it.

    Args:
        predictions: of the test split, with the raw features that `config.features` names.
        config: groups and limits.
        probabilities: the candidate: raw texts, and of pairs the second texts → float [n, classes], columns
            as in `predictions`.

    Returns:
        What was found, and a rule for each limit and attribute.

    Raises:
        ValueError: of a regression, of a feature that the examples lack, or of an unknown `positive_class`.
    """
    decisions, classes = Decisions.of(predictions), _classes(predictions, config)
    results: list[GroupResult] = []
    largest: list[Gap] = []
    flips: list[Flips] = []
    rules: list[Rule] = []
    for name, attribute in config.attributes.items():
        groups = Groups(attribute).of_all(predictions.full_texts, predictions.features)
        counts = count_groups(decisions, groups)
        results += [group_result(name, each, config, classes) for each in counts]
        compared = tuple(each for each in counts if is_compared(each, config))
        found, limits = _gaps(name, compared, predictions, groups, config, classes)
        largest += found
        rules += limits
        if attribute.swap:
            flips.append(measure_flips(name, attribute, predictions, probabilities))
    if config.max_flip_rate is not None:
        rules += [flip_rule(each, predictions, config) for each in flips]
    fairness = Fairness(
        groups=tuple(results),
        gaps=tuple(largest),
        counterfactuals=tuple(each.result for each in flips),
    )
    return fairness, tuple(rules)


def _classes(predictions: Predictions, config: FairnessConfig) -> np.ndarray:
    """Ids of the classes that the rates are of."""
    if config.positive_class is None:
        return np.arange(len(predictions.classes))
    if config.positive_class not in predictions.classes:
        raise ValueError(
            f"gate.fairness.positive_class is {config.positive_class!r}, which is none of the model's "
            f"classes: {', '.join(predictions.classes)}"
        )
    return np.array([predictions.classes.index(config.positive_class)])


def _gaps(
    attribute: str,
    compared: tuple[GroupCounts, ...],
    predictions: Predictions,
    groups: np.ndarray,
    config: FairnessConfig,
    classes: np.ndarray,
) -> tuple[list[Gap], list[Rule]]:
    """The largest gap of each rate, and the rules of the rates that have a limit."""
    largest, rules = [], []
    for metric in RATES:
        gaps = gaps_of(attribute, metric, compared, classes)
        if gaps:
            largest.append(max(gaps, key=lambda gap: known(gap.difference)))
        if metric in config.max_gaps:
            limit = config.max_gaps[metric]
            rules.append(gap_rule(attribute, metric, gaps, limit, predictions, groups, config))
    return largest, rules
