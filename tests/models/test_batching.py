"""Every example once an epoch, in batches of like length, however many replicas divide them."""

import itertools
from collections import Counter

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.batching import LENGTH_MULTIPLE, Plan, distribute, filled, micro_batches
from models.examples import Examples

LENGTHS = st.lists(st.integers(1, 100), min_size=1, max_size=40)
ROWS = st.builds(lambda n: {"batch_size": n}, st.integers(1, 9))
TOKENS = st.builds(lambda n: {"tokens_per_batch": n}, st.integers(1, 400))
SEEDS = st.none() | st.integers(0, 5)


def numbered(lengths) -> Examples:
    """Examples whose first id and label are their number, the other ids 99."""
    rows = [[number, *[99] * (length - 1)] for number, length in enumerate(lengths)]
    return Examples.from_rows(rows, range(len(rows)))


def counted(parts) -> list[int]:
    """The numbers of those rows of some micro-batches that count."""
    return np.asarray(parts["token_ids"])[..., 0][np.asarray(parts["weight"]) == 1].tolist()


# The plan


@hypothesis.given(LENGTHS, ROWS | TOKENS, SEEDS, st.integers(0, 3))
def test_each_example_once_in_any_epoch(lengths, size, seed, epoch):
    plan = Plan(np.array(lengths), **size, seed=seed)
    batches = plan.epoch(epoch)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert len(plan) == len(batches)
    assert all(len(rows) for rows in batches)


@hypothesis.given(LENGTHS, ROWS | TOKENS, st.integers(0, 5))
def test_all_epochs_have_batches_of_the_same_shapes(lengths, size, seed):
    plan = Plan(np.array(lengths), **size, seed=seed)
    shapes = [
        Counter((len(rows), plan.length(rows)) for rows in plan.epoch(epoch)) for epoch in range(3)
    ]
    assert shapes[0] == shapes[1] == shapes[2]


@hypothesis.given(LENGTHS, ROWS)
def test_batches_have_the_rows_asked_for_but_for_the_last(lengths, size):
    rows = [len(rows) for rows in Plan(np.array(lengths), **size).epoch(0)]
    assert set(rows[:-1]) <= {size["batch_size"]}
    assert rows[-1] <= size["batch_size"]


@hypothesis.given(LENGTHS, TOKENS)
def test_no_batch_exceeds_its_tokens_unless_one_row_alone_does(lengths, size):
    plan, budget = Plan(np.array(lengths), **size), size["tokens_per_batch"]
    batches = plan.epoch(0)
    for rows in batches:
        assert len(rows) * plan.length(rows) <= budget or len(rows) == 1
    for rows in batches[:-1]:  # and none could take one row more
        assert (len(rows) + 1) * plan.length(rows) > budget


@hypothesis.given(LENGTHS, ROWS | TOKENS, SEEDS)
def test_batches_hold_neighbours_in_length(lengths, size, seed):
    lengths = np.array(lengths)
    rounded = -(-lengths // LENGTH_MULTIPLE)
    plan = Plan(lengths, **size, seed=seed)
    batches = sorted(plan.epoch(1), key=lambda rows: (-rounded[rows].max(), -rounded[rows].min()))
    for rows, shorter in itertools.pairwise(batches):
        assert rounded[rows].min() >= rounded[shorter].max()
    for rows in batches:
        padded = plan.length(rows)
        assert padded % LENGTH_MULTIPLE == 0
        assert 0 <= padded - lengths[rows].max() < LENGTH_MULTIPLE
        if len(set(rounded[rows])) == 1:
            assert padded - lengths[rows].min() < LENGTH_MULTIPLE


def orders(seed, epochs=(0, 1)) -> list[list[int]]:
    plan = Plan(np.full(50, 5), batch_size=4, seed=seed)
    return [np.concatenate(plan.epoch(epoch)).tolist() for epoch in epochs]


def test_a_seed_gives_one_order_and_another_each_epoch():
    assert orders(3) == orders(3)
    assert orders(3)[0] != orders(3)[1]
    assert orders(4)[0] != orders(3)[0]
    assert orders(3, epochs=[7]) == orders(3, epochs=[7])  # without the epochs before it


def test_seed_0_shuffles_too():
    assert sorted(orders(0)[0]) != orders(0)[0]


def test_a_seed_shuffles_the_batches_as_well_as_the_rows():
    lengths = np.repeat([8, 80], 20)
    plan = Plan(lengths, batch_size=4, seed=1)
    longest = [plan.length(rows) for rows in plan.epoch(0)]
    assert sorted(longest) != longest
    assert sorted(longest, reverse=True) != longest


def test_without_a_seed_the_longest_rows_come_first_in_the_order_of_the_files():
    plan = Plan(np.array([3, 20, 4, 17, 90, 2]), batch_size=4)
    assert [rows.tolist() for rows in plan.epoch(0)] == [[4, 1, 3, 0], [2, 5]]
    assert [rows.tolist() for rows in plan.epoch(5)] == [[4, 1, 3, 0], [2, 5]]


@pytest.mark.parametrize("size", [{}, {"batch_size": 2, "tokens_per_batch": 9}])
def test_either_rows_or_tokens_are_given(size):
    with pytest.raises(ValueError, match="give either batch_size or tokens_per_batch"):
        Plan(np.array([3]), **size)


@pytest.mark.parametrize("size", [{"batch_size": 2}, {"tokens_per_batch": 9}])
def test_no_examples_make_no_batches(size):
    plan = Plan(np.zeros(0, np.int64), **size, seed=1)
    assert len(plan) == 0
    assert plan.epoch(0) == []


def test_most_of_the_padding_is_saved():
    lengths = np.random.default_rng(0).integers(2, 128, 100)
    plan = Plan(lengths, batch_size=8, seed=0)
    positions = sum(len(rows) * plan.length(rows) for rows in plan.epoch(0))
    assert positions < 1.15 * lengths.sum()
    assert len(lengths) * 128 > 1.7 * lengths.sum()


# Its division


@hypothesis.given(st.lists(st.integers(1, 20), min_size=1, max_size=13), *[st.integers(1, 5)] * 2)
def test_replicas_and_parts_divide_a_batch_into_equal_shapes(lengths, replicas, parts):
    examples, rows = numbered(lengths), np.random.default_rng(0).permutation(len(lengths))
    more, weight = filled(rows, replicas * parts)
    assert weight.dtype == np.float32
    assert more[weight == 1].tolist() == rows.tolist()
    assert set(more[weight == 0]) <= {rows[0]}
    shares = micro_batches(examples.padded(more, 24) | {"weight": weight}, replicas, parts)
    share = -(-len(rows) // (replicas * parts))
    whole = examples.padded(np.arange(len(lengths)), 24)
    assert shares["token_ids"].shape == (replicas, parts, share, 24)
    assert shares["weight"].shape == (replicas, parts, share)
    for name in ("token_ids", "padding_mask", "label_id"):
        expected = whole[name][shares["token_ids"].numpy()[..., 0]]
        np.testing.assert_array_equal(shares[name], expected)
        assert shares[name].dtype == expected.dtype
    assert sorted(counted(shares)) == list(range(len(lengths)))


# Its distribution


def taken(iterator, count) -> list[dict[str, np.ndarray]]:
    return [{name: value.numpy() for name, value in next(iterator).items()} for _ in range(count)]


@pytest.mark.parametrize("size", [{"batch_size": 3}, {"tokens_per_batch": 60}])
def test_starting_later_is_passing_over_batches_also_across_epochs(size):
    examples = numbered([3, 20, 4, 17, 40, 2, 9, 33])
    plan = Plan(examples.lengths, **size, seed=2)
    strategy = tf.distribute.get_strategy()
    count = 3 * len(plan) + 1
    straight = taken(distribute(strategy, examples, plan, parts=2), count)
    for start in range(count):
        later = taken(distribute(strategy, examples, plan, parts=2, start=start), count - start)
        for one, other in zip(straight[start:], later, strict=True):
            for name, value in one.items():
                np.testing.assert_array_equal(value, other[name])
    for epoch in range(3):
        batches = straight[epoch * len(plan) : (epoch + 1) * len(plan)]
        assert [sorted(counted(batch)) for batch in batches] == [
            sorted(rows) for rows in plan.epoch(epoch)
        ]


class Workers:
    """As many input pipelines as a strategy of several workers asks for, in one process."""

    def __init__(self, workers, replicas_each):
        self.contexts = [
            tf.distribute.InputContext(workers, worker, workers * replicas_each)
            for worker in range(workers)
        ]

    def distribute_datasets_from_function(self, function):
        return [iter(function(context)) for context in self.contexts]


@pytest.mark.parametrize(
    ("workers", "replicas_each", "parts"), [(1, 1, 1), (1, 3, 2), (2, 1, 1), (3, 2, 1), (2, 4, 3)]
)
@pytest.mark.parametrize("size", [{"batch_size": 7}, {"tokens_per_batch": 90}])
def test_all_workers_together_see_each_batch_once(workers, replicas_each, parts, size):
    examples = numbered(np.random.default_rng(0).integers(1, 50, 23))
    plan = Plan(examples.lengths, **size, seed=1)
    pipelines = list(distribute(Workers(workers, replicas_each), examples, plan, parts, start=1))
    assert len(pipelines) == workers
    batches = [rows for epoch in range(3) for rows in plan.epoch(epoch)][1:]
    for rows in batches:
        shares = [share for pipeline in pipelines for share in taken(pipeline, replicas_each)]
        assert sorted(number for share in shares for number in counted(share)) == sorted(rows)
        assert len({share["token_ids"].shape for share in shares}) == 1
