"""Layer normalization with a gradient in few passes over memory."""

from typing import Any

import keras
from keras import ops

if keras.backend.backend() == "tensorflow":
    from models import tensorflow_ops


@keras.saving.register_keras_serializable(package="sciformer")
class LayerNorm(keras.layers.Layer):
    """Layer normalization over the last axis (arXiv 1607.06450), in float32 whatever the layer computes in.

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, epsilon: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple) -> None:
        """Makes gamma and beta, float32 [last axis]."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones", autocast=False)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros", autocast=False)

    def call(self, x: Any) -> Any:
        """Floats [..., size] → the same shape in the layer's dtype."""
        source = tensorflow_ops if keras.backend.backend() == "tensorflow" else ops
        y = source.layer_normalization(x, self.gamma, self.beta, epsilon=self.epsilon)
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The input's."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {"epsilon": self.epsilon}
