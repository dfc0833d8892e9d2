"""The report's first screen: may this model be shipped, and why?"""

import dataclasses
import datetime
from pathlib import Path
from typing import Any, Literal

from components.evaluator.verdict import OVERALL, Comparison, Estimate, Rule, Verdict
from pipeline.report.formats import moment, whole
from pipeline.report.run_record import RunRecord

Tone = Literal["good", "bad", "wait"]
_FIRST = (
    *("accuracy", "micro_f1", "macro_f1", "expected_calibration_error", "mae", "rmse", "r2"),
    *("mlm_accuracy", "perplexity"),
)
_MOST_FIGURES = 4
_QUARANTINE = "The rows that could not be used, with file, position and reason, are in "
_WHERE_TO_LOOK = {
    "ExampleGen": _QUARANTINE,
    "DataValidator": _QUARANTINE,
    "DataAudit": "What was found, pair by pair, is in ",
}
_STANDINGS = {
    "stable": "",
    "canary": ", a canary until it is promoted",
    "kept": ", but it is not the stable version any more",
}


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number of the first screen.

    Attributes:
        metric: its name.
        estimate: value and interval.
        rule: the gate's on it, if there is one.
    """

    metric: str
    estimate: Estimate
    rule: Rule | None = None


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a reader must see first.

    Attributes:
        tone: how it ended.
        headline: the answer in a word or two.
        because: one sentence.
        reasons: every rule that was not met, or what failed; a sentence each.
        steps: what to do now; a sentence each.
        figures: at most four.
        comparisons: with others on the same examples.
    """

    tone: Tone
    headline: str
    because: str
    reasons: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    comparisons: tuple[Comparison, ...] = ()


def answer(record: RunRecord) -> Answer:
    """Judges a run by its summary, and explains it by its verdict."""
    return dataclasses.replace(
        _outcome(record),
        figures=_figures(record),
        comparisons=record.verdict.comparisons if record.verdict else (),
    )


def _outcome(record: RunRecord) -> Answer:
    summary = record.summary
    if summary["error"]:
        return _stopped(record)
    if not (summary["blessing"] or {}).get("blessed"):
        reasons = tuple((summary["blessing"] or {}).get("reasons", ()))
        count = "One rule is" if len(reasons) == 1 else f"{len(reasons)} rules are"
        return Answer(
            "bad",
            "No.",
            f"{count} not met, so the model was not blessed and nothing was pushed.",
            reasons,
            ("Where it fails is shown below. What was pushed before is served on, unchanged.",),
        )
    if not summary["pushed"]:
        return Answer("wait", "Not yet.", "The model is blessed, but was not pushed.")
    return _pushed(summary["pushed"], _compared(record.verdict))


def _pushed(pushed: dict[str, Any], compared: str) -> Answer:
    """By what the version is now, which `status` says too."""
    label = pushed["label"]
    if label == "rolled back":
        mark = pushed["rollback"]
        when = moment(datetime.datetime.fromisoformat(mark["when"]))
        return Answer(
            "bad",
            "No.",
            f"The model was blessed and pushed, and rolled back on {when} by {mark['who']}.",
            (mark["why"],),
            (f"`promote {pushed['version']} --again` is the way to take it back.",),
        )
    if label == "deleted":
        because = "Every rule that blocks was met, but the pushed version was deleted since."
        return Answer("wait", "Not any more.", because)
    because = f"Every rule that blocks is met; the model is blessed and pushed{_STANDINGS[label]}."
    return Answer("good", "Yes.", because + compared)


def _compared(verdict: Verdict | None) -> str:
    """Whom the model surely beats, and who surely beats it."""
    others = verdict.comparisons if verdict else ()
    better = [one.against for one in others if (one.difference.low or 0) > 0]
    worse = [one.against for one in others if (one.difference.high or 0) < 0]
    parts = [
        f"measurably {word} than the {' and the '.join(names)}"
        for word, names in (("better", better), ("worse", worse))
        if names
    ]
    return f" It is {', but '.join(parts)}." if parts else ""


def _stopped(record: RunRecord) -> Answer:
    error = record.summary["error"]
    component = error["component"]
    if record.summary["status"] == "preempted":
        return Answer(
            "wait",
            "Not yet.",
            f"{component} was asked to end while it worked, and saved itself first.",
            (error["message"],),
            ("Give the same command again: it goes on from there.",),
        )
    log = record.folder.parent / "log.txt"
    return Answer(
        "bad",
        "No.",
        f"{component} failed, so the line stopped there; what comes after it did not run, and nothing "
        "was pushed.",
        (error["message"],),
        (
            *_where_to_look(component, record.summary["artifacts"]),
            f"All that was logged is in {log}.",
            "When the cause is mended, give the same command again: what was done before is taken from the "
            "cache.",
        ),
    )


def _where_to_look(component: str, artifacts: dict[str, list[str]]) -> tuple[str, ...]:
    for ending, sentence in _WHERE_TO_LOOK.items():
        key = ".audit" if ending == "DataAudit" else ".quarantine"
        if component.endswith(ending):
            return tuple(
                sentence + uri
                for name, uris in artifacts.items()
                if name.endswith(key)
                for uri in uris
            )
    return ()


def _figures(record: RunRecord) -> tuple[Figure, ...]:
    """The verdict's overall metrics, those with a rule first; else what the summary has."""
    verdict = record.verdict
    if verdict is None:
        return _plain_figures(record)
    metrics = verdict.overall.metrics if verdict.overall else {}
    rules = {rule.metric: rule for rule in verdict.rules if rule.slice == OVERALL}
    order = list(dict.fromkeys([*(n for n in _FIRST if n in metrics), *rules, *whole(metrics)]))
    shown = [n for n in order if n in metrics][:_MOST_FIGURES]
    return tuple(Figure(n, metrics[n], rules.get(n)) for n in shown)


def _plain_figures(record: RunRecord) -> tuple[Figure, ...]:
    metrics = record.summary["metrics"]
    values = metrics.get("test") or metrics.get("eval") or {}
    given = record.language_model["rules"] if record.language_model else ()
    rules = {rule.metric: rule for rule in map(Rule.model_validate, given)}
    order = list(dict.fromkeys([*rules, *(n for n in _FIRST if n in values), *values]))
    return tuple(
        Figure(n, Estimate(value=values[n], low=None, high=None), rules.get(n))
        for n in order[:_MOST_FIGURES]
    )


def pushed_place(record: RunRecord) -> Path | None:
    """The folder of the pushed version, if there still is one."""
    pushed = record.summary["pushed"]
    return Path(pushed["path"]) if pushed and pushed["label"] != "deleted" else None
