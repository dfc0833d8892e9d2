"""Dropout from one random byte an element."""

import keras
from keras import ops


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

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator(name=f"{self.name}_seed") if rate else None

    def call(self, x, training=False):
        """Any shape and float dtype → the same."""
        if not (training and self.rate):
            return x
        if keras.backend.backend() != "tensorflow":
            return keras.random.dropout(x, self.rate, seed=self.seed_generator)
        kept = random_mask(ops.shape(x), 1 - self.rate, self.seed_generator.next())
        return x * (ops.cast(kept, x.dtype) * ops.cast(1 / (1 - self.rate), x.dtype))

    def compute_output_shape(self, input_shape):
        """The input's."""
        return input_shape

    def get_config(self):
        """The constructor's arguments."""
        return super().get_config() | {"rate": self.rate}


def random_mask(shape, share: float, seed):
    """A bool tensor of `shape`, each element true with the probability `share`.

    Args:
        shape: of ints and scalar tensors.
        share: in (0, 1].
        seed: int64 [2]; the replica's number is mixed in.
    """
    import tensorflow as tf  # not above: the layer also serves other backends

    replica = tf.distribute.get_replica_context()
    seed = tf.cast(seed % tf.int32.max, tf.int32) + [
        replica.replica_id_in_sync_group if replica else 0,
        0,
    ]
    size = tf.reduce_prod(shape)
    words = tf.random.stateless_uniform([size // 4 + 2], seed, None, None, tf.uint32)
    fraction = tf.cast(words[0], tf.float64) / 2**32
    threshold = tf.saturate_cast(tf.floor((1 - share) * 256 + fraction), tf.uint8)
    values = tf.reshape(tf.bitcast(words[1:], tf.uint8), [-1])[:size]
    return tf.reshape(values, shape) >= threshold
