"""What the training loop knows of a task: a model, and sums to be averaged."""

import abc
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models.examples import EXAMPLE_WEIGHT
from models.pretrainer import MASKED_LM, NEXT_SENTENCE

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
            batch: what `models.batching.distribute` gives, of one part; a row whose `weight` is 0 must
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
        if training and EXAMPLE_WEIGHT in batch:
            weights *= batch[EXAMPLE_WEIGHT]
        hits = tf.cast(tf.argmax(logits, axis=-1) == labels, tf.float32)
        return {
            "loss": (tf.reduce_sum(loss * weights), tf.reduce_sum(weights)),
            "accuracy": (tf.reduce_sum(hits * rows), tf.reduce_sum(rows)),
        }


class BertPretraining(Task):
    """Masked tokens, and next sentences if the model has a head for them.

    The loss is Google's (arXiv 1810.04805, appendix A.2): the mean over the masks of a batch plus the mean
    over its sentence pairs. As the loop divides the loss by one weight, that of the masks, a pair's loss is
    multiplied by the whole batch's masks a pair, which `models.masking.MaskedRows` has counted.

    Args:
        model: of `models.pretrainer.build_pretrainer`.
    """

    def __init__(self, model: keras.Model):
        self.model = model

    def sums(self, batch: Batch, training: bool) -> Sums:
        """Sums of "loss", "mlm_loss" and "mlm_accuracy" over the masks, and of "nsp_loss" and "nsp_accuracy"
        over the labelled pairs, if there is a head; losses in nats.
        """
        inputs = {name: batch[name] for name in self.model.input}
        outputs = self.model(inputs, training=training)
        rows = batch["weight"][:, tf.newaxis]
        mlm_loss, hits, masks = _cross_entropy(
            outputs[MASKED_LM], batch["masked_ids"], batch["masked_weights"] * rows
        )
        loss = mlm_loss
        sums = {"mlm_loss": (mlm_loss, masks), "mlm_accuracy": (hits, masks)}
        if NEXT_SENTENCE in outputs:
            labels, logits = batch["next_label"], outputs[NEXT_SENTENCE]
            weights = tf.cast(labels >= 0, tf.float32) * rows
            scaled, _, _ = _cross_entropy(
                logits, labels, weights * batch["next_scale"][:, tf.newaxis]
            )
            loss += scaled
            nsp_loss, hits, pairs = _cross_entropy(logits, labels, weights)
            sums |= {"nsp_loss": (nsp_loss, pairs), "nsp_accuracy": (hits, pairs)}
        return {"loss": (loss, masks)} | sums


def _cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Sums of the weighted losses (nats), of the weights of right guesses, and of the weights.

    Args:
        logits: float32 [n, classes].
        labels: ints of n elements; any where the weight is 0.
        weights: float32 of n elements.
    """
    labels, weights = tf.reshape(tf.maximum(labels, 0), [-1]), tf.reshape(weights, [-1])
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    hits = tf.argmax(logits, axis=-1, output_type=labels.dtype) == labels
    return (
        tf.reduce_sum(losses * weights),
        tf.reduce_sum(tf.cast(hits, tf.float32) * weights),
        tf.reduce_sum(weights),
    )
