"""Causal language modelling: each token is to be told from those before it."""

import keras
import tensorflow as tf

from models.tasks import Batch, Sums, Task


class CausalLm(Task):
    """Next-token cross-entropy over every token whose successor is in the same sequence.

    Args:
        model: of `models.gpt.model.build_gpt`.
    """

    def __init__(self, model: keras.Model):
        self.model = model

    def sums(self, batch: Batch, training: bool) -> Sums:
        """Sums of "loss" (nats) and "accuracy" over the predicted tokens, weighed by their row's `weight`.

        Args:
            batch: `token_ids`, `sequence_ids` (0 = padding), `position_ids`, all int32 [n, length], and
                `weight`, float32 [n].
            training: whether dropout is on.
        """
        inputs = {name: batch[name] for name in ("token_ids", "sequence_ids", "position_ids")}
        logits = self.model(inputs, training=training)
        # The last token of a row has no successor. It gets weight 0 instead of being cut off: cutting would
        # copy the logits, by far the largest tensor.
        successors = _shifted(batch["token_ids"])
        sequences = batch["sequence_ids"]
        predicted = (sequences > 0) & (sequences == _shifted(sequences))
        weights = tf.cast(predicted, tf.float32) * batch["weight"][:, tf.newaxis]
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=successors, logits=logits)
        hits = tf.argmax(logits, axis=-1, output_type=tf.int32) == successors
        total = tf.reduce_sum(weights)
        return {
            "loss": (tf.reduce_sum(loss * weights), total),
            "accuracy": (tf.reduce_sum(tf.cast(hits, tf.float32) * weights), total),
        }


def _shifted(values: tf.Tensor) -> tf.Tensor:
    """[n, length] with each value one place earlier, and 0 at the end."""
    return tf.pad(values[:, 1:], [[0, 0], [0, 1]])
