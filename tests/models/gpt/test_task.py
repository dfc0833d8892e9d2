"""The loss counts each token whose successor is in its sequence, once, packed or not."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.gpt.task import CausalLm

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


def test_it_learns(make_gpt):
    model = make_gpt()
    task, data = CausalLm(model), batch([[ids] for ids in SEQUENCES])
    optimizer = keras.optimizers.Adam(0.03)

    @tf.function(autograph=False)
    def update():
        with tf.GradientTape() as tape:
            total, weight = task.sums(data, training=False)["loss"]
            loss = total / weight
        optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
        return loss

    losses = [float(update()) for _ in range(20)]
    assert losses[-1] < 0.5 * losses[0]
