"""Plots of what the gate measured."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from components.evaluator.verdict import (
    OVERALL,
    CalibrationBin,
    Comparison,
    CoveragePoint,
    Estimate,
    GroupResult,
    Rule,
    SliceResult,
)
from pipeline.report.formats import name, number
from pipeline.report.svg import ACCENT, BAD, INK, MUTED, OTHER, drawing

_ROW = 0.27  # inches
_WIDE, _HALF = 9.4, 4.6


def compared(estimate: Estimate, comparisons: Sequence[Comparison], rule: Rule | None) -> Markup:
    """The candidate beside the others, and the threshold, on one axis."""
    rows = [("this model", estimate, ACCENT, "")]
    rows += [(one.against, one.other, OTHER, f" · {_ahead(one.difference)}") for one in comparisons]
    metric = name(comparisons[0].metric)
    with drawing(
        "compared", _WIDE, 0.62 + _ROW * len(rows), f"{metric} of this model and the others"
    ) as drawn:
        [axes] = drawn.axes()
        for i, (_, value, color, remark) in enumerate(rows):
            _dot(axes, value, i, color, size=6.5)
            if value.value is not None:
                axes.annotate(
                    number(value.value) + remark,
                    (1.0, i),
                    xycoords=("axes fraction", "data"),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center",
                    color=INK,
                )
        if rule is not None:
            axes.axvline(rule.threshold, color=INK, linewidth=1, linestyle=(0, (3, 2)))
            axes.annotate(
                f"asked {rule.threshold:g}",
                (rule.threshold, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                color=MUTED,
            )
        _rows(axes, [label for label, *_ in rows])
        axes.set_xlabel(f"{metric}, with 95 % intervals")
    return drawn.svg


def _ahead(difference: Estimate) -> str:
    """What an interval of the candidate's lead allows to say."""
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    if difference.low > 0:
        return f"ahead by {number(difference.value)}"
    if difference.high < 0:
        return f"behind by {number(-difference.value)}"
    return "too close to tell"


def by_slice(slices: Sequence[SliceResult], metric: str) -> Markup:
    """A metric on every slice with its interval, and on all examples as a line."""
    shown = [one for one in slices if one.slice != OVERALL and metric in one.metrics]
    overall = next((one.metrics.get(metric) for one in slices if one.slice == OVERALL), None)
    with drawing(
        f"slices-{metric}", _WIDE, 0.6 + _ROW * len(shown), f"{name(metric)} by slice"
    ) as drawn:
        [axes] = drawn.axes()
        if overall is not None and overall.value is not None:
            axes.axvline(overall.value, color=MUTED, linewidth=1)
        for i, one in enumerate(shown):
            _dot(axes, one.metrics[metric], i, OTHER if one.informs_only else ACCENT)
            axes.annotate(
                f"{one.examples:,}",
                (1.0, i),
                xycoords=("axes fraction", "data"),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
            )
        _rows(axes, [one.slice for one in shown])
        axes.set_xlabel(
            f"{name(metric)}, with 95 % intervals; at the right, the number of examples"
        )
    return drawn.svg


def reliability(bins: Sequence[CalibrationBin]) -> Markup:
    """Share of hits over mean confidence; below it, how many examples each bin has."""
    with drawing("reliability", _HALF, 3.9, "reliability diagram") as drawn:
        top, bottom = drawn.axes(2, 1, sharex=True, height_ratios=[4, 1])
        top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (3, 2)))
        for one in bins:
            _dot(top, one.accuracy, one.confidence, ACCENT, upright=True)
        top.set(ylim=(-0.03, 1.03), xlim=(-0.03, 1.03), ylabel="share that is right")
        bottom.bar(
            [one.confidence for one in bins], [one.examples for one in bins], 0.04, color=OTHER
        )
        bottom.set(xlabel="how sure the model is", ylabel="examples")
        bottom.grid(axis="x", visible=False)
    return drawn.svg


def coverage(points: Sequence[CoveragePoint]) -> Markup:
    """Accuracy on the share of examples that the model is surest of."""
    with drawing("coverage", _HALF, 3.9, "accuracy by coverage") as drawn:
        [axes] = drawn.axes()
        shares = [one.coverage for one in points]
        low, value, high = (
            [_or_nan(getattr(one.accuracy, part)) for one in points]
            for part in ("low", "value", "high")
        )
        axes.fill_between(shares, low, high, color=ACCENT, alpha=0.15, linewidth=0)
        axes.plot(shares, value, color=ACCENT, marker="o", markersize=4)
        axes.set(xlabel="share of the examples that are answered", ylabel="accuracy on them")
        axes.set_xlim(0, 1.03)
    return drawn.svg


def groups(results: Sequence[GroupResult], attribute: str) -> Markup:
    """Accuracy and both error rates of an attribute's groups."""
    rates = ("accuracy", "false_positive_rate", "false_negative_rate")
    shown = [one for one in results if one.attribute == attribute]
    with drawing(
        f"groups-{attribute}", _WIDE, 0.95 + _ROW * len(shown), f"rates by {attribute}"
    ) as drawn:
        for axes, rate in zip(drawn.axes(1, 3, sharey=True), rates, strict=True):
            for i, one in enumerate(shown):
                _dot(axes, getattr(one, rate), i, OTHER if one.informs_only else ACCENT)
            axes.set_title(name(rate))
            _rows(axes, [f"{one.group} ({one.examples:,})" for one in shown])
    return drawn.svg


def _dot(
    axes: Axes, estimate: Estimate, at: float, color: str, size: float = 5, upright: bool = False
) -> None:
    """A value and its interval; a cross on the axis where there is no value."""
    if estimate.value is None:
        if upright:
            axes.plot(at, 0.0, marker="x", color=BAD, markersize=size)
        else:  # at the left, wherever that is
            axes.plot(
                0.0,
                at,
                marker="x",
                color=BAD,
                markersize=size,
                transform=axes.get_yaxis_transform(),
            )
        return
    if estimate.low is not None and estimate.high is not None:
        ends, still = [estimate.low, estimate.high], [at, at]
        axes.plot(*((still, ends) if upright else (ends, still)), color=color, linewidth=1.8)
    point = (at, estimate.value) if upright else (estimate.value, at)
    axes.plot(*point, marker="o", color=color, markersize=size)


def _rows(axes: Axes, labels: list[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.spines["left"].set_visible(False)


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
