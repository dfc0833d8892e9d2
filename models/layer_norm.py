"""Layer normalization with a gradient in few passes over memory."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="sciformer")
class LayerNorm(keras.layers.Layer):
    """Layer normalization over the last axis (arXiv 1607.06450), in float32 whatever the layer computes in.

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        """Makes gamma and beta, float32 [last axis]."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", autocast=False)

    def call(self, x):
        """Floats [..., size] → the same shape in the layer's dtype."""
        norm = _layer_norm if keras.backend.backend() == "tensorflow" else ops.layer_normalization
        y = norm(x, self.gamma, self.beta, epsilon=self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return super().get_config() | {"epsilon": self.epsilon}


def _layer_norm(x: Any, gamma: Any, beta: Any, epsilon: float) -> Any:
    import tensorflow as tf  # not above: the layer also serves other backends

    @tf.custom_gradient
    def norm(x, gamma, beta):
        wide = tf.cast(x, gamma.dtype)
        centred = wide - tf.reduce_mean(wide, -1, keepdims=True)
        scale = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), -1, keepdims=True) + epsilon)
        normed = centred * scale

        def gradient(dy):
            dy = tf.cast(dy, gamma.dtype)
            axes = list(range(dy.shape.rank - 1))
            product = dy * normed
            dgamma, dbeta = tf.reduce_sum(product, axes), tf.reduce_sum(dy, axes)
            dnormed = dy * gamma
            mean = tf.reduce_mean(dnormed, -1, keepdims=True)
            mean_product = tf.reduce_mean(dnormed * normed, -1, keepdims=True)
            dx = scale * (dnormed - mean - normed * mean_product)
            return tf.cast(dx, x.dtype), dgamma, dbeta

        return tf.cast(normed * gamma + beta, x.dtype), gradient

    return norm(x, tf.convert_to_tensor(gamma), tf.convert_to_tensor(beta))
