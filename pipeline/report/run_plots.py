"""Plots of data and training."""

from typing import Any

import numpy as np
from markupsafe import Markup

from pipeline.report.formats import name
from pipeline.report.run_record import Lengths
from pipeline.report.svg import ACCENT, MUTED, OTHER, drawing

_WIDE, _HALF, _HEIGHT = 9.4, 4.6, 2.5


def losses(history: dict[str, Any]) -> Markup:
    """Each update's loss with its running mean, and the epochs' means on train and eval."""
    steps = [step for step in history["steps"] if step["loss"] is not None]
    with drawing("losses", _WIDE, 3.0, "loss by update and epoch") as drawn:
        [axes] = drawn.axes()
        at = np.array([step["step"] for step in steps])
        loss = np.array([step["loss"] for step in steps])
        axes.plot(at, loss, color=OTHER, linewidth=0.7, alpha=0.5)
        axes.plot(at, _smooth(loss), color=OTHER, linewidth=1.5, label="train, running mean")
        ends = _epoch_ends(history)
        values = [epoch["eval"]["loss"] for epoch in history["epochs"]]
        axes.plot(ends, _finite(values), color=ACCENT, marker="o", markersize=5, label="eval")
        axes.set(xlabel="updates", ylabel="loss")
        axes.set_ylim(bottom=0)
        axes.legend()
    return drawn.svg


def by_epoch(history: dict[str, Any]) -> Markup | None:
    """The epochs' other metrics on train and eval; None if there is only the loss, or one epoch."""
    epochs = history["epochs"]
    metrics = [key for key in epochs[0]["eval"] if key != "loss"][:2]
    if not metrics or len(epochs) == 1:
        return None
    with drawing("epochs", _HALF * len(metrics), _HEIGHT, "metrics by epoch") as drawn:
        for axes, metric in zip(drawn.axes(1, len(metrics)), metrics, strict=True):
            at = [epoch["epoch"] for epoch in epochs]
            for split, color in (("train", OTHER), ("eval", ACCENT)):
                values = [epoch[split].get(metric) for epoch in epochs]
                axes.plot(at, _finite(values), color=color, marker="o", markersize=5, label=split)
            axes.set(xlabel="epoch", ylabel=name(metric))
            axes.set_xticks(at)
            axes.legend()
    return drawn.svg


def learning_rate(history: dict[str, Any]) -> Markup:
    """The rate's schedule, and the gradients' norm before clipping."""
    with drawing("rates", _HALF * 2, _HEIGHT, "learning rate and gradient norm") as drawn:
        at = [step["step"] for step in history["steps"]]
        for axes, key in zip(drawn.axes(1, 2), ("learning_rate", "gradient_norm"), strict=True):
            axes.plot(
                at, _finite([step[key] for step in history["steps"]]), color=MUTED, linewidth=1
            )
            axes.set(xlabel="updates", ylabel=name(key))
            axes.set_ylim(bottom=0)
    return drawn.svg


def lengths(found: Lengths) -> Markup:
    """How long the texts are, in tokens."""
    with drawing("lengths", _HALF, _HEIGHT, "texts by number of tokens") as drawn:
        [axes] = drawn.axes()
        widths = np.diff(found.edges)
        shown = widths > 0  # what is cut to the greatest length falls on one value
        axes.bar(
            found.edges[:-1][shown],
            (found.counts[shown] / widths[shown]),
            widths[shown],
            align="edge",
            color=ACCENT,
            alpha=0.75,
        )
        axes.set(xlabel="tokens", ylabel="texts a token")
    return drawn.svg


def _epoch_ends(history: dict[str, Any]) -> np.ndarray:
    """The update after which each epoch ended: epochs are of equal length."""
    last = history["steps"][-1]["step"] if history["steps"] else len(history["epochs"])
    count = len(history["epochs"])
    return np.arange(1, count + 1) * last / max(count, 1)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean of the last twentieth of the updates."""
    width = max(1, len(values) // 20)
    total = np.cumsum(np.insert(values, 0, 0.0))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - width)
    return (total[ends] - total[starts]) / (ends - starts)


def _finite(values: list[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in values]
