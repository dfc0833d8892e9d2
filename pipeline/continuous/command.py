"""What `python -m pipeline continuous` does."""

import time
from collections.abc import Sequence

from rich.console import Console

from components.example_gen.records import InputError
from pipeline.configs import PipelineConfig
from pipeline.continuous.ledger import BusyError, Decision, Ledger
from pipeline.continuous.step import RunLine, step
from pipeline.continuous.table import decisions_table


class ContinuousError(Exception):
    """It cannot go on; the message says why, and what to do."""


def run_continuously(
    config: PipelineConfig,
    run_line: RunLine,
    console: Console,
    watch_seconds: float | None = None,
    again: Sequence[int] = (),
) -> list[Decision]:
    """Decides about every new span, then ends or waits for the next one.

    Args:
        config: of the line.
        run_line: runs it and gives the summary.
        console: gets a table of what was decided.
        watch_seconds: pause between two looks for new spans; None to look once.
        again: spans that shall be decided about once more.

    Returns:
        What was decided, the oldest first.

    Raises:
        ContinuousError: the config has no spans, asks for a canary that cannot be tried, or another process
            is at work on the pipeline.
        pipeline.continuous.step.StepFailed: a component failed.
    """
    if config.data.reader.spans is None:
        raise ContinuousError(
            "continuous training needs spans: give the reader a pattern with {SPAN} or a date, and a "
            "section spans, such as {window: 3}"
        )
    reader = config.data.reader
    if config.push.canary and (reader.task != "single_label" or reader.has_pairs):
        raise ContinuousError(
            "push.canary: only models of single texts and one class each can be tried; without it a blessed "
            "model becomes stable at once"
        )
    ledger = Ledger(config)
    made: list[Decision] = []
    waiting = list(again)
    try:
        with ledger.lock():
            while True:
                decision = step(config, run_line, waiting)
                if decision is not None:
                    made.append(decision)
                    waiting = [number for number in waiting if number != decision.span]
                    console.print(decisions_table(ledger.decisions()))
                elif watch_seconds is None:
                    break
                else:
                    time.sleep(watch_seconds)
    except (BusyError, InputError) as error:
        raise ContinuousError(str(error)) from None
    if not made:
        console.print(_nothing_new(ledger), highlight=False)
    return made


def _nothing_new(ledger: Ledger) -> str:
    decided = ledger.last()
    known = ", ".join(map(str, sorted(decided)))
    return f"no new span; decided: {known}" if decided else "no span has come yet"
