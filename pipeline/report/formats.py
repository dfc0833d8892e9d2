"""How figures are written in the report."""

import datetime
import math
from typing import Any

from components.evaluator.sentences import slice_name
from components.evaluator.verdict import Estimate, Rule

NOTHING, _MINUS = "–", "−"
_SPLITS = ("train", "eval", "test")
_NAMES = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "expected_calibration_error": "calibration error",
    "mlm_loss": "masked loss",
    "nsp_loss": "next-sentence loss",
    "mlm_accuracy": "masked accuracy",
    "nsp_accuracy": "next-sentence accuracy",
    "macro_auc": "macro AUC",
    "auc": "AUC",
    "f1": "F1",
    "r2": "R²",
    "mae": "mean absolute error",
    "-mae": "negative mean absolute error",
    "rmse": "root mean squared error",
}


def number(value: float | None) -> str:
    """Three digits after the point where they tell something, and none in a count."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if float(value).is_integer() and abs(value) >= 2:
        text = f"{int(value):,}"
    else:
        text = f"{value:.3f}" if abs(value) < 100 else f"{value:,.1f}"
    return text.replace("-", _MINUS)


def signed(value: float | None) -> str:
    """A difference."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:+.3f}".replace("-", _MINUS)


def interval(estimate: Estimate) -> str:
    """Both ends, e.g. "0.874 – 0.928"; nothing if there is none."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{number(estimate.low)} – {number(estimate.high)}"


def signed_interval(estimate: Estimate) -> str:
    """The interval of a difference."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{signed(estimate.low)} to {signed(estimate.high)}"


def percent(value: float | None) -> str:
    """A share."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.1%}"


def duration(seconds: float) -> str:
    """A time, e.g. "0.3 s" or "4 min 38 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def clip(text: str, length: int = 320) -> str:
    """A text on one line, cut at a word."""
    words = " ".join(text.split())
    if len(words) <= length:
        return words
    kept = words[:length]
    return f"{kept.rpartition(' ')[0] or kept} …"


def name(key: str) -> str:
    """A metric's, setting's or reason's name for people."""
    return _NAMES.get(key, key.replace("_", " "))


def asked(rule: Rule) -> str:
    """A rule's threshold, e.g. "at least 0.83"."""
    return f"{'at most' if rule.name.startswith('max') else 'at least'} {rule.threshold:g}"


def by_split(values: dict[str, Any]) -> dict[str, Any]:
    """Train, eval, test, then what else there is."""
    return {key: values[key] for key in (*_SPLITS, *values) if key in values}


def most(counts: dict[str, int]) -> dict[str, int]:
    """The largest count first."""
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def whole(metrics: dict[str, Estimate]) -> dict[str, Estimate]:
    """The metrics that are not of one class."""
    return {key: one for key, one in metrics.items() if ":" not in key}


def by_class(metrics: dict[str, Estimate]) -> dict[str, dict[str, Estimate]]:
    """Those that are, e.g. "recall:lung": by class and metric."""
    found: dict[str, dict[str, Estimate]] = {}
    for key, one in metrics.items():
        metric, is_of_class, of = key.partition(":")
        if is_of_class:
            found.setdefault(of, {})[metric] = one
    return found


def when(run_id: str) -> str:
    """The time that a run id holds, or the id."""
    try:
        return moment(datetime.datetime.strptime(run_id, "%Y%m%dT%H%M%S.%fZ"))
    except ValueError:
        return run_id


def moment(utc: datetime.datetime) -> str:
    """A time, to the minute."""
    return f"{utc:%d %B %Y, %H:%M} UTC".lstrip("0")


FILTERS: dict[str, Any] = {
    "number": number,
    "signed": signed,
    "interval": interval,
    "signed_interval": signed_interval,
    "percent": percent,
    "duration": duration,
    "clip": clip,
    "name": name,
    "slice_name": slice_name,
    "asked": asked,
    "by_split": by_split,
    "by_class": by_class,
    "most": most,
    "whole": whole,
    "when": when,
}
