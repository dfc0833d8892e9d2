"""Which span is next, and which spans its run reads."""

import multiprocessing

import pytest
from end_to_end_world import make_config, settings

from components.example_gen.spans import Span
from pipeline.continuous.ledger import BusyError, Decision, Ledger, next_span, refused
from pipeline.continuous.step import with_window


def decision(span: int, outcome: str = "promoted", version: int | None = None) -> Decision:
    return Decision(
        span=span, version=version, window=(span,), run="r", outcome=outcome, why="because"
    )


def spans(*numbers: int, version: int | None = None) -> list[Span]:
    return [Span(number, version, "") for number in numbers]


@pytest.mark.parametrize(
    ("there", "decided", "again", "expected"),
    [
        ([], [], [], None),
        ([1, 2, 3], [], [], 3),  # the first run reads what is there in one window
        ([1, 2, 3], [3], [], None),
        ([1, 2, 3, 5, 6], [3], [], 5),  # in their order
        ([3, 4, 5], [3, 5], [], 4),  # a late one
        ([3, 4], [3, 4], [3], 3),
    ],
)
def test_the_next_span_is_the_oldest_undecided_one(there, decided, again, expected):
    found = next_span(spans(*there), {n: decision(n) for n in decided}, again)
    assert (found and found.number) == expected


def test_a_newer_version_of_a_span_is_new():
    decided = {1: decision(1, version=0), 2: decision(2, version=1)}
    assert next_span([Span(1, 0, ""), Span(2, 1, "")], decided) is None
    assert next_span([Span(1, 1, ""), Span(2, 1, "")], decided) == Span(1, 1, "")


@pytest.fixture
def config(tmp_path):
    data = settings(tmp_path)["data"]
    data["text"] |= {"pattern": "{SPAN}/*.csv", "spans": {"window": 2, "skip": [1]}}
    return make_config(tmp_path, data=data)


def window(config, span: int, *decided: Decision) -> tuple[int | None, tuple[int, ...]]:
    new = with_window(config, Span(span, None, ""), {d.span: d for d in decided})
    read = new.data.text.spans
    assert read.window == 2
    assert new.model_copy(update={"data": config.data}) == config
    return read.last, read.skip


def test_a_window_ends_with_the_new_span_and_leaves_out_what_was_refused(config):
    assert window(config, 5, decision(3, "refused"), decision(4)) == (5, (1, 3))


def test_a_span_that_is_decided_again_does_not_make_the_window_end_before_newer_ones(config):
    assert window(config, 3, decision(3, "refused"), decision(4)) == (4, (1,))
    assert window(config, 3, decision(3, "refused"), decision(4, "refused")) == (3, (1, 4))


def test_what_was_rolled_back_stays_in_the_data():
    decided = {1: decision(1, "rolled back"), 2: decision(2, "refused")}
    assert refused(decided) == {2}


def test_decisions_are_kept_and_the_last_one_of_a_span_holds(config):
    ledger = Ledger(config)
    assert ledger.last() == {}
    made = [decision(1, "refused"), decision(2), decision(1)]
    for one in made:
        ledger.add(one)
    assert Ledger(config).decisions() == made
    assert Ledger(config).last() == {1: made[2], 2: made[1]}


def hold(config, taken, release) -> None:
    with Ledger(config).lock():
        taken.set()
        release.wait()


def test_one_process_at_a_time(config):
    context = multiprocessing.get_context("fork")
    taken, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(config, taken, release))
    other.start()
    try:
        assert taken.wait(60)
        with pytest.raises(BusyError, match="another process"), Ledger(config).lock():
            pass
    finally:
        release.set()
        other.join()
    with Ledger(config).lock():
        pass
