"""Chance follows the probabilities, and only where it may."""

import numpy as np
import pytest
import tensorflow as tf

from models.gpt.sampling import choose, uniform_draws

LOGITS = np.log(np.array([0.05, 0.4, 0.02, 0.3, 0.23], np.float32))  # falling order: 1 3 4 0 2
ROWS = 4000
DRAWS = uniform_draws(tf.range(ROWS, dtype=tf.int64), tf.zeros([ROWS], tf.int64), 1)[:, 0]


def shares(temperature=1.0, top_k=0, top_p=1.0, draws=DRAWS) -> np.ndarray:
    """How often each token was chosen."""
    n = len(draws)
    chosen = choose(
        tf.repeat(LOGITS[None], n, axis=0),
        tf.fill([n], float(temperature)),
        tf.fill([n], top_k),
        tf.fill([n], top_p),
        tf.constant(draws),
    )
    assert chosen.dtype == tf.int32
    return np.bincount(chosen, minlength=5) / n


def renormalized(tokens, temperature=1.0) -> np.ndarray:
    p = np.exp(LOGITS / temperature)
    p[[i for i in range(5) if i not in tokens]] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({}, {0, 1, 2, 3, 4}),
        ({"temperature": 0.5}, {0, 1, 2, 3, 4}),
        ({"temperature": 3.0}, {0, 1, 2, 3, 4}),
        ({"top_k": 2}, {1, 3}),
        ({"top_k": 1}, {1}),
        ({"top_k": 99}, {0, 1, 2, 3, 4}),
        ({"top_p": 0.69}, {1, 3}),
        ({"top_p": 0.71}, {1, 3, 4}),  # the set that reaches 0.71 needs the third
        ({"top_p": 1e-6}, {1}),
        ({"top_k": 3, "top_p": 0.7}, {1, 3}),  # 0.7 of what the three have: 0.43 + 0.32
        ({"temperature": 0.5, "top_k": 4, "top_p": 0.99}, {1, 3, 4}),
    ],
)
def test_frequencies_are_those_of_the_tokens_that_may_come(settings, tokens):
    expected = renormalized(tokens, settings.get("temperature", 1.0))
    found = shares(**settings)
    assert set(np.flatnonzero(found)) <= tokens
    deviations = np.sqrt(expected * (1 - expected) / ROWS)
    assert (np.abs(found - expected) <= 4 * deviations).all()


def test_without_temperature_the_likeliest_comes():
    assert shares(temperature=0).tolist() == [0, 1, 0, 0, 0]


def test_rows_have_their_own_settings():
    chosen = choose(
        tf.repeat(LOGITS[None], 3, axis=0),
        tf.constant([0.0, 1.0, 1.0]),
        tf.constant([0, 0, 2]),
        tf.constant([1.0, 1.0, 1.0]),
        tf.constant([0.999999, 0.999999, 0.999999]),
    )
    assert chosen.numpy().tolist() == [1, 2, 3]


@pytest.mark.parametrize("draw", [0.0, np.nextafter(np.float32(1), np.float32(0))])
def test_the_ends_of_chance_give_possible_tokens(draw):
    found = shares(top_k=3, draws=np.full(1, draw, np.float32))
    assert found[[1, 3, 4]].sum() == 1


def test_impossible_tokens_never_come():
    logits = tf.constant([[-1e30, 0.0, -np.inf]])
    for draw in (0.0, 0.5, 0.99999994):
        chosen = choose(
            logits, tf.constant([1.0]), tf.constant([0]), tf.constant([1.0]), tf.constant([draw])
        )
        assert chosen.numpy().tolist() == [1]


def test_draws_depend_on_seed_and_stream_only():
    seeds, streams = tf.constant([7, 7, 8, -(2**62)], tf.int64), tf.constant([0, 1, 0, 0], tf.int64)
    draws = uniform_draws(seeds, streams, 50).numpy()
    assert len(np.unique(draws)) > 195
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_array_equal(uniform_draws(seeds[2:3], streams[2:3], 50)[0], draws[2])
