"""What layers compute in, and the loss scale that float16 needs."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf

_GROW_AFTER = 2000  # updates in a row without an overflow
_LOWEST = 1.0


@contextlib.contextmanager
def precision(policy: str) -> Iterator[None]:
    """Layers that are built inside compute in `policy` ("float32", "mixed_bfloat16", "mixed_float16")."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class LossScale(tf.Module):
    """A factor on the loss that keeps small float16 gradients from becoming 0 (arXiv 1710.03740, 3.2).

    It is halved when a gradient overflows, and doubled after 2,000 updates without one. Keras's
    LossScaleOptimizer does the same, but only around Keras's optimizers, and without an end: here a factor
    below 1 says that a gradient overflowed at 1 too.

    Args:
        policy: the factor is 1 and stays so unless this is "mixed_float16".

    Attributes:
        value: float32 scalar.
    """

    def __init__(self, policy: str):
        super().__init__()
        self.is_dynamic = policy == "mixed_float16"
        # Each replica computes the same; tf.distribute wants to be told whose result counts.
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.value = tf.Variable(
            2.0**15 if self.is_dynamic else 1.0, trainable=False, aggregation=first
        )
        self._good = tf.Variable(0, trainable=False, aggregation=first)

    @property
    def is_exhausted(self) -> bool:
        """Whether a gradient that overflowed would do so at every scale."""
        return not self.is_dynamic or float(self.value.numpy()) < _LOWEST

    def update(self, ok: tf.Tensor) -> None:
        """Learns whether all gradients of an update were finite (bool scalar)."""
        if not self.is_dynamic:
            return
        good = tf.where(ok, self._good + 1, 0)
        grow = good >= _GROW_AFTER
        factor = tf.where(ok, tf.where(grow, 2.0, 1.0), 0.5)
        self.value.assign(tf.maximum(self.value * factor, _LOWEST / 2))
        self._good.assign(tf.where(grow, 0, good))
