"""How the next token is chosen from logits: greedily, or at random from the likeliest."""

import tensorflow as tf


def choose(
    logits: tf.Tensor, temperature: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor, draws: tf.Tensor
) -> tf.Tensor:
    """Chooses a token for each row.

    Logits are divided by the temperature, all but the `top_k` likeliest tokens are left out, and of these all
    but the likeliest that together have a probability of `top_p` ("nucleus", arXiv 1904.09751, section 3.1).

    Args:
        logits: float32 [n, vocabulary].
        temperature: float32 [n]; 0 takes the likeliest token.
        top_k: int32 [n]; 0 leaves out none.
        top_p: float32 [n]; 1 leaves out none. The likeliest token always stays.
        draws: float32 [n], uniform in [0, 1): what chance decides by.

    Returns:
        int32 [n].
    """
    greedy = tf.argmax(logits, axis=-1, output_type=tf.int32)
    is_random = temperature > 0

    def sample() -> tf.Tensor:
        scaled = logits / tf.where(is_random, temperature, 1.0)[:, tf.newaxis]
        return tf.where(is_random, _sampled(scaled, top_k, top_p, draws), greedy)

    # Sorting a vocabulary takes longer than a small model's step: not for nothing.
    return tf.cond(tf.reduce_any(is_random), sample, lambda: greedy)


def _sampled(logits: tf.Tensor, top_k: tf.Tensor, top_p: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    size = tf.shape(logits)[-1]
    falling, ids = tf.math.top_k(logits, k=size)
    top_k, top_p = top_k[:, tf.newaxis], top_p[:, tf.newaxis]
    ranks = tf.range(size)
    likeliest = (top_k == 0) | (ranks < top_k)
    probabilities = tf.nn.softmax(tf.where(likeliest, falling, float("-inf")))
    before = tf.cumsum(probabilities, axis=-1, exclusive=True)
    nucleus = (before < top_p) | (ranks == 0)
    probabilities = tf.where(nucleus, probabilities, 0.0)
    cumulative = tf.cumsum(probabilities, axis=-1)
    passed = cumulative <= draws[:, tf.newaxis] * cumulative[:, -1:]
    rank = tf.reduce_sum(tf.cast(passed, tf.int32), axis=-1)
    # The product may be rounded up to the whole sum, which would lead past the last possible token.
    possible = tf.reduce_sum(tf.cast(probabilities > 0, tf.int32), axis=-1)
    return tf.gather(ids, tf.minimum(rank, possible - 1), batch_dims=1)


def uniform_draws(seeds: tf.Tensor, streams: tf.Tensor, count: int) -> tf.Tensor:
    """Random numbers that depend on a row's own seed and stream only, not on its neighbours.

    Args:
        seeds: int64 [n].
        streams: int64 [n]; rows with the same seed and another stream get other numbers.
        count: numbers a row.

    Returns:
        float32 [n, count], uniform in [0, 1).
    """
    return tf.map_fn(
        lambda seed: tf.random.stateless_uniform([count], seed, alg="philox"),
        tf.stack([seeds, streams], axis=-1),
        fn_output_signature=tf.TensorSpec([count], tf.float32),
    )
