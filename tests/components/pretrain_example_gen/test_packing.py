"""Every sequence is in one row, and little of the rows is padding."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from components.pretrain_example_gen.packing import pack


@hypothesis.given(
    st.integers(1, 40).flatmap(
        lambda longest: st.tuples(st.lists(st.integers(1, longest), max_size=80), st.just(longest))
    )
)
def test_each_sequence_is_in_one_row_and_no_row_too_long(case):
    lengths, max_length = np.array(case[0], np.int64), case[1]
    order, sizes = pack(lengths, max_length)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert sizes.sum() == len(lengths)
    rows = np.split(lengths[order], np.cumsum(sizes)[:-1]) if len(sizes) else []
    totals = [int(row.sum()) for row in rows]
    assert all(0 < total <= max_length for total in totals)
    # No two rows would fit into one.
    assert len(totals) < 2 or sum(sorted(totals)[:2]) > max_length


@pytest.mark.parametrize(
    ("lengths", "rows"),
    [
        ([8, 2, 8, 2], 2),
        ([5, 5, 5, 5], 2),
        ([3] * 10, 4),
        ([10], 1),
        ([7, 6, 4, 3], 2),
        ([1] * 25, 3),
    ],
)
def test_as_few_rows_as_possible(lengths, rows):
    assert len(pack(np.array(lengths), 10)[1]) == rows


def test_rows_of_mixed_lengths_are_almost_full():
    lengths = np.random.default_rng(0).integers(3, 513, 20_000)
    _, sizes = pack(lengths, 512)
    assert lengths.sum() / (len(sizes) * 512) > 0.99


def test_no_sequences_give_no_rows():
    order, sizes = pack(np.zeros(0, np.int64), 8)
    assert (len(order), len(sizes)) == (0, 0)


@pytest.mark.parametrize("lengths", [[3, 0], [9, 1]])
def test_a_length_outside_the_row_is_an_error(lengths):
    with pytest.raises(ValueError, match="do not fit rows of 1 … 8"):
        pack(np.array(lengths), 8)
