"""Contenders that take turns, so that what else the machine does meets them all alike."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def turns(names: Sequence[str], round_number: int) -> list[str]:
    """Who comes after whom in a round: each round begins one name later."""
    first = round_number % len(names)
    return [*names[first:], *names[:first]]


def alternate(
    contenders: Mapping[str, Callable[[int], T]],
    rounds: int,
    tell: Callable[[str], None] = lambda _: None,
) -> dict[str, list[T]]:
    """Calls every contender once a round.

    Args:
        contenders: by name, what takes the round's number, from 0, and returns a result.
        rounds: how many.
        tell: is told in words what begins.

    Returns:
        By name the results, in the order of the rounds.
    """
    results: dict[str, list[T]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in turns(list(contenders), number):
            tell(f"round {number + 1} of {rounds}: {name}")
            results[name].append(contenders[name](number))
    return results


def compare(
    name: str, work: str, ours: Sequence[float], peer: Sequence[float], unit: str
) -> dict[str, Any]:
    """The row of a benchmark's JSON, of costs (less is better) measured in pairs.

    Args:
        name: of the benchmark.
        work: what was done.
        ours: our cost in each round.
        peer: the peer's in the same rounds.
        unit: of the costs.

    Returns:
        Medians `ours` and `peer`; `ratio`, the median of peer / ours over the `pairs` (above 1: ours is
        cheaper), with its least and greatest value.

    Raises:
        ValueError: not the same number of rounds, or none.
    """
    if len(ours) != len(peer) or not ours:
        raise ValueError(f"{name}, {work}: {len(ours)} of our rounds, {len(peer)} of the peer's")
    ratios = [theirs / own for own, theirs in zip(ours, peer, strict=True)]
    return {
        "name": name,
        "work": work,
        "ours": statistics.median(ours),
        "peer": statistics.median(peer),
        "unit": unit,
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "pairs": len(ratios),
    }


def spread(values: Sequence[float], digits: int = 1) -> str:
    """Median, least and greatest value, as in "2.0 (1.9 – 2.4)"."""
    median, *ends = (
        f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values))
    )
    return f"{median} ({' – '.join(ends)})"
