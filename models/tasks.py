"""What the training loop knows of a task: a model, and sums to be averaged."""

import abc
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from models.config import DECISION, ClassifierConfig
from models.examples import EXAMPLE_WEIGHT, HAS_CLASS, LABEL_ID, TARGET, Examples
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


def task_of(model: keras.Model, config: ClassifierConfig, balanced: Examples | None = None) -> Task:
    """The task that a text classifier is for.

    Args:
        model: of the classifier.
        config: of the classifier.
        balanced: the training examples, if their classes are to weigh alike.
    """
    if config.task == "regression":
        assert config.target is not None  # ClassifierConfig has seen to it
        return Regression(model, config.target.deviation)
    make = MultiLabel if config.task == "multi_label" else Classification
    if balanced is None:
        return make(model)
    counts = balanced.label_counts(len(config.classes))
    if config.task == "multi_label":
        return MultiLabel(model, positive_weights(counts, len(balanced)))
    return Classification(model, balanced_weights(counts))


def balanced_weights(label_counts: np.ndarray) -> list[float]:
    """A weight for each class, so that all classes weigh the same and an example weighs 1 in the mean.

    Args:
        label_counts: int [classes], examples by class; each at least 1.
    """
    return (label_counts.sum() / (len(label_counts) * label_counts)).tolist()


def positive_weights(label_counts: np.ndarray, examples: int) -> list[float]:
    """A weight for each class's positive examples, so that they weigh as much as its negative ones.

    Args:
        label_counts: int [classes], examples that have the class; each at least 1.
        examples: how many there are.
    """
    return (np.maximum(examples - label_counts, 1) / label_counts).tolist()


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
        logits = _logits(self.model, batch, training)
        labels, rows = batch[LABEL_ID], batch["weight"]
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
        weights = rows
        if training and self._class_weights is not None:
            weights *= tf.gather(tf.constant(self._class_weights, tf.float32), labels)
        weights *= _example_weights(batch, training)
        return {
            "loss": _weighed(loss, weights),
            "accuracy": _weighed(tf.argmax(logits, axis=-1) == labels, rows),
        }


class MultiLabel(Task):
    """Any number of classes an example, with sigmoid cross-entropy.

    Args:
        model: `{"token_ids", "padding_mask"}` → float32 logits [n, classes].
        positive_weights: a factor on the training loss where an example has the class; all 1 by default.
    """

    def __init__(self, model: keras.Model, positive_weights: Sequence[float] | None = None):
        self.model = model
        self._positive_weights = positive_weights

    def sums(self, batch: Batch, training: bool) -> Sums:
        """Sums over the batch's rows of "loss" (nats, the mean over the classes; weighted in training only)
        and of "accuracy" (rows with every class right).
        """
        logits = _logits(self.model, batch, training)
        labels, rows = batch[HAS_CLASS], batch["weight"]
        if training and self._positive_weights is not None:
            factors = tf.constant(self._positive_weights, tf.float32)
            losses = tf.nn.weighted_cross_entropy_with_logits(labels, logits, factors)
        else:
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels, logits)
        right = tf.reduce_all((tf.sigmoid(logits) >= DECISION) == (labels > 0), axis=-1)
        return {
            "loss": _weighed(
                tf.reduce_mean(losses, axis=-1), rows * _example_weights(batch, training)
            ),
            "accuracy": _weighed(right, rows),
        }


class Regression(Task):
    """A number an example, with the squared error of targets of mean 0 and deviation 1.

    Args:
        model: `{"token_ids", "padding_mask"}` → float32 [n, 1], on the targets' scale.
        deviation: of the labels in their own units, in which the absolute error is told.
    """

    def __init__(self, model: keras.Model, deviation: float = 1.0):
        self.model = model
        self._deviation = deviation

    def sums(self, batch: Batch, training: bool) -> Sums:
        """Sums over the batch's rows of "loss" (the squared error of the scaled target; weighted in training
        only) and "mae" (the absolute error, in the label's own units).
        """
        errors = _logits(self.model, batch, training)[:, 0] - batch[TARGET]
        rows = batch["weight"]
        return {
            "loss": _weighed(errors**2, rows * _example_weights(batch, training)),
            "mae": _weighed(tf.abs(errors) * self._deviation, rows),
        }


def _logits(model: keras.Model, batch: Batch, training: bool) -> tf.Tensor:
    inputs = {"token_ids": batch["token_ids"], "padding_mask": batch["padding_mask"]}
    return tf.cast(model(inputs, training=training), tf.float32)


def _example_weights(batch: Batch, training: bool) -> tf.Tensor | float:
    """Factors on the rows' loss."""
    return batch[EXAMPLE_WEIGHT] if training and EXAMPLE_WEIGHT in batch else 1.0


def _weighed(values: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The weighted sum of [n] values, and the sum of the weights."""
    return tf.reduce_sum(tf.cast(values, tf.float32) * weights), tf.reduce_sum(weights)


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
