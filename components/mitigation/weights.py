"""Reweighting: weights under which group and label are independent."""

from collections import Counter
from collections.abc import Mapping

Cell = tuple[str, str]  # group, label


def cell_weights(counts: Mapping[Cell, int]) -> dict[Cell, float]:
    """The weight of an example by its group and label: P(group) P(label) / P(group, label).

    Kamiran and Calders 2012, Knowledge and Information Systems 33:1, section 5.2.2. Where
    each group has each label, the weights of a group's examples, and of a label's, add up to their number. A
    group and a label that never occur together cannot be weighed, so there the dependence stays.

    Args:
        counts: examples by cell, each at least 1.
    """
    total = sum(counts.values())
    groups: Counter[str] = Counter()
    labels: Counter[str] = Counter()
    for (group, label), n in counts.items():
        groups[group] += n
        labels[label] += n
    return {
        (group, label): groups[group] * labels[label] / (total * n)
        for (group, label), n in counts.items()
    }
