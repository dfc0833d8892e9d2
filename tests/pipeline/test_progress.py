"""What a person sees while a pipeline runs."""

import io
import logging

import pytest
from rich.console import Console

from pipeline.local_runner import CACHED, RAN, NodeRun
from pipeline.progress import Progress, show_summary

logger = logging.getLogger("sciformer.training")


@pytest.fixture
def terminal() -> Console:
    """A terminal that keeps what it is sent, control codes too."""
    return Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


def drawn(console: Console, words: str) -> str:
    """The lines with these words, as they were drawn last."""
    lines = console.file.getvalue().replace("\r", "\n").splitlines()
    return [line for line in lines if words in line][-1]


def test_a_record_with_a_total_draws_a_bar(terminal):
    with Progress(terminal) as progress:
        progress.started("Trainer")
        for completed in (8, 32):
            # At INFO, because printing a line draws the live one anew at once.
            logger.info("%d of 32", completed, extra={"completed": completed, "total": 32})
    quarter, whole = drawn(terminal, "Trainer: 8 of 32"), drawn(terminal, "Trainer: 32 of 32")
    full = "━" * 16
    assert f" {full} Trainer: 32 of 32" in whole
    assert f" {full} " not in quarter
    assert quarter.count("━") == 4


def test_a_record_without_one_is_words_behind_the_spinner(terminal):
    with Progress(terminal) as progress:
        progress.started("Trainer")
        logger.info("reading [bold]text")
    assert drawn(terminal, "Trainer: reading").rstrip().endswith("Trainer: reading [bold]text")
    assert "━" not in terminal.file.getvalue()


def test_debug_records_leave_no_line():
    file = io.StringIO()
    with Progress(Console(file=file)) as progress:  # no terminal, so nothing live
        progress.started("Trainer")
        logger.debug("step 1", extra={"completed": 1, "total": 2})
        logger.info("epoch 1/2")
        progress.ended(NodeRun("Trainer", RAN, 1.25, {}))
        progress.ended(NodeRun("Evaluator", CACHED, 0.04, {}))
    assert [line.split() for line in file.getvalue().splitlines()] == [
        ["epoch", "1/2"],
        ["Trainer", "done", "1.2", "s"],
        ["Evaluator", "cached", "0.0", "s"],
    ]


def test_after_the_block_it_no_longer_listens(terminal):
    with Progress(terminal):
        pass
    before = terminal.file.getvalue()
    logger.info("nobody hears this")
    assert terminal.file.getvalue() == before


def test_the_summary_says_what_the_tuner_chose_and_counts_it_as_training():
    file = io.StringIO()
    values = {"optimizer.learning_rate": 0.0000312345, "batch_size": 16}
    summary = {
        "seconds": 100.0,
        "components": {"Tuner": {"seconds": 60.0}, "Trainer": {"seconds": 30.0}},
        "rows": None,
        "text": None,
        "vocabulary": None,
        "pretrain_examples": None,
        "tuning": {"trials": 8, "eval_loss": 0.25, "values": values},
        "metrics": {},
        "error": {"component": "Evaluator", "message": "no"},
    }
    show_summary(Console(file=file, width=100), summary)
    assert file.getvalue().splitlines() == [
        "100.0 s: 90.0 s training, 10.0 s everything else",
        "tuned: optimizer.learning_rate 3.123e-05, batch_size 16 (best of 8 trials)",
        "Evaluator failed: no",
    ]


def test_the_summary_says_what_has_become_of_a_version_that_an_earlier_run_pushed():
    file = io.StringIO()
    mark = {"when": "2026-11-25T13:10:32+00:00", "who": "me@here", "why": "wrong on [children]"}
    pushed = {"version": "17", "path": "/17", "label": "rolled back", "rollback": mark}
    summary = {
        "seconds": 1.0,
        "components": {"Trainer": {"seconds": 0.0}},
        "metrics": {},
        **dict.fromkeys(("rows", "text", "vocabulary", "pretrain_examples", "tuning", "error")),
        "blessing": {"blessed": True, "reasons": []},
        "pushed": pushed,
    }
    show_summary(Console(file=file, width=100), summary)
    assert file.getvalue().splitlines()[-2:] == [
        "blessed and pushed as version 17, which was rolled back since",
        "  2026-11-25T13:10:32+00:00, me@here: wrong on [children]",
    ]


def test_the_summary_says_what_was_pretrained_on():
    file = io.StringIO()
    rows = {"documents": 1200, "tokens": 50_000, "rows": 400, "packing_efficiency": 0.977}
    summary = {
        "seconds": 10.0,
        "components": {"Trainer": {"seconds": 4.0}},
        "rows": None,
        "text": None,
        "vocabulary": {"tokens": 16000, "splits": {"train": {"unknown_rate": 0.0001}}},
        "pretrain_examples": {"splits": {"train": rows | {"held_out": 0}}},
        "tuning": None,
        "metrics": {},
        "error": {"component": "Pusher", "message": "no"},
    }
    show_summary(Console(file=file, width=100), summary)
    assert file.getvalue().splitlines()[1:3] == [
        "pretraining: 1,200 documents, 50,000 tokens in 400 rows, 97.7% full; 0 held out",
        "vocabulary: 16,000 tokens; unknown: 0.01% of train",
    ]


def test_a_refusal_ends_with_the_reasons_after_the_worst_examples():
    file = io.StringIO()
    example = {
        "key": "k7",
        "text": "two\nlines [of] text " * 9,
        "label": "lung",
        "predicted": "heart",
    }
    rules = [
        {"metric": "accuracy", "slice": where, "worst": [example | {"loss": loss}]}
        for where, loss in (("", 2.345), ("site=[north]", None), ("site=b", 1.0), ("site=c", 1.0))
    ]
    summary = {
        "seconds": 1.0,
        "components": {},
        **dict.fromkeys(("rows", "text", "vocabulary", "pretrain_examples", "tuning", "error")),
        "metrics": {},
        "blessing": {
            "blessed": False,
            "reasons": ["accuracy on [all] is 0.5, asked at least 0.8", "another"],
            "notes": ["slices of fewer than 30 examples inform: a (3)"],
            "failed": rules,
        },
        "pushed": None,
    }
    show_summary(Console(file=file, width=80), summary)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    assert lines[1].strip() == "accuracy: worst examples"
    assert lines[2].split() == ["key", "label", "predicted", "loss", "text"]
    assert lines[3].startswith(" k7   lung   heart      2.35  two lines [of] text two lines")
    assert lines[4].strip() == "accuracy on site=[north]: worst examples"
    assert "worst examples of 1 more rules: verdict.json" in lines
    assert lines[-4:] == [
        "note: slices of fewer than 30 examples inform: a (3)",
        "not blessed, not pushed:",
        "  accuracy on [all] is 0.5, asked at least 0.8",
        "  another",
    ]


@pytest.mark.parametrize(
    ("label", "line"),
    [
        ("stable", "blessed and pushed as version 17"),
        ("canary", "blessed and pushed as version 17, a canary until it is promoted"),
        ("rolled back", "blessed and pushed as version 17, which was rolled back since"),
    ],
)
def test_the_summary_says_what_the_pushed_version_is_now(label, line):
    file = io.StringIO()
    summary = {
        "seconds": 1.0,
        "components": {},
        **dict.fromkeys(("rows", "text", "vocabulary", "pretrain_examples", "tuning", "error")),
        "metrics": {},
        "blessing": {"blessed": True, "reasons": []},
        "pushed": {"version": "17", "path": "/serving/17", "label": label},
    }
    show_summary(Console(file=file, width=100), summary)
    assert file.getvalue().splitlines()[-1] == line
