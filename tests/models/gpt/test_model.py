"""The decoder is GPT-2's function, causal, and blind to other sequences of its row."""

import keras
import keras_hub
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from models.gpt.config import GptConfig
from models.gpt.decoder_layer import DecoderLayer
from models.gpt.model import build_gpt
from models.precision import precision

IDS = np.random.default_rng(4).integers(0, 280, (3, 9)).astype(np.int32)


def inputs(ids, sequence_ids=None, position_ids=None) -> dict:
    return {
        "token_ids": tf.constant(ids),
        "sequence_ids": tf.ones_like(ids) if sequence_ids is None else tf.constant(sequence_ids),
        "position_ids": tf.zeros_like(ids) + tf.range(ids.shape[1])
        if position_ids is None
        else tf.constant(position_ids),
    }


def gpt_2(weights: dict, ids: np.ndarray, layers: int, heads: int) -> np.ndarray:
    """GPT-2's forward pass in numpy, row by row and head by head; weights by variable path."""

    def norm(x, name):
        centred = x - x.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred / scale * weights[f"{name}/gamma"] + weights[f"{name}/beta"]

    def dense(x, name):
        return x @ weights[f"{name}/kernel"] + weights[f"{name}/bias"]

    def gelu(x):
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))

    def attend(q, k, v):
        scores = q @ k.T / np.sqrt(q.shape[-1])
        scores[np.triu_indices(len(q), 1)] = -np.inf
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True) @ v

    embeddings = weights["token_embedding/embeddings"]
    rows = []
    for row in ids:
        x = embeddings[row] + weights["position_embedding/embeddings"][: len(row)]
        for i in range(layers):
            layer = f"transformer_layer_{i}"
            qkv = dense(norm(x, f"{layer}/attention_layer_norm"), f"{layer}/attention_qkv")
            q, k, v = (np.split(part, heads, -1) for part in np.split(qkv, 3, -1))
            context = np.concatenate([attend(*head) for head in zip(q, k, v, strict=True)], -1)
            x = x + dense(context, f"{layer}/attention_output")
            y = dense(
                norm(x, f"{layer}/feedforward_layer_norm"), f"{layer}/feedforward_intermediate"
            )
            x = x + dense(gelu(y), f"{layer}/feedforward_output")
        rows.append(norm(x, "final_layer_norm") @ embeddings.T)
    return np.stack(rows)


def test_logits_are_those_of_an_independent_gpt_2(gpt):
    weights = {v.path: v.numpy().astype(np.float64) for v in gpt.trainable_variables}
    logits = gpt(inputs(IDS)).numpy()
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, gpt_2(weights, IDS, layers=2, heads=2), atol=1e-4)


HUB_NAMES = {
    "attention_output": "self_attention/attention_output",
    "attention_layer_norm": "self_attention_layer_norm",
    "feedforward_layer_norm": "feedforward_layer_norm",
    "feedforward_intermediate": "feedforward_intermediate_dense",
    "feedforward_output": "feedforward_output_dense",
}


def test_logits_and_slopes_are_those_of_keras_hub(gpt, gpt_config):
    """Rows of one sequence, padded, with keras-hub's GPT-2 holding the same weights."""
    sizes = gpt_config.model_dump()
    hub = keras_hub.models.GPT2Backbone(**sizes)
    expected = {}
    for variable in gpt.trainable_variables:
        value = variable.numpy()
        if not variable.path.startswith("transformer_layer_"):
            expected[variable.path.replace("final_layer_norm", "layer_norm")] = value
            continue
        layer, module, leaf = variable.path.split("/")
        if module == "attention_qkv":
            for name, part in zip(("query", "key", "value"), np.split(value, 3, -1), strict=True):
                expected[f"{layer}/self_attention/{name}/{leaf}"] = part
        else:
            expected[f"{layer}/{HUB_NAMES[module]}/{leaf}"] = value
    assert len(expected) == len(hub.trainable_variables)
    for variable in hub.trainable_variables:
        variable.assign(expected[variable.path].reshape(variable.shape))

    mask = (np.arange(9) < np.array([[9], [4], [1]])).astype(np.int32)
    with tf.GradientTape(persistent=True) as tape:
        states = hub({"token_ids": IDS, "padding_mask": mask})
        theirs = hub.token_embedding(states, reverse=True) * mask[..., None]
        ours = gpt(inputs(IDS, mask)) * mask[..., None]
        losses = [tf.reduce_sum(tf.sin(logits)) for logits in (ours, theirs)]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    for name in ("token_embedding/embeddings", "transformer_layer_0/feedforward_output/kernel"):
        other = name.replace("feedforward_output", "feedforward_output_dense")
        slopes = [
            tf.convert_to_tensor(tape.gradient(loss, variable.value)).numpy()
            for loss, model, path in zip(losses, (gpt, hub), (name, other), strict=True)
            for variable in model.trainable_variables
            if variable.path == path
        ]
        np.testing.assert_allclose(*slopes, atol=1e-4 * np.abs(slopes[1]).max())


def test_a_token_sees_nothing_after_it(gpt):
    changed = IDS.copy()
    changed[:, 5:] += 1
    before, after = gpt(inputs(IDS)).numpy(), gpt(inputs(changed % 280)).numpy()
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=1e-5)
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 0.1


def test_sequences_of_a_row_do_not_see_each_other(gpt):
    row = np.concatenate([IDS[0, :4], IDS[1, :5]])[None]
    sequences = np.array([[1] * 4 + [2] * 5], np.int32)
    positions = np.array([[*range(4), *range(5)]], np.int32)
    packed = gpt(inputs(row, sequences, positions)).numpy()[0]
    np.testing.assert_allclose(packed[:4], gpt(inputs(IDS[:1, :4])).numpy()[0], atol=1e-5)
    np.testing.assert_allclose(packed[4:], gpt(inputs(IDS[1:2, :5])).numpy()[0], atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_rows_of_padding_only_give_finite_logits_in_float32(gpt_config, policy):
    with precision(policy):
        model = build_gpt(gpt_config)
    logits = model(inputs(IDS, np.zeros_like(IDS)), training=True)
    assert logits.dtype == tf.float32
    assert np.isfinite(logits).all()


def test_mixed_bfloat16_is_close_to_float32(gpt, gpt_config):
    with precision("mixed_bfloat16"):
        mixed = build_gpt(gpt_config)
    mixed.set_weights(gpt.get_weights())
    full, low = gpt(inputs(IDS)).numpy(), mixed(inputs(IDS)).numpy()
    assert 0 < np.linalg.norm(full - low) < 0.05 * np.linalg.norm(full)


def test_extending_in_parts_is_one_call(make_gpt):
    layer = make_gpt().get_layer("transformer_layer_0")
    states = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 8)), tf.float32)
    causal = tf.where(np.tril(np.ones((5, 5), bool)), 0.0, -1e4)[None, None]
    whole = layer(states, attention_bias=causal)
    keys = values = tf.zeros([2, 2, 5, 4])
    parts = []
    for start, end in ((0, 3), (3, 4), (4, 5)):
        part, keys, values = layer.extend(
            states[:, start:end], causal[:, :, start:end], keys, values, start
        )
        parts.append(part)
    np.testing.assert_allclose(tf.concat(parts, axis=1), whole, atol=1e-5)


def test_a_layer_is_rebuilt_from_its_config():
    layer = DecoderLayer(16, 2, 0.1, 0.02, 0.01)
    assert DecoderLayer.from_config(layer.get_config()).get_config() == layer.get_config()


def test_new_weights_are_gpt_2s():
    config = GptConfig.preset("tiny", vocabulary_size=1000, max_sequence_length=64)
    keras.utils.set_random_seed(0)
    deviations = {v.path: v.numpy().std() for v in build_gpt(config).trainable_variables}
    assert deviations["token_embedding/embeddings"] == pytest.approx(0.02, rel=0.05)
    qkv, output = "attention_qkv/kernel", "attention_output/kernel"
    assert deviations[f"transformer_layer_1/{qkv}"] == pytest.approx(0.02, rel=0.05)
    assert deviations[f"transformer_layer_1/{output}"] == pytest.approx(0.02 / 2, rel=0.05)


def test_base_is_gpt_2s_smallest():
    config = GptConfig.preset("base", vocabulary_size=50_257)
    assert (config.num_layers, config.num_heads, config.hidden_dim) == (12, 12, 768)
    assert (config.intermediate_dim, config.max_sequence_length) == (3072, 1024)


def test_a_preset_may_be_changed():
    config = GptConfig.preset("tiny", vocabulary_size=300, num_layers=3, max_sequence_length=32)
    assert (config.num_layers, config.hidden_dim, config.max_sequence_length) == (3, 128, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_dim": 9}, "hidden_dim 9 is no multiple of num_heads 2"),
        ({"max_sequence_length": 1}, "greater than or equal to 2"),
        ({"layers": 2}, "Extra inputs"),
    ],
)
def test_impossible_sizes_are_refused(gpt_config, change, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        GptConfig(**gpt_config.model_dump() | change)
