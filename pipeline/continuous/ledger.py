"""What was decided about each span, on disk."""

import contextlib
import datetime
import fcntl
from collections.abc import Iterator, Sequence
from typing import Literal

import pydantic

from components.example_gen.spans import Span
from models.config import Config
from models.whole_file import write_whole_file
from pipeline.configs import PipelineConfig, local_paths
from pipeline.continuous.canary_report import CanaryReport

Outcome = Literal["promoted", "rolled back", "refused"]


class BusyError(Exception):
    """Another process is at work on the same pipeline."""


class Decision(Config):
    """What became of a span.

    Attributes:
        span: its number.
        version: of the span, None if its files have none.
        window: the spans that were trained on, the oldest first; empty if the data was stopped before.
        run: id of the run.
        outcome: "promoted", "rolled back" (by the canary's trial) or "refused" (by the data's checks or the
            gate).
        why: in a sentence.
        drift: sentences on what has drifted from the last blessed model's data.
        base: the model that the training went on from, None if it started anew.
        pushed: version of the pushed model.
        stable: the stable version afterwards.
        canary: what the trial has found.
        when: it was decided.
    """

    span: int
    version: int | None
    window: tuple[int, ...]
    run: str
    outcome: Outcome
    why: str
    drift: tuple[str, ...] = ()
    base: str | None = None
    pushed: int | None = None
    stable: int | None = None
    canary: CanaryReport | None = None
    when: pydantic.AwareDatetime = pydantic.Field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc)
    )


_DECISIONS = pydantic.TypeAdapter(list[Decision])


class Ledger:
    """The decisions of a pipeline, in `<root>/<name>/continuous.json`, in the order they were made.

    A span may be decided on again, when a newer version of it has come or a person asks for it; the last
    decision holds.
    """

    def __init__(self, config: PipelineConfig):
        self.path = local_paths(config)["runs"] / "continuous.json"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keeps other processes away.

        Raises:
            BusyError: there is one.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_suffix(".lock"), "a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(
                    f"another process holds {file.name}: it is at work on this pipeline"
                ) from None
            yield

    def decisions(self) -> list[Decision]:
        """All of them, the oldest first."""
        return _DECISIONS.validate_json(self.path.read_bytes()) if self.path.exists() else []

    def last(self) -> dict[int, Decision]:
        """The decision that holds, by span."""
        return {decision.span: decision for decision in self.decisions()}

    def add(self, decision: Decision) -> None:
        """Writes down a decision, whole or not at all."""
        decisions = [*self.decisions(), decision]
        write_whole_file(self.path, _DECISIONS.dump_json(decisions, indent=1).decode() + "\n")


def next_span(
    spans: Sequence[Span], decided: dict[int, Decision], again: Sequence[int] = ()
) -> Span | None:
    """The oldest span that nothing was decided about; None if there is none.

    Before the first decision that is the newest one: those before it are only read in its window. A newer
    version of a span that was decided about counts as new.

    Args:
        spans: that there are, the oldest first.
        decided: by span.
        again: spans that shall be decided about once more.
    """
    if not decided:
        return spans[-1] if spans else None
    first = min(decided)
    return next(
        (
            span
            for span in spans
            if span.number >= first
            and (
                span.number in again
                or span.number not in decided
                or (span.version or 0) > (decided[span.number].version or 0)
            )
        ),
        None,
    )


def refused(decided: dict[int, Decision]) -> set[int]:
    """Spans whose data no later window takes in."""
    return {number for number, decision in decided.items() if decision.outcome == "refused"}
