"""The sums of one class, several classes and numbers against their formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_class_weight

from models.tasks import (
    Classification,
    MultiLabel,
    Regression,
    balanced_weights,
    positive_weights,
)

LOGITS = np.array([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-3.0, 1.0, 1.5], [0.0, 4.0, 0.0]])
LABELS = np.array([0, 0, 2, 1])


def task(class_weights=None) -> Classification:
    """A model that looks the logits of row i up by its first id, i."""
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    table = keras.layers.Embedding(len(LOGITS), 3)
    logits = table(token_ids * mask)[:, 0]
    model = keras.Model({"token_ids": token_ids, "padding_mask": mask}, logits)
    table.set_weights([LOGITS])
    return Classification(model, class_weights)


def means(sums) -> dict[str, float]:
    return {name: float(total / weight) for name, (total, weight) in sums.items()}


def batch(rows=range(4), weights=None) -> dict[str, tf.Tensor]:
    ids = tf.constant([[row, 0] for row in rows], tf.int32)
    return {
        "token_ids": ids,
        "padding_mask": tf.ones_like(ids),
        "label_id": tf.constant(LABELS[list(rows)], tf.int64),
        "weight": tf.constant(weights or [1] * len(rows), tf.float32),
    }


@pytest.mark.parametrize("training", [True, False])
def test_loss_and_accuracy_are_the_usual_means(training):
    found = means(task().sums(batch(), training))
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
    assert found["loss"] == pytest.approx(log_loss(LABELS, probabilities), rel=1e-6)
    assert found["accuracy"] == 0.75


def test_sums_of_parts_add_up():
    whole, parts = (
        task().sums(batch(), False),
        [task().sums(batch(r), False) for r in ([0], [1, 2, 3])],
    )
    for name, (total, weight) in whole.items():
        assert float(total) == pytest.approx(sum(float(p[name][0]) for p in parts), rel=1e-6)
        assert float(weight) == sum(float(p[name][1]) for p in parts) == 4


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("class_weights", [None, [0.5, 4.0, 2.0]])
def test_a_row_of_weight_0_changes_nothing(training, class_weights):
    without = task(class_weights).sums(batch([0, 1, 3]), training)
    with_it = task(class_weights).sums(batch([0, 1, 2, 3, 3], [1, 1, 0, 1, 0]), training)
    for name, (total, weight) in without.items():
        assert float(with_it[name][0]) == pytest.approx(float(total), rel=1e-6)
        assert float(with_it[name][1]) == float(weight)


def test_a_batch_of_weight_0_sums_to_nothing():
    sums = task([0.5, 4.0, 2.0]).sums(batch([1, 1], [0, 0]), True)
    assert [(float(total), float(weight)) for total, weight in sums.values()] == [(0, 0)] * 2


def test_class_weights_weigh_the_training_loss_only():
    weights = [0.5, 4.0, 2.0]
    weighted = task(weights)
    losses = np.log(np.exp(LOGITS).sum(1)) - LOGITS[range(4), LABELS]
    factors = np.array(weights)[LABELS]
    trained = means(weighted.sums(batch(), True))
    assert trained["loss"] == pytest.approx(np.average(losses, weights=factors), rel=1e-6)
    assert trained["accuracy"] == 0.75
    assert means(weighted.sums(batch(), False))["loss"] == pytest.approx(losses.mean(), rel=1e-6)


@pytest.mark.parametrize("class_weights", [None, [0.5, 4.0, 2.0]])
def test_an_examples_weight_counts_it_so_often_in_the_training_loss_only(class_weights):
    weights = tf.constant([2.0, 0.0, 1.0, 3.0])
    weighted = batch() | {"example_weight": weights}
    repeated = task(class_weights).sums(batch([0, 0, 2, 3, 3, 3]), True)["loss"]
    trained = task(class_weights).sums(weighted, True)
    for found, expected in zip(trained["loss"], repeated, strict=True):
        assert float(found) == pytest.approx(float(expected), rel=1e-6)
    assert means(trained)["accuracy"] == 0.75
    assert means(task().sums(weighted, False)) == means(task().sums(batch(), False))


def test_balanced_weights_are_scikit_learns():
    labels = [0] * 70 + [1] * 5 + [2] * 25
    counts = np.bincount(labels)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    assert balanced_weights(counts) == pytest.approx(expected)
    assert np.dot(balanced_weights(counts), counts) == pytest.approx(100)


HAS_CLASS = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], np.float32)
TARGETS = np.array([1.0, -0.5, 0.0, 2.0], np.float32)


def labelled(rows=range(4), weights=None) -> dict[str, tf.Tensor]:
    """The same rows with several classes, and with a number."""
    chosen = list(rows)
    return batch(rows, weights) | {
        "has_class": tf.constant(HAS_CLASS[chosen]),
        "target": tf.constant(TARGETS[chosen]),
    }


def sigmoid_losses(factors=1.0) -> np.ndarray:
    """Float [4]: cross-entropy, the mean over the classes, positives times a factor a class."""
    p = 1 / (1 + np.exp(-LOGITS))
    return -(factors * HAS_CLASS * np.log(p) + (1 - HAS_CLASS) * np.log(1 - p)).mean(1)


def test_several_classes_have_sigmoid_cross_entropy():
    found = means(MultiLabel(task().model).sums(labelled(), True))
    assert found["loss"] == pytest.approx(sigmoid_losses().mean(), rel=1e-6)
    decided = (LOGITS >= 0) == (HAS_CLASS > 0)
    assert found["accuracy"] == decided.all(1).mean()


def test_positive_weights_weigh_the_training_loss_only():
    factors = positive_weights(HAS_CLASS.sum(0), len(HAS_CLASS))
    assert factors == [1.0, 1.0, 3.0]
    weighted = MultiLabel(task().model, factors)
    trained, measured = (means(weighted.sums(labelled(), training)) for training in (True, False))
    assert trained["loss"] == pytest.approx(sigmoid_losses(np.array(factors)).mean(), rel=1e-6)
    assert measured["loss"] == pytest.approx(sigmoid_losses().mean(), rel=1e-6)


def test_a_number_has_the_squared_error_of_the_scaled_target_and_an_error_in_its_own_units():
    numbers = Regression(first_logit(), deviation=10.0)
    found = means(numbers.sums(labelled(), True))
    errors = LOGITS[:, 0] - TARGETS
    assert found["loss"] == pytest.approx((errors**2).mean(), rel=1e-6)
    assert found["mae"] == pytest.approx(10 * np.abs(errors).mean(), rel=1e-6)


def first_logit() -> keras.Model:
    model = task().model
    return keras.Model(model.input, model.output[:, :1])


@pytest.mark.parametrize(
    "make", [lambda: MultiLabel(task().model), lambda: Regression(first_logit())]
)
def test_weights_count_rows_of_several_classes_and_of_numbers(make):
    """A row of weight 0 is no row; an example's weight counts it so often, in training only."""
    other = make()
    without = other.sums(labelled([0, 1, 3]), True)
    with_it = other.sums(labelled([0, 1, 2, 3], [1, 1, 0, 1]), True)
    for name, sums in without.items():
        assert [float(s) for s in with_it[name]] == pytest.approx([float(s) for s in sums])
    weighed = labelled() | {"example_weight": tf.constant([2.0, 0.0, 1.0, 3.0])}
    repeated = other.sums(labelled([0, 0, 2, 3, 3, 3]), True)["loss"]
    assert [float(s) for s in other.sums(weighed, True)["loss"]] == pytest.approx(
        [float(s) for s in repeated]
    )
    assert means(other.sums(weighed, False)) == means(other.sums(labelled(), False))
