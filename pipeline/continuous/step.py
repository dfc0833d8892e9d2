"""One step: the next new span becomes a candidate, which is promoted, rolled back or refused."""

from collections.abc import Callable, Sequence
from typing import Any

from components.example_gen.config import WindowConfig
from components.example_gen.spans import Span, find_spans
from components.pusher.store import Store
from pipeline import versions
from pipeline.configs import PipelineConfig, local_paths
from pipeline.continuous.canary import try_canary
from pipeline.continuous.ledger import Decision, Ledger, next_span, refused
from pipeline.inputs import data_folder

RunLine = Callable[[PipelineConfig], dict[str, Any]]
_REFUSALS = {"DataValidator": "the data cannot be used", "DataAudit": "the data cannot be trusted"}
_MOST_REASONS = 3


class StepFailed(Exception):
    """The run ended without a decision; the same step can be tried again.

    Attributes:
        summary: of the run.
    """

    def __init__(self, summary: dict[str, Any]):
        super().__init__(f"run {summary['run_id']}: {summary['status']}")
        self.summary = summary


def step(config: PipelineConfig, run_line: RunLine, again: Sequence[int] = ()) -> Decision | None:
    """Decides about the next span that nothing was decided about.

    Whoever calls it again after it was killed goes on where it was: components that are done are in the
    cache, the training has checkpoints, and a version that was promoted or rolled back already is only
    written down.

    Args:
        config: with `spans` in the settings of its reader.
        run_line: runs a line and gives its summary.
        again: spans that shall be decided about once more.

    Returns:
        The decision; None if there is no new span.

    Raises:
        StepFailed: a component failed, or the training was asked to end.
        components.example_gen.records.InputError: two names stand for one span.
    """
    ledger = Ledger(config)
    decided = ledger.last()
    spans = find_spans(str(data_folder(config.data)), config.data.reader.pattern)
    span = next_span(spans, decided, again)
    if span is None:
        return None
    summary = run_line(with_window(config, span, decided))
    decision = _decide(config, span, summary)
    ledger.add(decision)
    return decision


def with_window(config: PipelineConfig, span: Span, decided: dict[int, Decision]) -> PipelineConfig:
    """The config of a span's run: a window that ends with the newest span known, without refused ones.

    Args:
        config: whose window's size holds.
        span: the new one.
        decided: earlier decisions, by span.
    """
    reader = config.data.reader
    assert reader.spans is not None  # the command asks for it
    skip = (refused(decided) | {*reader.spans.skip}) - {span.number}
    window = WindowConfig(
        window=reader.spans.window,
        last=max({span.number, *decided} - skip),
        skip=tuple(sorted(skip)),
    )
    name = "medline" if config.data.medline else "text"
    data = config.data.model_copy(update={name: reader.model_copy(update={"spans": window})})
    return config.model_copy(update={"data": data})


def _decide(config: PipelineConfig, span: Span, summary: dict[str, Any]) -> Decision:
    outcome: dict[str, Any]
    if summary["status"] == "succeeded":
        outcome = _after_push(config, span, summary)
    elif summary["status"] == "not_blessed":
        outcome = {"outcome": "refused", "why": _some(summary["blessing"]["reasons"])}
    elif problem := _data_problem(summary):
        outcome = {"outcome": "refused", "why": problem}
    else:
        raise StepFailed(summary)
    found = summary["drift"] or {}
    return Decision(
        span=span.number,
        version=span.version,
        window=tuple(summary["spans"] or ()),
        run=summary["run_id"],
        drift=tuple(found.get("warnings", ())) if found.get("compared_with") else (),
        base=(summary["warm_start"] or {}).get("model"),
        stable=Store(str(local_paths(config)["serving"])).state().stable,
        **outcome,
    )


def _data_problem(summary: dict[str, Any]) -> str | None:
    """Why the data was stopped, None if it was not the data that stopped the run."""
    error = summary["error"] or {}
    start = _REFUSALS.get(str(error.get("component")))
    message = str(error.get("message"))
    if start is None or not message.startswith(start):
        return None
    return _some([line.strip() for line in message.splitlines()[1:]] or [message])


def _some(reasons: Sequence[str]) -> str:
    more = len(reasons) - _MOST_REASONS
    return "; ".join(reasons[:_MOST_REASONS]) + (f"; and {more} more reasons" if more > 0 else "")


def _after_push(config: PipelineConfig, span: Span, summary: dict[str, Any]) -> dict[str, Any]:
    """Tries the canary, unless its fate was decided before this step was killed."""
    version = int(summary["pushed"]["version"])
    state = Store(str(local_paths(config)["serving"])).state()
    if version in state.withdrawn:
        why = state.withdrawn[version].why
        return {"outcome": "rolled back", "why": why, "pushed": version}
    if version != state.canary:  # stable: the first model, one without a trial, or promoted before
        why = "on trial it kept all limits" if state.previous and config.push.canary else _UNTRIED
        return {"outcome": "promoted", "why": why, "pushed": version}
    examples = next(
        uris[0] for name, uris in summary["artifacts"].items() if name.endswith("Gen.examples")
    )
    report = try_canary(config, examples, span.number)
    objections = report.objections(config.continuous.canary)
    if objections:
        why = _some(objections)
        versions.rollback(config, why=f"span {span.number}: {why}", canary=True)
    else:
        why = "on trial it kept all limits"
        versions.promote(config, version, why=f"span {span.number}: {why}")
    outcome = "rolled back" if objections else "promoted"
    return {"outcome": outcome, "why": why, "pushed": version, "canary": report}


_UNTRIED = "stable without a trial: the first model, or push.canary is off"
