"""A BERT learns the same from packed rows as from one sequence a row, and its heads are the papers'."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import erf, log_softmax

from models.backbone import build_backbone
from models.batching import filled, micro_batches
from models.config import BackboneConfig, MaskingConfig
from models.masking import MaskedRows, Masking
from models.precision import precision
from models.pretrainer import build_pretrainer
from models.sequence_rows import SequenceRows
from models.tasks import BertPretraining

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdef", "##g"]
CLS, SEP = 2, 3
CONFIG = BackboneConfig(
    vocabulary_size=len(VOCABULARY),
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=16,
    max_sequence_length=40,
    dropout=0.0,
)


def spread(model) -> keras.Model:
    """Random weights, far enough from 0 that answers differ."""
    rng = np.random.default_rng(5)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape))
    return model


def pretrainer(next_sentence=True, config=CONFIG) -> keras.Model:
    keras.utils.set_random_seed(1)
    return spread(build_pretrainer(config, next_sentence))


def make_rows(count, most_sequences=3, seed=0) -> SequenceRows:
    rng = np.random.default_rng(seed)
    rows, seconds, labels = [], [], []
    for _ in range(count):
        sequences = []
        for _ in range(rng.integers(1, most_sequences + 1)):
            a, b = (rng.integers(5, 12, rng.integers(1, 9)).tolist() for _ in range(2))
            sequences.append([CLS, *a, SEP, *b, SEP])
        rows.append(sequences)
        seconds.append([sequence.index(SEP) + 1 for sequence in sequences])
        labels.append(rng.integers(-1, 2, len(sequences)).tolist())
    return SequenceRows.from_sequences(rows, seconds, labels)


def masked_batch(rows, numbers=None, multiple=1, seed=2):
    """A whole batch, masked."""
    numbers = np.arange(len(rows)) if numbers is None else np.array(numbers)
    numbers, weight = filled(numbers, multiple)
    batch = rows.padded(numbers, int(rows.lengths.max())) | {"weight": weight}
    how = MaskedRows(rows, Masking(VOCABULARY, MaskingConfig(share=0.3)), seed)
    batch = {name: tf.constant(value) for name, value in batch.items()}
    return how.transformed(batch, tf.constant(numbers), tf.constant(0, tf.int64))


def unpacked(batch):
    """The same masked sequences, one a row."""
    batch = {name: value.numpy() for name, value in batch.items()}
    length, slots = batch["token_ids"].shape[1], batch["masked_positions"].shape[1]
    rows = []
    for r, ids in enumerate(batch["sequence_ids"]):
        for number in range(1, ids.max() + 1):
            places = np.flatnonzero(ids == number)
            n = len(places)
            row = {
                name: np.pad(batch[name][r, places], (0, length - n))
                for name in ("token_ids", "padding_mask", "position_ids", "segment_ids")
            }
            row["sequence_ids"] = row["padding_mask"]
            mine = np.isin(batch["masked_positions"][r], places)
            mine &= batch["masked_weights"][r] == 1
            count = mine.sum()
            for name, shift in (("masked_positions", places[0]), ("masked_ids", 0)):
                row[name] = np.pad(batch[name][r, mine] - shift, (0, slots - count))
            row["masked_weights"] = np.pad(batch["masked_weights"][r, mine], (0, slots - count))
            row["first_positions"] = np.zeros(1, np.int32)
            row["next_label"] = batch["next_label"][r, number - 1 : number]
            row["next_scale"], row["weight"] = batch["next_scale"][r], batch["weight"][r]
            rows.append(row)
    return {name: tf.constant(np.stack([row[name] for row in rows])) for name in rows[0]}


def learned(task, batch, training=True):
    """Sums and the gradients of the loss's sum."""
    variables = [variable.value for variable in task.model.trainable_variables]
    with tf.GradientTape() as tape:
        sums = task.sums(batch, training)
    gradients = tape.gradient(sums["loss"][0], variables)
    return sums, [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]


def assert_same(one, other, tolerance=1e-5):
    (sums, gradients), (other_sums, other_gradients) = one, other
    for name, values in sums.items():
        np.testing.assert_allclose(values, other_sums[name], rtol=tolerance)
    for gradient, expected in zip(gradients, other_gradients, strict=True):
        np.testing.assert_allclose(gradient, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("next_sentence", [True, False])
def test_loss_and_gradients_of_packed_rows_are_those_of_their_sequences(next_sentence):
    task = BertPretraining(pretrainer(next_sentence))
    batch = masked_batch(make_rows(6))
    single = unpacked(batch)
    assert len(single["token_ids"]) > 9
    assert ("nsp_loss" in task.sums(batch, False)) == next_sentence
    assert_same(learned(task, batch), learned(task, single))


def test_sequences_of_a_row_do_not_see_each_other():
    model, batch = pretrainer(), masked_batch(make_rows(4))
    backbone = model.get_layer("backbone")
    other = tf.where(batch["sequence_ids"] == 2, 7, batch["token_ids"])
    inputs = {name: batch[name] for name in backbone.input}
    a, b = (backbone(inputs | {"token_ids": ids}).numpy() for ids in (batch["token_ids"], other))
    second = (batch["sequence_ids"] == 2).numpy()
    changed = np.abs(a - b).max(-1) > 1e-6
    assert changed[second].any()
    assert not changed[~second].any()


def test_both_forms_of_the_backbone_have_the_same_variables_and_states():
    forms = [build_backbone(CONFIG), build_backbone(CONFIG, packed=True)]
    plain, packed = forms
    assert [v.path for v in plain.trainable_variables] == [
        v.path for v in packed.trainable_variables
    ]
    assert [v.shape for v in plain.variables] == [v.shape for v in packed.variables]
    spread(plain)
    packed.set_weights(plain.get_weights())
    ids = np.array([[2, 6, 7, 3], [2, 5, 3, 0]])
    mask = (ids > 0).astype(np.int32)
    inputs = {"token_ids": ids, "sequence_ids": mask, "segment_ids": np.zeros_like(ids)}
    states = packed(inputs | {"position_ids": np.tile(np.arange(4), (2, 1))})
    expected = plain({"token_ids": ids, "padding_mask": mask}).numpy()
    np.testing.assert_allclose(states.numpy()[mask == 1], expected[mask == 1], atol=1e-5)


HEADS = {
    "masked_lm_head/dense/kernel",
    "masked_lm_head/dense/bias",
    "masked_lm_head/layer_norm/gamma",
    "masked_lm_head/layer_norm/beta",
    "masked_lm_head/bias",
    "pooler/kernel",
    "pooler/bias",
    "next_sentence/kernel",
    "next_sentence/bias",
}


def test_the_paths_of_the_variables_are_those_that_are_saved():
    model = pretrainer()
    paths = {variable.path for variable in model.trainable_variables}
    assert paths == HEADS | {v.path for v in build_backbone(CONFIG).trainable_variables}


def in_numpy(model, batch):
    """The sums, from the states, by the papers' formulas."""
    backbone = model.get_layer("backbone")
    states = backbone({name: batch[name] for name in backbone.input}).numpy()
    values = {v.path: v.numpy() for v in model.trainable_variables}
    weight = {name: values[f"masked_lm_head/{name}"] for name in ("dense/kernel", "dense/bias")}
    gamma, beta = (values[f"masked_lm_head/layer_norm/{name}"] for name in ("gamma", "beta"))
    mlm, nsp = [], []
    for row, state in enumerate(states):
        for slot, position in enumerate(batch["masked_positions"].numpy()[row]):
            if not batch["masked_weights"].numpy()[row, slot]:
                continue
            x = state[position] @ weight["dense/kernel"] + weight["dense/bias"]
            x = x * (1 + erf(x / np.sqrt(2))) / 2
            x = (x - x.mean()) / np.sqrt(x.var() + 1e-12) * gamma + beta
            logits = values["token_embedding/embeddings"] @ x + values["masked_lm_head/bias"]
            id = batch["masked_ids"].numpy()[row, slot]
            mlm.append((-log_softmax(logits)[id], logits.argmax() == id))
        for slot, position in enumerate(batch["first_positions"].numpy()[row]):
            label = batch["next_label"].numpy()[row, slot]
            if label < 0:
                continue
            x = np.tanh(state[position] @ values["pooler/kernel"] + values["pooler/bias"])
            logits = x @ values["next_sentence/kernel"] + values["next_sentence/bias"]
            nsp.append((-log_softmax(logits)[label], logits.argmax() == label))
    return np.mean(mlm, 0), np.mean(nsp, 0)


@pytest.mark.parametrize("training", [True, False])
def test_losses_and_accuracies_are_those_of_the_formulas(training):
    model, batch = pretrainer(), masked_batch(make_rows(6))
    sums = BertPretraining(model).sums(batch, training)
    means = {name: float(total / weight) for name, (total, weight) in sums.items()}
    (mlm_loss, mlm_accuracy), (nsp_loss, nsp_accuracy) = in_numpy(model, batch)
    assert means == pytest.approx(
        {
            "loss": mlm_loss + nsp_loss,
            "mlm_loss": mlm_loss,
            "mlm_accuracy": mlm_accuracy,
            "nsp_loss": nsp_loss,
            "nsp_accuracy": nsp_accuracy,
        },
        rel=1e-5,
    )


@pytest.mark.parametrize(("replicas", "parts"), [(1, 3), (2, 1), (2, 2)])
def test_parts_and_replicas_learn_what_the_whole_batch_does(replicas, parts):
    rows, task = make_rows(7), BertPretraining(pretrainer())
    whole = learned(task, masked_batch(rows))
    divided = micro_batches(masked_batch(rows, multiple=replicas * parts), replicas, parts)
    pieces = [
        learned(task, {name: value[replica, part] for name, value in divided.items()})
        for replica in range(replicas)
        for part in range(parts)
    ]
    assert_same(tf.nest.map_structure(lambda *values: sum(values), *pieces), whole)


def test_a_batch_without_labelled_pairs_has_no_loss_of_them():
    rows = make_rows(3)
    object.__setattr__(rows, "is_random_next", np.full_like(rows.is_random_next, -1))
    sums = BertPretraining(pretrainer()).sums(masked_batch(rows), True)
    assert [float(value) for value in sums["nsp_loss"]] == [0, 0]
    assert float(sums["loss"][0]) == float(sums["mlm_loss"][0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_is_close_to_float32(policy):
    full, batch = pretrainer(), masked_batch(make_rows(6))
    with precision(policy):
        low = build_pretrainer(CONFIG, True)
    low.set_weights(full.get_weights())
    inputs = {name: batch[name] for name in low.input}
    for name, logits in low(inputs).items():
        assert logits.dtype == tf.float32
        expected = full(inputs)[name].numpy()
        assert np.linalg.norm(logits - expected) < 0.03 * np.linalg.norm(expected)


def test_takes_a_backbone_with_its_weights():
    backbone = spread(build_backbone(CONFIG, packed=True))
    model = build_pretrainer(CONFIG, False, backbone)
    assert model.get_layer("backbone") is backbone
    assert "first_positions" not in model.input
