"""Accuracy, false-positive and false-negative rate by group, and how far groups are apart."""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from components.evaluator.answers import answers
from components.evaluator.fairness.config import RATES, FairnessConfig, RateName
from components.evaluator.fairness.groups import NONE, SEVERAL
from components.evaluator.intervals import UNKNOWN, difference, known, proportion
from components.evaluator.predictions import Predictions
from components.evaluator.verdict import Estimate, Gap, GroupResult


@dataclasses.dataclass(frozen=True)
class Decisions:
    """What was true and what was said, class by class.

    Attributes:
        truth: bool [n, classes]; a label that was not trained on is no class.
        said: bool [n, classes]; the likeliest class (single_label), or all of at least 1/2 (multi_label).
        right: bool [n]; of a multi-label example, whether all its classes are.
        exclude_one_another: whether an example has one class.
    """

    truth: np.ndarray
    said: np.ndarray
    right: np.ndarray
    exclude_one_another: bool

    @classmethod
    def of(cls, predictions: Predictions) -> "Decisions":
        """What the model answered.

        Raises:
            ValueError: of a regression, which decides nothing.
        """
        if predictions.task == "regression":
            raise ValueError(
                "fairness: a regression has no false positives; take gate.fairness out of the config"
            )
        given = answers(predictions)
        if predictions.task == "multi_label":
            return cls(predictions.labels.astype(bool), given.predicted, given.hits, False)
        ids = np.arange(len(predictions.classes))
        truth, said = (each[:, np.newaxis] == ids for each in (predictions.labels, given.predicted))
        return cls(truth, said, given.hits, True)


@dataclasses.dataclass(frozen=True)
class GroupCounts:
    """All that the rates of a group are made of.

    Attributes:
        name: of the group.
        examples: how many it has.
        right: rightly decided ones.
        positives: examples of each class, int [classes].
        missed: of these, those not said to be of it (false negatives), int [classes].
        false_alarms: examples said to be of a class that they are not of (false positives), int [classes].
        exclude_one_another: see `Decisions`.
    """

    name: str
    examples: int
    right: int
    positives: np.ndarray
    missed: np.ndarray
    false_alarms: np.ndarray
    exclude_one_another: bool

    def rate(self, name: RateName, classes: np.ndarray) -> Estimate:
        """One rate; unknown if no class has an example to measure it on.

        The accuracy's interval is Wilson's. A false-positive or false-negative rate of several classes is
        the mean of the classes' rates, each against the rest, over those that have examples; see `_mean`.

        Args:
            name: which.
            classes: ids of the classes that count.
        """
        if name == "accuracy":
            return proportion(self.right, self.examples)
        hits = self.missed if name == "false_negative_rate" else self.false_alarms
        totals = self.totals(name)
        rates = [proportion(int(hits[c]), int(totals[c])) for c in classes if totals[c]]
        return _mean(rates, are_independent=self.exclude_one_another)

    def totals(self, name: RateName) -> np.ndarray:
        """Examples that a class's rate is measured on, int [classes]."""
        return self.positives if name == "false_negative_rate" else self.examples - self.positives


def count_groups(decisions: Decisions, groups: np.ndarray) -> tuple[GroupCounts, ...]:
    """Counts of each group of str [n], the groups by name, those that are not compared last."""
    names = sorted(set(groups), key=lambda name: (name in (NONE, SEVERAL), name))
    return tuple(_count(name, decisions, groups == name) for name in names)


def _count(name: str, decisions: Decisions, chosen: np.ndarray) -> GroupCounts:
    truth, said = decisions.truth[chosen], decisions.said[chosen]
    return GroupCounts(
        name=name,
        examples=int(chosen.sum()),
        right=int(decisions.right[chosen].sum()),
        positives=truth.sum(axis=0),
        missed=(truth & ~said).sum(axis=0),
        false_alarms=(said & ~truth).sum(axis=0),
        exclude_one_another=decisions.exclude_one_another,
    )


def group_result(
    attribute: str, counts: GroupCounts, config: FairnessConfig, classes: np.ndarray
) -> GroupResult:
    """The rates of one group."""
    return GroupResult(
        attribute=attribute,
        group=counts.name,
        examples=counts.examples,
        informs_only=not is_compared(counts, config),
        **{name: counts.rate(name, classes) for name in RATES},
    )


def is_compared(counts: GroupCounts, config: FairnessConfig) -> bool:
    """Whether a group is one, and large enough."""
    return counts.name not in (NONE, SEVERAL) and counts.examples >= config.min_examples


def gaps_of(
    attribute: str, metric: RateName, compared: tuple[GroupCounts, ...], classes: np.ndarray
) -> list[Gap]:
    """The gap of each pair of groups in which the rate is known, the higher group first.

    A false-positive or false-negative rate is taken over the classes that both groups can be measured on,
    so that a group is not worse for having the harder classes' examples alone. The interval is Newcombe's
    hybrid score interval (1998, Stat. Med. 17:873, method 10), for means of rates in the form of Zou and
    Donner (2008, Stat. Med. 27:1693).
    """
    return [
        gap
        for pair in itertools.combinations(compared, 2)
        for gap in _gap_of_pair(attribute, metric, pair, classes)
    ]


def _gap_of_pair(
    attribute: str, metric: RateName, pair: tuple[GroupCounts, GroupCounts], classes: np.ndarray
) -> Iterator[Gap]:
    shared = np.array([c for c in classes if all(counts.totals(metric)[c] for counts in pair)], int)
    first, second = (counts.rate(metric, shared) for counts in pair)
    if UNKNOWN in (first, second):
        return
    if known(first) < known(second):
        pair, first, second = pair[::-1], second, first
    yield Gap(
        attribute=attribute,
        metric=metric,
        high_group=pair[0].name,
        low_group=pair[1].name,
        difference=difference(first, second),
    )


def _mean(rates: list[Estimate], are_independent: bool) -> Estimate:
    """The mean of proportions, with the interval of Zou and Donner (2008) from the proportions' own.

    In single-label tasks the classes' false negatives are of different examples, hence independent, and
    their false positives exclude one another, so that the interval is, if anything, too wide. The classes of
    a multi-label example may go together: there the arms are added as of rates that rise and fall as one,
    the widest case.
    """
    if not rates:
        return UNKNOWN
    value, low, high = np.array([known(rate) for rate in rates]).T
    size = np.linalg.norm if are_independent else np.sum
    middle, count = float(value.mean()), len(rates)
    return Estimate(
        value=middle,
        low=max(0.0, middle - float(size(value - low)) / count),
        high=min(1.0, middle + float(size(high - value)) / count),
    )
