"""What Keras's operations do too slowly on TensorFlow: fewer passes over memory, gradients written out."""

import math
from collections.abc import Sequence

import tensorflow as tf


def gelu(x: tf.Tensor, form: str) -> tf.Tensor:
    """x·Φ(x) (arXiv 1606.08415) for training; any shape and float dtype → the same.

    Both the value and the slope are computed when the value is wanted, so the gradient is one product.

    Args:
        x: floats.
        form: "exact", or "tanh", which comes near it (section 2 there).
    """

    @tf.custom_gradient
    def activate(x: tf.Tensor) -> tuple:
        y, slope = _gelu_and_slope(tf.reshape(x, [-1]), form)
        slope = tf.reshape(slope, tf.shape(x))
        return tf.reshape(y, tf.shape(x)), lambda dy: dy * slope

    return activate(x)


# XLA makes one pass of it, three times as fast as TensorFlow's ten; it compiles 40 ms for a new size. A GPU
# needs no help, and its XLA needs tools of CUDA that may not be there.
@tf.function(jit_compile=not tf.config.list_physical_devices("GPU"), autograph=False)
def _gelu_and_slope(x: tf.Tensor, form: str) -> tuple[tf.Tensor, tf.Tensor]:
    wide = x if x.dtype.size > 2 else tf.cast(x, tf.float32)
    if form == "exact":
        cumulative = 0.5 * tf.math.erf(wide * math.sqrt(0.5)) + 0.5
        density = tf.exp(-0.5 * tf.square(wide)) * math.sqrt(0.5 / math.pi)
    else:
        scale, cube = math.sqrt(2 / math.pi), 0.044715
        cumulative = 0.5 * tf.tanh(scale * (wide + cube * wide**3)) + 0.5
        density = 2 * cumulative * (1 - cumulative) * scale * (1 + 3 * cube * wide**2)
    return tf.cast(wide * cumulative, x.dtype), tf.cast(cumulative + wide * density, x.dtype)


def layer_normalization(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tf.Tensor:
    """Layer normalization over the last axis (arXiv 1607.06450), computed in the dtype of gamma.

    Args:
        x: floats [..., size].
        gamma: [size].
        beta: [size].
        epsilon: added to the variance.

    Returns:
        The shape and dtype of x.
    """

    @tf.custom_gradient
    def norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple:
        wide = tf.cast(x, gamma.dtype)
        centred = wide - tf.reduce_mean(wide, -1, keepdims=True)
        scale = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        normed = centred * scale

        def gradient(dy: tf.Tensor) -> tuple:
            dy = tf.cast(dy, gamma.dtype)
            rows = list(range(dy.shape.rank - 1))
            dgamma, dbeta = tf.reduce_sum(dy * normed, rows), tf.reduce_sum(dy, rows)
            dnormed = dy * gamma
            mean = tf.reduce_mean(dnormed, -1, keepdims=True)
            slope = tf.reduce_mean(dnormed * normed, -1, keepdims=True)
            dx = scale * (dnormed - mean - normed * slope)
            return tf.cast(dx, x.dtype), dgamma, dbeta

        return tf.cast(normed * gamma + beta, x.dtype), gradient

    return norm(x, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))


def random_mask(shape: Sequence[int | tf.Tensor], share: float, seed: tf.Tensor) -> tf.Tensor:
    """Draws for each element, from one byte, whether it is true.

    A byte knows multiples of 1/256 only. Which of the two next to `share` holds is drawn once a call, so that
    each element is true with a probability of exactly `share`.

    Args:
        shape: of the mask.
        share: in (0, 1].
        seed: int64 [2]; the number of the replica is mixed in, so that no two draw the same.

    Returns:
        bool.
    """
    context = tf.distribute.get_replica_context()
    replica = context.replica_id_in_sync_group if context else 0
    seed = tf.cast(seed % tf.int32.max, tf.int32)
    seed = tf.stack([seed[0] + replica, seed[1]])
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([size // 4 + 2], seed, None, None, tf.uint32)
    fraction = tf.cast(words[0], tf.float64) / 2**32
    threshold = tf.saturate_cast(tf.floor((1 - share) * 256 + fraction), tf.uint8)
    values = tf.reshape(tf.bitcast(words[1:], tf.uint8), [-1])[:size]
    return tf.reshape(values, shape) >= threshold
