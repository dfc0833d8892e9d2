"""What the gate says to people."""

from components.evaluator.verdict import OVERALL, Estimate


def slice_name(name: str) -> str:
    """E.g. "all test examples", "label=lung"."""
    return "all test examples" if name == OVERALL else name


def interval(estimate: Estimate) -> str:
    """E.g. "0.8293 (95 % interval 0.7921 to 0.8611)"."""
    if estimate.value is None:
        return "not a number"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4f} (no interval)"
    return f"{estimate.value:.4f} (95 % interval {estimate.low:.4f} to {estimate.high:.4f})"


def threshold_sentence(
    metric: str,
    where: str,
    estimate: Estimate,
    examples: int,
    threshold: float,
    is_least: bool,
) -> str:
    """What was measured and what was asked; if the value alone would do, how many examples would be enough.

    Args:
        metric: its name.
        where: a slice's name.
        estimate: what was measured.
        examples: on how many.
        threshold: what was asked.
        is_least: whether as the least or the largest value.
    """
    asked = f"asked {'at least' if is_least else 'at most'} {threshold:g}"
    if not examples:
        return f"{metric} on {slice_name(where)} is unknown, as there is no example; {asked}"
    said = f"{metric} on {slice_name(where)} is {interval(estimate)} on {_count(examples)}, {asked}"
    needed = _enough(estimate, examples, threshold, is_least)
    if needed is None:
        return said
    return (
        f"{said}: the value meets it, the interval does not; with the same value it would on about "
        f"{needed:,} examples"
    )


def _enough(estimate: Estimate, examples: int, threshold: float, is_least: bool) -> int | None:
    """At how many examples the same value's interval would meet it; None if it does or never would."""
    bound = estimate.low if is_least else estimate.high
    if estimate.value is None or bound is None:
        return None
    room = (estimate.value - threshold) * (1 if is_least else -1)
    half = abs(estimate.value - bound)
    return int(examples * (half / room) ** 2) + 1 if 0 < room < half else None


def comparison_sentence(
    metric: str,
    against: str,
    other: Estimate,
    difference: Estimate,
    examples: int,
    p: float,
    test: str,
) -> str:
    """How far the candidate is above or below the other, and whether that may be noise.

    Args:
        metric: its name.
        against: the other's name.
        other: its value.
        difference: the candidate's minus the other's.
        examples: that both answered.
        p: of the paired test.
        test: its name.
    """
    if difference.value is None or other.value is None or difference.low is None:
        return f"{metric} against the {against} is unknown on {_count(examples)}"
    assert difference.high is not None
    certain = difference.low > 0 or difference.high < 0
    direction = (
        "equal to" if difference.value == 0 else "above" if difference.value > 0 else "below"
    )
    size = f"{abs(difference.value):.4f} " if difference.value else ""
    return (
        f"{metric} is {size}{direction} that of the {against} ({other.value:.4f}); paired difference "
        f"{difference.low:+.4f} to {difference.high:+.4f} on {_count(examples)}, p = {p:.2g} ({test}): "
        f"{'more than noise' if certain else 'it may be noise'}"
    )


def _count(examples: int) -> str:
    return "1 example" if examples == 1 else f"{examples:,} examples"
