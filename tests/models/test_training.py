"""The training loop learns, repeats itself, keeps the best epoch, and stops where it must."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.batching import bucketed
from models.config import OptimizerConfig, TrainingConfig
from models.tasks import Classification, Task
from models.training import Epoch, best_epoch, fit


def examples(count, seed, classes=3) -> tf.data.Dataset:
    """The label is told by a third of a text's ids; the others are noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    rows = []
    for label in labels:
        row = rng.integers(4 + classes, 14, rng.integers(3, 40))
        row[rng.permutation(len(row))[: 1 + len(row) // 3]] = 4 + label
        rows.append(row.tolist())
    return tf.data.Dataset.from_tensor_slices(
        {"token_ids": tf.ragged.constant(rows, dtype=tf.int32), "label_id": labels}
    ).batch(64)


def train(make_classifier, folder, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    classifier = make_classifier(seed=seed)
    data, evaluation = examples(160, seed=1), examples(60, seed=2)
    config = TrainingConfig(
        **{"epochs": 6, "optimizer": OptimizerConfig(learning_rate=2e-2), "seed": seed} | settings
    )
    history = fit(
        Classification(classifier.model),
        bucketed(data, 16, 64, shuffle_seed=seed),
        bucketed(evaluation, 16, 64),
        config,
        11,
        folder,
    )
    return classifier, history


def numbers(history):
    return [(epoch.epoch, epoch.train, epoch.eval) for epoch in history]


@pytest.fixture(scope="module")
def trained(make_classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return *train(make_classifier, folder), folder


def test_learns(trained):
    _, history, _ = trained
    assert [epoch.epoch for epoch in history] == list(range(1, len(history) + 1))
    assert history[-1].train["loss"] < 0.5 * history[0].train["loss"]
    assert best_epoch(history).eval["accuracy"] > 0.8  # chance is a third


def test_the_same_seed_gives_the_same_numbers_to_the_last_bit(trained, make_classifier, tmp_path):
    classifier, history, _ = trained
    again, repeated = train(make_classifier, tmp_path)
    assert numbers(repeated) == numbers(history)
    for a, b in zip(classifier.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_writes_tensorboard_events(trained):
    _, history, folder = trained
    [file] = folder.glob("events.out.tfevents.*")
    events = [
        (value.tag, event.step, float(tf.make_ndarray(value.tensor)))
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
    expected = [
        (f"{split}/{name}", epoch.epoch, pytest.approx(value, rel=1e-6))
        for epoch in history
        for split, means in (("train", epoch.train), ("eval", epoch.eval))
        for name, value in means.items()
    ]
    assert events == expected


class Drift(Task):
    """One weight that training only ever raises, with the least eval loss on its way, at `target`."""

    def __init__(self, target, broken_above=np.inf):
        x = keras.Input((1,))
        self.model = keras.Model(x, keras.layers.Dense(1, use_bias=False)(x))
        self.model.set_weights([np.zeros((1, 1))])
        self._target, self._broken_above = target, broken_above

    @property
    def weight(self):
        return float(self.model.get_weights()[0].item())

    def sums(self, batch, training):
        output = tf.reduce_sum(self.model(batch["x"]))
        if training:
            loss = tf.where(output > self._broken_above, np.nan, -output)
        else:
            loss = (output - self._target) ** 2
        return {"loss": (loss, tf.constant(1.0))}


BATCHES = tf.data.Dataset.from_tensors({"x": tf.ones((1, 1))})


def drift(task, folder, **settings):
    optimizer = OptimizerConfig(learning_rate=0.1, warmup_fraction=0, weight_decay=0)
    config = TrainingConfig(**{"epochs": 20, "optimizer": optimizer} | settings)
    return fit(task, BATCHES, BATCHES, config, 1, folder)


def test_stops_early_and_restores_the_best_epoch(tmp_path):
    task = Drift(target=0.3)
    history = drift(task, tmp_path, early_stopping_patience=3)
    best = best_epoch(history)
    assert 1 < best.epoch < 10
    assert len(history) == best.epoch + 3
    assert (task.weight - 0.3) ** 2 == pytest.approx(best.eval["loss"], rel=1e-3)


def test_runs_all_epochs_while_it_gets_better(tmp_path):
    task = Drift(target=100)
    history = drift(task, tmp_path, epochs=4, early_stopping_patience=1)
    assert len(history) == 4
    assert best_epoch(history).epoch == 4
    assert (task.weight - 100) ** 2 == pytest.approx(history[-1].eval["loss"], rel=1e-6)


def test_restores_the_best_epoch_though_patience_never_ran_out(tmp_path):
    task = Drift(target=0.3)
    history = drift(task, tmp_path, early_stopping_patience=20)
    assert len(history) == 20
    assert (task.weight - 0.3) ** 2 == pytest.approx(best_epoch(history).eval["loss"], rel=1e-3)


def test_of_equal_epochs_the_first_is_best():
    history = [Epoch(n, 0.0, {}, {"loss": loss}) for n, loss in enumerate([0.7, 0.5, 0.5], 1)]
    assert best_epoch(history).epoch == 2


def test_a_loss_that_is_no_number_stops_the_training(tmp_path):
    with pytest.raises(FloatingPointError, match="the train loss is nan at batch 1: lower"):
        drift(Drift(target=100, broken_above=0.25), tmp_path)


def test_an_eval_loss_that_is_no_number_stops_the_training(tmp_path):
    with pytest.raises(FloatingPointError, match="the eval loss is nan"):
        drift(Drift(target=np.nan), tmp_path)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_an_empty_split_is_refused(tmp_path, split):
    batches = {"train": BATCHES, "eval": BATCHES} | {split: BATCHES.take(0)}
    with pytest.raises(ValueError, match=f"the {split} split gives no batch"):
        fit(Drift(1.0), batches["train"], batches["eval"], TrainingConfig(), 1, tmp_path)
