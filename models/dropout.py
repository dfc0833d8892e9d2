"""Dropout from one random byte an element."""

from typing import Any

import keras
from keras import ops

if keras.backend.backend() == "tensorflow":
    from models import tensorflow_ops


@keras.saving.register_keras_serializable(package="sciformer")
class Dropout(keras.layers.Layer):
    """Sets a share of the elements to 0 in training and scales the others so that the mean stays.

    Drawing random numbers was a sixth of the time of a train step on a CPU, so an element gets a byte of
    them instead of the four that keras.layers.Dropout draws. A byte allows only multiples of 1/256 as a
    rate; each call draws which of the two next to `rate` it takes, so that an element is dropped with a
    probability of exactly `rate`.

    The seed is a Keras variable that moves on with each call in training: a checkpoint of the model's
    variables holds what will be dropped next. Replicas of a tf.distribute strategy drop differently.

    Args:
        rate: share of the elements to drop, in [0, 1).
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(name=f"{self.name}_seed") if rate else None

    def call(self, x: Any, training: bool = False) -> Any:
        """Any shape and float dtype → the same."""
        if not (training and self.seed_generator):
            return x
        if keras.backend.backend() != "tensorflow":
            return keras.random.dropout(x, self.rate, seed=self.seed_generator)
        seed = self.seed_generator.next()
        kept = tensorflow_ops.random_mask(ops.shape(x), 1 - self.rate, seed)
        return x * (ops.cast(kept, x.dtype) * ops.cast(1 / (1 - self.rate), x.dtype))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The input's."""
        return input_shape

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return super().get_config() | {"rate": self.rate}
