"""One vector for a text."""

import numpy as np
import pytest
import tensorflow as tf

from models.pooling import pool

STATES = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
LENGTHS = [5, 1, 3]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("mean", lambda tokens: tokens.mean(axis=0)),
        ("max", lambda tokens: tokens.max(axis=0)),
        ("cls", lambda tokens: tokens[0]),
    ],
)
def test_padding_is_left_out(pooling, expected):
    mask = tf.cast(tf.sequence_mask(LENGTHS), tf.int32)
    found = pool(tf.constant(STATES), mask, pooling).numpy()
    rows = [expected(row[:length]) for row, length in zip(STATES, LENGTHS, strict=True)]
    np.testing.assert_allclose(found, rows, rtol=1e-6)
