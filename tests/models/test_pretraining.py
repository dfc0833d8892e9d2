"""A whole pretraining: it learns, and one that was stopped ends with the same bits."""

import keras
import numpy as np
import pytest

from models.config import (
    BackboneConfig,
    CheckpointConfig,
    MaskingConfig,
    OptimizerConfig,
    TrainingConfig,
)
from models.masking import MaskedRows, Masking
from models.pretrainer import build_pretrainer
from models.sequence_rows import SequenceRows
from models.tasks import BertPretraining
from models.training import fit

pytestmark = pytest.mark.slow

LETTERS = "abcdefgh"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS]
CLS, SEP, FIRST = 2, 3, 5


def make_rows(count, seed) -> SequenceRows:
    """Packed pairs: a segment is one letter again and again; that which comes next is of the same letter."""
    rng = np.random.default_rng(seed)
    rows, seconds, labels = [], [], []
    for _ in range(count):
        sequences, starts, randoms = [], [], []
        for _ in range(rng.integers(1, 4)):
            letter, is_random = rng.integers(len(LETTERS)), rng.integers(2)
            other = (letter + is_random * rng.integers(1, len(LETTERS))) % len(LETTERS)
            a, b = ([FIRST + one] * rng.integers(4, 9) for one in (letter, other))
            sequences.append([CLS, *a, SEP, *b, SEP])
            starts.append(len(a) + 2)
            randoms.append(is_random)
        rows.append(sequences)
        seconds.append(starts)
        labels.append(randoms)
    return SequenceRows.from_sequences(rows, seconds, labels)


def train(folder, listeners=(), dropout=0.1, layers=1, **settings):
    keras.utils.set_random_seed(3)
    config = BackboneConfig(
        vocabulary_size=len(VOCABULARY),
        num_layers=layers,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=64,
        max_sequence_length=64,
        dropout=dropout,
        gelu="tanh",  # compiles nothing
    )
    model = build_pretrainer(config, next_sentence=True)
    masking = Masking(VOCABULARY, MaskingConfig())
    training = TrainingConfig(
        **{
            "epochs": 2,
            "batch_size": 16,
            "optimizer": OptimizerConfig(learning_rate=5e-3, schedule="constant"),
            "checkpoint": CheckpointConfig(every_seconds=0),
            "seed": 4,
        }
        | settings
    )
    train, evaluation = (
        MaskedRows(make_rows(count, seed), masking, training.seed)
        for count, seed in ((240, 1), (80, 2))
    )
    history = fit(BertPretraining(model), train, evaluation, training, folder, listeners=listeners)
    return model, history


def numbers(history):
    """All that does not depend on the clock."""
    return (
        [(epoch.epoch, epoch.train, epoch.eval) for epoch in history.epochs],
        [(step.step, step.loss, step.tokens, step.gradient_norm) for step in history.steps],
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("trained"), layers=2, epochs=10)


def test_learns(trained):
    _, history = trained
    first, best = history.epochs[0].eval, history.best.eval
    assert set(best) == {"loss", "mlm_loss", "mlm_accuracy", "nsp_loss", "nsp_accuracy"}
    assert best["loss"] < 0.5 * first["loss"]
    assert best["mlm_accuracy"] > 0.8  # the most frequent letter: an eighth
    assert best["nsp_accuracy"] > 0.65  # chance: a half


def test_the_eval_split_has_the_same_masks_in_each_epoch(tmp_path):
    still = OptimizerConfig(learning_rate=1e-30, weight_decay=0)
    _, history = train(tmp_path, optimizer=still)
    first, second = history.epochs
    assert first.eval == second.eval


class StopError(Exception):
    pass


class Stop:
    """Ends a training from outside after some updates."""

    def __init__(self, after):
        self._after = after

    def on_step(self, step):
        if step.step == self._after:
            raise StopError

    def on_epoch(self, epoch):
        pass

    def on_restore(self, history):
        pass

    def close(self):
        pass


def test_goes_on_after_a_stop_with_the_same_bits(tmp_path):
    model, history = train(tmp_path / "straight")
    with pytest.raises(StopError):
        train(tmp_path / "stopped", [Stop(after=20)])  # of 30 updates, 15 an epoch
    again, resumed = train(tmp_path / "stopped")
    assert numbers(resumed) == numbers(history)
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_parts_of_a_batch_train_like_the_batch(tmp_path):
    runs = [
        train(tmp_path / str(n), dropout=0.0, epochs=1, batch_size=50, accumulation_steps=n)
        for n in (1, 3)
    ]
    losses, others = ([step.loss for step in history.steps] for _, history in runs)
    assert losses == pytest.approx(others, rel=1e-4)
    assert len(set(losses)) == len(losses) == 5
