"""The encoder as a whole: its contract, its precision, its repeatability."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.backbone import build_backbone
from models.encoder_layer import SequenceBias
from models.gpt.model import CausalBias

INPUTS = {
    "token_ids": tf.constant([[2, 5, 6, 3], [2, 7, 3, 0]]),
    "padding_mask": tf.constant([[1, 1, 1, 1], [1, 1, 1, 0]]),
}


@pytest.fixture
def backbone(backbone_config):
    keras.utils.set_random_seed(0)
    return build_backbone(backbone_config)


def step(backbone, inputs=INPUTS):
    variables = [v.value for v in backbone.trainable_variables]
    with tf.GradientTape() as tape:
        y = backbone(inputs, training=True)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * tf.range(8.0))
    return [y, *(tf.convert_to_tensor(g) for g in tape.gradient(loss, variables))]


def test_any_number_of_rows_of_any_length_up_to_the_longest(backbone, backbone_config):
    call = tf.function(backbone, reduce_retracing=True)
    for shape in ((2, 4), (1, 1), (3, backbone_config.max_sequence_length), (0, 5)):
        ids = tf.ones(shape, tf.int32)
        assert call({"token_ids": ids, "padding_mask": ids}).shape == (*shape, 8)


def test_each_layers_states_can_be_had(backbone):
    names = ["embeddings_layer_norm", "transformer_layer_0", "transformer_layer_1"]
    outputs = [backbone.get_layer(name).output for name in names]
    states = keras.Model(backbone.input, outputs)(INPUTS)
    assert all(s.shape == (2, 4, 8) for s in states)
    np.testing.assert_array_equal(states[-1], backbone(INPUTS))


def test_embeddings_are_sums_of_tokens_positions_and_the_first_segment(backbone):
    tokens, positions, segments = (
        backbone.get_layer(f"{name}_embedding").weights[0]
        for name in ("token", "position", "segment")
    )
    total = tokens.numpy()[INPUTS["token_ids"]] + positions.numpy()[:4] + segments.numpy()[0]
    normed = backbone.get_layer("embeddings_layer_norm")(tf.constant(total))
    first = keras.Model(backbone.input, backbone.get_layer("embeddings_layer_norm").output)
    np.testing.assert_allclose(first(INPUTS), normed, atol=1e-6)


def test_only_used_positions_and_the_first_segment_get_gradients(backbone):
    named = dict(
        zip([v.path for v in backbone.trainable_variables], step(backbone)[1:], strict=True)
    )
    moved = {
        path: np.abs(named[path]).max(-1) > 0
        for path in ("position_embedding/embeddings", "segment_embedding/embeddings")
    }
    assert moved["position_embedding/embeddings"].tolist() == [True] * 4 + [False] * 66
    assert moved["segment_embedding/embeddings"].tolist() == [True, False]


def test_the_gradient_of_the_tokens_stays_sparse(backbone):
    tokens = backbone.trainable_variables[0].value
    with tf.GradientTape() as tape:
        y = backbone(INPUTS, training=True)
    assert isinstance(tape.gradient(y, tokens), tf.IndexedSlices)


def test_a_backbone_of_pairs_sees_the_second_segment_after_the_separator(backbone, backbone_config):
    """As the packed form does, which is told the segments."""
    ids = tf.constant([[2, 5, 3, 6, 7, 3], [2, 3, 3, 0, 0, 0]])
    of_pairs = build_backbone(backbone_config, separator=3)
    packed = build_backbone(backbone_config, packed=True)
    for other in (of_pairs, packed):
        other.set_weights(backbone.get_weights())
    assert [v.path for v in of_pairs.variables] == [v.path for v in backbone.variables]
    seen = tf.cast(ids > 0, tf.int32)
    states = of_pairs({"token_ids": ids, "padding_mask": seen}).numpy()
    told = packed(
        {
            "token_ids": ids,
            "sequence_ids": seen,
            "position_ids": tf.tile(tf.range(6)[tf.newaxis], [2, 1]),
            "segment_ids": tf.constant([[0, 0, 0, 1, 1, 1], [0, 0, 1, 0, 0, 0]]),
        }
    ).numpy()
    rows = seen.numpy().astype(bool)
    np.testing.assert_allclose(states[rows], told[rows], atol=1e-5)
    alone = backbone({"token_ids": ids, "padding_mask": seen}).numpy()
    assert np.abs(states[rows] - alone[rows]).max() > 1e-3


@pytest.mark.parametrize("compiled", [False, True])
def test_the_same_seed_gives_the_same_bits(backbone_config, compiled):
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(4)
        backbone = build_backbone(backbone_config)
        call = tf.function(lambda b=backbone: step(b), jit_compile=compiled)
        runs.append([t.numpy() for _ in range(2) for t in call()])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_variables_hold_the_state_of_dropout(backbone):
    saved = [v.numpy() for v in backbone.variables]
    first = step(backbone)
    assert np.abs(first[0] - step(backbone)[0]).max() > 0.01
    for variable, value in zip(backbone.variables, saved, strict=True):
        variable.assign(value)
    for a, b in zip(first, step(backbone), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_low_precision_is_close_to_float32(backbone, backbone_config, policy):
    keras.config.set_dtype_policy(policy)
    try:
        low = build_backbone(backbone_config)
    finally:
        keras.config.set_dtype_policy("float32")
    low.set_weights(backbone.get_weights())
    assert low(INPUTS).dtype == policy.removeprefix("mixed_")
    assert all(v.dtype == "float32" for v in low.trainable_variables)
    seen = INPUTS["padding_mask"].numpy().astype(bool)
    a, b = (tf.cast(model(INPUTS), tf.float32).numpy()[seen] for model in (backbone, low))
    assert np.linalg.norm(a - b) < 0.02 * np.linalg.norm(a)


@pytest.mark.parametrize("layer", [SequenceBias, CausalBias])
def test_what_may_be_seen_is_told_once_for_all_heads(layer):
    bias = layer()(tf.constant([[1, 1, 2, 0], [1, 2, 3, 3]]))
    assert bias.shape == (2, 1, 4, 4)


def test_keras_has_no_fused_attention_on_tensorflow():
    """Once this fails, `TransformerLayer.attend` should use what Keras then has."""
    x = tf.ones([1, 4, 2, 8])
    with pytest.raises(ValueError, match="Flash attention is not supported in tensorflow backend"):
        keras.ops.dot_product_attention(x, x, x, flash_attention=True)
