"""The training loop learns, repeats itself, keeps the best epoch, and stops where it must."""

import copy
import dataclasses
import json
import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import OptimizerConfig, TrainingConfig
from models.examples import Examples
from models.history import Epoch, History
from models.tasks import Classification, Task
from models.training import NotFiniteError, fit


def examples(count, seed, classes=3) -> Examples:
    """The label is told by a third of a text's ids; the others are noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    rows = []
    for label in labels:
        row = rng.integers(4 + classes, 14, rng.integers(3, 40))
        row[rng.permutation(len(row))[: 1 + len(row) // 3]] = 4 + label
        rows.append(row.tolist())
    return Examples.from_rows(rows, labels)


def train(make_classifier, folder, seed=0, **settings):
    keras.utils.set_random_seed(seed)
    classifier = make_classifier(seed=seed)
    data, evaluation = examples(160, seed=1), examples(60, seed=2)
    config = TrainingConfig(
        **{"epochs": 6, "optimizer": OptimizerConfig(learning_rate=2e-2), "seed": seed} | settings
    )
    history = fit(Classification(classifier.model), data, evaluation, config, folder)
    return classifier, history


def numbers(history):
    """All that does not depend on the clock."""
    return (
        [(epoch.epoch, epoch.train, epoch.eval) for epoch in history.epochs],
        [(step.step, step.loss, step.gradient_norm, step.learning_rate) for step in history.steps],
    )


@pytest.fixture(scope="module")
def trained(make_classifier, tmp_path_factory):
    folder = tmp_path_factory.mktemp("logs")
    return *train(make_classifier, folder), folder


def test_learns(trained):
    _, history, _ = trained
    epochs = history.epochs
    assert [epoch.epoch for epoch in epochs] == list(range(1, len(epochs) + 1))
    assert epochs[-1].train["loss"] < 0.5 * epochs[0].train["loss"]
    assert history.best.eval["accuracy"] > 0.8  # chance is a third


def test_reports_every_update(trained):
    _, history, _ = trained
    assert [step.step for step in history.steps] == list(range(1, 10 * len(history.epochs) + 1))
    data = examples(160, seed=1)
    first = history.steps[:10]
    assert sum(step.tokens for step in first) == data.lengths.sum()
    assert all(step.tokens <= step.positions for step in first)
    mean = np.average([step.loss for step in first], weights=[16] * 10)
    assert mean == pytest.approx(history.epochs[0].train["loss"], rel=1e-6)


def test_writes_the_history(trained):
    _, history, folder = trained
    written = json.loads((folder / "history.json").read_text())
    assert [epoch["eval"] for epoch in written["epochs"]] == [e.eval for e in history.epochs]
    assert [step["loss"] for step in written["steps"]] == [step.loss for step in history.steps]


def test_the_same_seed_gives_the_same_numbers_to_the_last_bit(trained, make_classifier, tmp_path):
    classifier, history, _ = trained
    again, repeated = train(make_classifier, tmp_path)
    assert numbers(repeated) == numbers(history)
    for a, b in zip(classifier.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_several_updates_a_call_change_nothing(trained, make_classifier, tmp_path):
    classifier, history, _ = trained
    again, repeated = train(make_classifier, tmp_path, steps_per_call=4)
    assert numbers(repeated) == numbers(history)
    for a, b in zip(classifier.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(a, b)


def test_a_token_budget_fills_batches_up_to_it(make_classifier, tmp_path):
    _, history = train(make_classifier, tmp_path, tokens_per_batch=200, epochs=1)
    positions = [step.positions for step in history.steps]
    assert max(positions) <= 200
    assert np.mean(positions) > 150
    assert sum(step.tokens for step in history.steps) == examples(160, seed=1).lengths.sum()


class Listening:
    def __init__(self):
        self.restored, self.steps, self.epochs, self.closed = None, [], [], 0

    def on_restore(self, history):
        self.restored = copy.deepcopy(history)

    def on_step(self, step):
        self.steps.append(step)

    def on_epoch(self, epoch):
        self.epochs.append(epoch)

    def close(self):
        self.closed += 1


def test_tells_its_listeners_of_every_update_and_epoch(make_classifier, tmp_path):
    listener = Listening()
    classifier = make_classifier()
    history = fit(
        Classification(classifier.model),
        examples(40, seed=1),
        examples(20, seed=2),
        TrainingConfig(epochs=2),
        tmp_path,
        listeners=[listener],
    )
    assert listener.steps == history.steps
    assert listener.epochs == history.epochs
    assert listener.restored is None
    assert listener.closed == 1


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
        output = tf.reduce_sum(self.model(batch["weight"][:, tf.newaxis]))
        if training:
            loss = tf.where(output > self._broken_above, np.nan, -output)
        else:
            loss = (output - self._target) ** 2
        return {"loss": (loss, tf.constant(1.0))}


ONE_ROW = Examples.from_rows([[5, 6]], [0])


def drift(task, folder, listeners=(), **settings):
    optimizer = OptimizerConfig(
        learning_rate=0.1, warmup_fraction=0, weight_decay=0, schedule="linear"
    )
    config = TrainingConfig(**{"epochs": 20, "optimizer": optimizer} | settings)
    return fit(task, ONE_ROW, ONE_ROW, config, folder, listeners=listeners)


def test_a_resumed_training_tells_its_listeners_what_was_before(tmp_path):
    before = drift(Drift(target=100), tmp_path, epochs=3)
    listener = Listening()
    after = drift(Drift(target=100), tmp_path, [listener], epochs=5)
    assert listener.restored == before
    assert before.steps + listener.steps == after.steps
    assert before.epochs + listener.epochs == after.epochs


def test_a_history_is_told_again_in_its_order(tmp_path):
    history = drift(Drift(target=100), tmp_path, epochs=3)
    heard = []
    listener = Listening()
    listener.on_step = listener.on_epoch = heard.append
    history.replay(listener, steps_per_epoch=1)
    assert heard == [
        event for both in zip(history.steps, history.epochs, strict=True) for event in both
    ]


def test_stops_early_and_restores_the_best_epoch(tmp_path, caplog):
    task = Drift(target=0.3)
    with caplog.at_level(logging.INFO, "sciformer.training"):
        history = drift(task, tmp_path, early_stopping_patience=3)
    best = history.best
    assert 1 < best.epoch < 10
    assert len(history.epochs) == best.epoch + 3
    assert (task.weight - 0.3) ** 2 == pytest.approx(best.eval["loss"], rel=1e-3)
    assert "no lower eval loss for 3 epochs: stopping" in caplog.text


def test_runs_all_epochs_while_it_gets_better(tmp_path):
    task = Drift(target=100)
    history = drift(task, tmp_path, epochs=4, early_stopping_patience=1)
    assert len(history.epochs) == 4
    assert history.best.epoch == 4
    assert (task.weight - 100) ** 2 == pytest.approx(history.epochs[-1].eval["loss"], rel=1e-6)


def test_restores_the_best_epoch_though_patience_never_ran_out(tmp_path):
    task = Drift(target=0.3)
    history = drift(task, tmp_path, early_stopping_patience=20)
    assert len(history.epochs) == 20
    assert (task.weight - 0.3) ** 2 == pytest.approx(history.best.eval["loss"], rel=1e-3)


def test_of_equal_epochs_the_first_is_best():
    history = History(
        [Epoch(n, 0.0, 0.0, {}, {"loss": x}) for n, x in enumerate([0.7, 0.5, 0.5], 1)]
    )
    assert history.best.epoch == 2


def test_a_loss_that_is_no_number_stops_the_training_and_says_where(tmp_path):
    with pytest.raises(NotFiniteError) as caught:
        drift(Drift(target=100, broken_above=0.25), tmp_path)
    message = str(caught.value)
    assert "the loss is nan in update 4 (epoch 4, batch 1; rows 0 of the train split)" in message
    assert f"Last good checkpoint: {tmp_path}/checkpoints/step-0000000003-epoch-0003" in message


class Steep(Drift):
    """A gradient that float16 holds only at a small enough loss scale, if at all."""

    def __init__(self, slope):
        super().__init__(target=0)
        self._slope = slope

    def sums(self, batch, training):
        [(loss, weight)] = super().sums(batch, training).values()
        return {"loss": (loss * self._slope, weight)}


def test_updates_that_float16_skips_are_counted(tmp_path, caplog):
    # The norm's square leaves float32 at every scale from 2 ** 15 down to 2 ** 8.
    settings = {"precision": "mixed_float16", "early_stopping_patience": 20}
    with caplog.at_level(logging.INFO, "sciformer.training"):
        history = drift(Steep(1e17), tmp_path, **settings)
    assert [step.skipped for step in history.steps] == [True] * 8 + [False] * 12
    assert [epoch.skipped for epoch in history.epochs] == [1] * 8 + [0] * 12
    assert caplog.text.count("1 updates skipped") == 8

    def refuse(constant):
        raise ValueError(f"{constant} is not JSON")

    text = (tmp_path / "history.json").read_text()
    norms = [s["gradient_norm"] for s in json.loads(text, parse_constant=refuse)["steps"]]
    assert norms[:8] == [None] * 8
    assert all(norm > 1e16 for norm in norms[8:])


def test_a_gradient_that_no_loss_scale_helps_stops_the_training(tmp_path):
    settings = {"precision": "mixed_float16", "early_stopping_patience": 20}
    with pytest.raises(NotFiniteError) as caught:
        drift(Steep(1e20), tmp_path, **settings)
    message = str(caught.value)
    assert (
        "the gradient is inf in update 16 (at the lowest loss scale, epoch 16, batch 1" in message
    )
    assert f"Last good checkpoint: {tmp_path}/checkpoints/step-0000000015-epoch-0015" in message


def test_an_eval_loss_that_is_no_number_stops_the_training(tmp_path):
    with pytest.raises(NotFiniteError, match="the eval loss is nan"):
        drift(Drift(target=np.nan), tmp_path)


@pytest.mark.parametrize("split", ["train", "eval"])
def test_an_empty_split_is_refused(tmp_path, split):
    splits = {"train": ONE_ROW, "eval": ONE_ROW} | {split: Examples.from_rows([], [])}
    with pytest.raises(ValueError, match=f"the {split} split gives no batch"):
        fit(Drift(1.0), splits["train"], splits["eval"], TrainingConfig(), tmp_path)


def test_examples_weights_reach_the_loss(make_classifier, tmp_path):
    def first_loss(weights):
        data = dataclasses.replace(examples(40, seed=1), weights=weights)
        config = TrainingConfig(epochs=1, batch_size=40)
        task = Classification(make_classifier(seed=0).model)
        fit(task, data, examples(10, seed=2), config, tmp_path / f"{weights is None}")
        history = json.loads((tmp_path / f"{weights is None}" / "history.json").read_text())
        return history["steps"][0]["loss"]

    weights = np.arange(40, dtype=np.float32) / 20
    assert abs(first_loss(weights) - first_loss(None)) > 1e-3
