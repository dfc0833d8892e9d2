"""Rows that run with others of like length give what they give all together, padded to the longest."""

import itertools

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from models.classifier import pad
from models.length_buckets import TOKENS_AT_ONCE, TOKENS_OF_A_RUN, LengthBuckets, slice_size

LENGTHS = st.lists(st.integers(2, 64), max_size=24)


def rows_of(lengths, seed=0):
    ids = np.random.default_rng(seed).integers(4, 14, size=sum(lengths))
    return tf.RaggedTensor.from_row_lengths(ids.astype(np.int32), np.array(lengths, np.int64))


def slices_of(lengths):
    """The slices that the rule makes, in lengths."""
    lengths, slices = sorted(lengths), []
    while lengths:
        size = int(slice_size(tf.constant(lengths, tf.int64)))
        assert size >= 1
        slices.append(lengths[:size])
        lengths = lengths[size:]
    return slices


@pytest.fixture(scope="module")
def both(classifier):
    """(by length, all padded to the longest), compiled once."""

    def run(rows):
        return classifier.model(pad(rows), training=False)

    spec = [tf.RaggedTensorSpec([None, None], tf.int32)]
    buckets = LengthBuckets(run, len(classifier.classes))
    return [tf.function(f, input_signature=spec, autograph=False) for f in (buckets, run)]


@hypothesis.given(LENGTHS, st.integers(0, 3))
@hypothesis.settings(max_examples=60)
def test_any_lengths_give_the_plain_logits(both, lengths, seed):
    by_length, plain = (f(rows_of(lengths, seed)).numpy() for f in both)
    assert by_length.shape == plain.shape == (len(lengths), 3)
    np.testing.assert_allclose(by_length, plain, atol=1e-6)


def test_the_rows_differ(both):
    # Else an answer in another row's place would go unnoticed above.
    logits = both[0](rows_of([5, 9, 2, 30, 9, 60])).numpy()
    assert np.abs(logits[:, None] - logits[None]).max(-1)[~np.eye(6, dtype=bool)].min() > 1e-3


def test_no_rows_give_no_answers(both):
    assert both[0](rows_of([])).shape == (0, 3)


@hypothesis.given(st.lists(st.integers(2, 512), max_size=80))
@hypothesis.settings(max_examples=60)
def test_a_slice_has_little_padding_and_few_tokens(lengths):
    slices = slices_of(lengths)
    assert sorted(lengths) == [length for part in slices for length in part]
    for part in slices:
        padded = len(part) * part[-1]
        assert padded - sum(part) <= TOKENS_OF_A_RUN
        assert len(part) == 1 or padded <= TOKENS_AT_ONCE


@hypothesis.given(st.lists(st.integers(2, 512), min_size=2, max_size=80))
@hypothesis.settings(max_examples=30)
def test_no_slice_ends_too_early(lengths):
    slices = slices_of(lengths)
    for part, after in itertools.pairwise(slices):
        padded = (len(part) + 1) * after[0]
        assert padded > TOKENS_AT_ONCE or padded - sum(part) - after[0] > TOKENS_OF_A_RUN


def test_a_row_runs_once_and_alike_rows_run_together():
    calls = []

    def run(rows):
        tf.py_function(lambda m: calls.append(int(m)), [rows.nrows()], [])
        return tf.zeros([rows.nrows(), 1])

    buckets = LengthBuckets(run, 1)
    for lengths, expected in (([40], [40]), ([20] * 10, [200]), ([200, 3, 200, 3], [6, 400])):
        calls.clear()
        buckets(rows_of(lengths))
        assert sorted(calls) == [len(lengths) if len(expected) == 1 else 2] * len(expected)
