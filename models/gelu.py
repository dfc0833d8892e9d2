"""The GELU activation with a gradient in few passes over memory."""

import math

import keras


def gelu(x, form: str):
    """x·Φ(x) (arXiv 1606.08415).

    Args:
        x: floats of any shape.
        form: "exact", with the error function, or "tanh", the approximation of the paper's section 2.

    Returns:
        The same shape and dtype.
    """
    if form == "tanh" or keras.backend.backend() != "tensorflow":
        return keras.activations.gelu(x, approximate=form == "tanh")
    return _exact_gelu()(x)


def _exact_gelu():
    import tensorflow as tf  # not above: the function also serves other backends

    @tf.custom_gradient
    def exact(x):
        wide = x if x.dtype.size > 2 else tf.cast(x, tf.float32)
        cdf = 0.5 * tf.math.erf(wide * math.sqrt(0.5)) + 0.5
        density = tf.exp(-0.5 * tf.square(wide)) * math.sqrt(0.5 / math.pi)
        slope = tf.cast(cdf + wide * density, x.dtype)
        return tf.cast(wide * cdf, x.dtype), lambda dy: dy * slope

    return exact
