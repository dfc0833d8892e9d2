"""What the training loop knows of a task: a model, and sums to be averaged."""

import abc
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

Batch = dict[str, tf.Tensor]
Sums = dict[str, tuple[tf.Tensor, tf.Tensor]]


class Task(abc.ABC):
    """A model with its loss and metrics.

    A task returns sums and weights instead of means, so that the loop can add them over micro-batches,
    replicas and batches, and divide once.

    Attributes:
        model: the Keras model whose trainable variables the loop updates.
    """

    model: keras.Model

    @abc.abstractmethod
    def sums(self, batch: Batch, training: bool) -> Sums:
        """Runs the model on one batch.

        Args:
            batch: what `models.batching.micro_batches` makes, of one part; a row whose `weight` is 0 must
                change neither sums nor weights.
            training: whether dropout is on.

        Returns:
            By name, (float32 sum, float32 weight), both scalars; "loss" is among them and is minimised.
        """


def balanced_weights(label_counts: np.ndarray) -> list[float]:
    """A weight for each class, so that all classes weigh the same and an example weighs 1 in the mean.

    Args:
        label_counts: int [classes], examples by class; each at least 1.
    """
    return (label_counts.sum() / (len(label_counts) * label_counts)).tolist()


class Classification(Task):
    """Single-label classification with softmax cross-entropy.

    Args:
        model: `{"token_ids", "padding_mask"}` → float32 logits [n, classes].
        class_weights: a factor on each class's training loss; all 1 by default.
    """

    def __init__(self, model: keras.Model, class_weights: Sequence[float] | None = None):
        self.model = model
        self._class_weights = class_weights

    def sums(self, batch: Batch, training: bool) -> Sums:
        """Sums of "loss" (nats; weighted in training only) and "accuracy" over the batch's rows."""
        inputs = {"token_ids": batch["token_ids"], "padding_mask": batch["padding_mask"]}
        logits = tf.cast(self.model(inputs, training=training), tf.float32)
        labels, rows = batch["label_id"], batch["weight"]
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        weights = rows
        if training and self._class_weights is not None:
            weights *= tf.gather(tf.constant(self._class_weights, tf.float32), labels)
        hits = tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32)
        return {
            "loss": (tf.reduce_sum(loss * weights), tf.reduce_sum(weights)),
            "accuracy": (tf.reduce_sum(hits * rows), tf.reduce_sum(rows)),
        }
