"""The loss counts each token whose successor is in its sequence, once, packed or not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import OptimizerConfig, TrainingConfig
from models.gpt.config import GptConfig
from models.gpt.model import build_gpt
from models.gpt.task import CausalLm
from models.sequence_rows import SequenceRows
from models.training import fit

SEQUENCES = [[5, 9, 7, 2], [6, 2], [8], [4, 4, 200, 31, 2]]


def batch(rows, length=8) -> dict[str, tf.Tensor]:
    """Rows of sequences, padded."""
    names = ("token_ids", "padding_mask", "sequence_ids", "position_ids")
    values = {name: np.zeros((len(rows), length), np.int32) for name in names}
    for i, sequences in enumerate(rows):
        start = 0
        for number, ids in enumerate(sequences, start=1):
            place = (i, slice(start, start + len(ids)))
            values["token_ids"][place] = ids
            values["padding_mask"][place] = 1
            values["sequence_ids"][place] = number
            values["position_ids"][place] = np.arange(len(ids))
            start += len(ids)
    values["weight"] = np.ones(len(rows), np.float32)
    return {name: tf.constant(value) for name, value in values.items()}


def sums_and_gradients(model, batch):
    with tf.GradientTape() as tape:
        sums = CausalLm(model).sums(batch, training=False)
    gradients = tape.gradient(sums["loss"][0], [v.value for v in model.trainable_variables])
    numbers = {name: (float(total), float(weight)) for name, (total, weight) in sums.items()}
    return numbers, [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def test_the_loss_is_the_successors_surprise(gpt):
    sums, _ = sums_and_gradients(gpt, batch([[ids] for ids in SEQUENCES]))
    loss = hits = 0.0
    for ids in SEQUENCES:
        one = batch([[ids]], len(ids))
        names = ("token_ids", "sequence_ids", "position_ids")
        logits = gpt({name: one[name] for name in names}).numpy()[0].astype(np.float64)
        log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        for i, successor in enumerate(ids[1:]):
            loss -= log_probabilities[i, successor]
            hits += logits[i].argmax() == successor
    assert sums["loss"] == pytest.approx((loss, 8), rel=1e-5)
    assert sums["accuracy"] == (hits, 8)


def test_packed_equals_unpacked(gpt):
    unpacked = sums_and_gradients(gpt, batch([[ids] for ids in SEQUENCES]))
    packed = sums_and_gradients(
        gpt, batch([[SEQUENCES[0], SEQUENCES[1], SEQUENCES[2]], [SEQUENCES[3]]])
    )
    assert packed[0]["loss"] == pytest.approx(unpacked[0]["loss"], rel=1e-5)
    assert packed[0]["accuracy"] == unpacked[0]["accuracy"]
    for a, b in zip(packed[1], unpacked[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))


def test_filler_rows_and_padding_count_nothing(gpt):
    plain = sums_and_gradients(gpt, batch([SEQUENCES[:2]]))
    longer = batch([SEQUENCES[:2], SEQUENCES[3:]], length=16)
    longer["weight"] = tf.constant([1.0, 0.0])
    filled = sums_and_gradients(gpt, longer)
    assert filled[0]["loss"] == pytest.approx(plain[0]["loss"], rel=1e-5)
    assert filled[0]["accuracy"] == plain[0]["accuracy"]
    for a, b in zip(plain[1], filled[1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max()))


def test_it_learns_in_the_training_loop(gpt_config, tmp_path):
    """From packed rows of counting sequences; in each, the next token is the last one's successor."""
    rng = np.random.default_rng(0)
    rows = [[list(range(start, start + 6)) for start in rng.integers(3, 30, 3)] for _ in range(160)]
    keras.utils.set_random_seed(1)
    model = build_gpt(GptConfig(**gpt_config.model_dump() | {"hidden_dim": 32}))
    config = TrainingConfig(epochs=3, batch_size=16, optimizer=OptimizerConfig(learning_rate=2e-2))
    train, evaluation = (SequenceRows.from_sequences(part) for part in (rows[:130], rows[130:]))
    history = fit(CausalLm(model), train, evaluation, config, tmp_path)
    losses = [epoch.eval["loss"] for epoch in history.epochs]
    assert losses[-1] < 0.7 * losses[0] < np.log(280)
    assert history.best.eval["accuracy"] > 0.5
