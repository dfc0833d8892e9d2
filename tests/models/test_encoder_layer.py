"""The encoder layer is keras-hub's function, with true gradients and honest dropout."""

import subprocess
import sys

import keras
import keras_hub
import numpy as np
import pytest
import tensorflow as tf

from models import tensorflow_ops
from models.dropout import Dropout
from models.encoder_layer import EncoderLayer

HIDDEN, HEADS, INNER = 12, 3, 20
MASK = tf.constant([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0]])
STATES = tf.constant(np.random.default_rng(0).normal(size=(3, 5, HIDDEN)), tf.float32)


def build(dropout=0.0, form="exact", dtype="float32", stddev=0.3) -> EncoderLayer:
    keras.utils.set_random_seed(3)
    layer = EncoderLayer(INNER, HEADS, dropout, form, stddev, dtype=dtype, name="layer")
    layer.build((None, None, HIDDEN))
    rng = np.random.default_rng(7)
    for variable in layer.trainable_variables:
        variable.assign_add(rng.normal(scale=0.2, size=variable.shape))
    return layer


def gradients(call, states, variables):
    with tf.GradientTape() as tape:
        tape.watch(states)
        y = call(states)
        loss = tf.reduce_sum(tf.cast(y, tf.float32) * tf.cast(tf.range(HIDDEN), tf.float32))
    return y, tape.gradient(loss, [states, *(v.value for v in variables)])


HUB_NAMES = {
    "attention_output": "self_attention_layer/attention_output",
    "attention_layer_norm": "self_attention_layer_norm",
    "feedforward_intermediate": "feedforward_intermediate_dense",
    "feedforward_output": "feedforward_output_dense",
    "feedforward_layer_norm": "feedforward_layer_norm",
}


def as_hub(layer: EncoderLayer, values) -> dict[str, np.ndarray]:
    """What belongs to each trainable variable of our layer, by the end of keras-hub's variable paths."""
    found = {}
    for variable, value in zip(layer.trainable_variables, values, strict=True):
        _, module, leaf = variable.path.split("/")
        if module == "attention_qkv":
            parts = np.split(np.asarray(value), 3, axis=-1)
            for name, part in zip(("query", "key", "value"), parts, strict=True):
                found[f"self_attention_layer/{name}/{leaf}"] = part
        else:
            found[f"{HUB_NAMES[module]}/{leaf}"] = np.asarray(value)
    return found


def hub_layer(ours: EncoderLayer, form: str):
    """keras-hub's layer with the weights of ours."""
    layer = keras_hub.layers.TransformerEncoder(
        INNER,
        HEADS,
        activation=lambda x: keras.activations.gelu(x, approximate=form == "tanh"),
        layer_norm_epsilon=1e-12,
        name="hub",
    )
    layer.build((None, None, HIDDEN))
    values = as_hub(ours, [v.numpy() for v in ours.trainable_variables])
    assert len(values) == len(layer.trainable_variables)
    for variable in layer.trainable_variables:
        value = values[variable.path.removeprefix("hub/")]
        variable.assign(value.reshape(variable.shape))
    return layer


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", ["exact", "tanh"])
def test_states_and_gradients_are_those_of_keras_hub(form, training):
    ours = build(form=form)
    hub = hub_layer(ours, form)
    y, (dx, *slopes) = gradients(
        lambda x: ours(x, padding_mask=MASK, training=training), STATES, ours.trainable_variables
    )
    expected, (dx_hub, *hub_slopes) = gradients(
        lambda x: hub(x, padding_mask=MASK, training=training), STATES, hub.trainable_variables
    )
    np.testing.assert_allclose(y, expected, atol=1e-5)
    np.testing.assert_allclose(dx, dx_hub, atol=1e-5 * np.abs(dx_hub).max())
    slopes = as_hub(ours, slopes)
    for variable, theirs in zip(hub.trainable_variables, hub_slopes, strict=True):
        theirs = np.asarray(theirs)
        slope = slopes[variable.path.removeprefix("hub/")].reshape(theirs.shape)
        np.testing.assert_allclose(slope, theirs, atol=1e-5 * max(1, np.abs(theirs).max()))


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_rows_of_padding_only_give_finite_states_and_gradients(dtype):
    layer = build(dropout=0.1, dtype=dtype)
    mask = tf.constant([[1, 1, 1, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0]])
    y, slopes = gradients(
        lambda x: layer(x, padding_mask=mask, training=True), STATES, layer.trainable_variables
    )
    assert all(np.isfinite(np.asarray(tf.cast(t, tf.float32))).all() for t in [y, *slopes])


def test_padding_is_attended_to_by_nobody():
    layer = build()
    changed = STATES + 9 * tf.cast(1 - MASK, tf.float32)[:, :, None]
    a, b = (layer(x, padding_mask=MASK).numpy() for x in (STATES, changed))
    seen = MASK.numpy().astype(bool)
    np.testing.assert_allclose(a[seen], b[seen], atol=1e-6)
    assert np.abs(a[~seen] - b[~seen]).max() > 0.1


@pytest.mark.parametrize("training", [False, True])
def test_mixed_bfloat16_is_close_to_float32(training):
    full, mixed = build(), build(dtype="mixed_bfloat16")
    y, exact = gradients(
        lambda x: full(x, padding_mask=MASK, training=training), STATES, full.trainable_variables
    )
    low, rounded = gradients(
        lambda x: mixed(x, padding_mask=MASK, training=training), STATES, mixed.trainable_variables
    )
    assert low.dtype == tf.bfloat16
    assert all(v.dtype == "float32" for v in mixed.trainable_variables)
    for a, b in zip([y, *exact], [low, *rounded], strict=True):
        a, b = np.asarray(a), np.asarray(tf.cast(b, tf.float32))
        assert np.linalg.norm(a - b) <= 0.03 * max(np.linalg.norm(a), 1.0)


def test_compiles_with_xla():
    layer = build(dropout=0.5)
    call = tf.function(
        lambda x: gradients(
            lambda x: layer(x, padding_mask=MASK, training=True), x, layer.trainable_variables
        ),
        jit_compile=True,
    )
    y, slopes = call(STATES)
    assert all(np.isfinite(t.numpy()).all() for t in [y, *slopes])


def test_no_random_operation_without_dropout():
    def operations(dropout, training):
        layer = build(dropout)
        call = tf.function(lambda x: layer(x, padding_mask=MASK, training=training))
        return {op.type for op in call.get_concrete_function(STATES).graph.get_operations()}

    assert not any("Random" in name for name in operations(0.0, True) | operations(0.5, False))
    assert any("Random" in name for name in operations(0.5, True))


def test_an_export_holds_nothing_compiled():
    layer = build(0.5)
    call = tf.function(lambda x: layer(x, padding_mask=MASK, training=False))
    assert not call.get_concrete_function(STATES).graph.as_graph_def().library.function


@pytest.mark.parametrize("form", ["exact", "tanh"])
def test_gelus_slope_is_the_derivative(form):
    x = tf.constant(np.linspace(-6, 6, 49).reshape(7, 7), tf.float64)
    np.testing.assert_allclose(
        tensorflow_ops.gelu(x, form),
        keras.activations.gelu(x, approximate=form == "tanh"),
        atol=1e-7,
    )
    analytic, numeric = tf.test.compute_gradient(lambda x: tensorflow_ops.gelu(x, form), [x])
    np.testing.assert_allclose(analytic[0], numeric[0], atol=1e-6)


def test_layer_normalizations_slopes_are_the_derivatives():
    rng = np.random.default_rng(2)
    x, gamma, beta = (tf.constant(rng.normal(size=s), tf.float64) for s in ((2, 3, 5), (5,), (5,)))

    def norm(*arguments):
        return tensorflow_ops.layer_normalization(*arguments, epsilon=1e-3) ** 2

    for analytic, numeric in zip(*tf.test.compute_gradient(norm, [x, gamma, beta]), strict=True):
        np.testing.assert_allclose(analytic, numeric, atol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.003])
def test_dropout_drops_its_share_and_keeps_the_mean(rate):
    keras.utils.set_random_seed(1)
    layer = Dropout(rate)
    kept = np.stack([layer(tf.ones((100, 101)), training=True) for _ in range(200)])
    assert set(np.unique(kept)) == {0, np.float32(1 / (1 - rate))}
    deviation = (rate * (1 - rate) / kept.size) ** 0.5
    between_calls = 0.5 / 256 / len(kept) ** 0.5  # one of two thresholds a call
    assert abs((kept == 0).mean() - rate) < 4 * (deviation + between_calls)
    by_place = (kept == 0).mean(0)
    assert by_place.std() < 1.2 * (rate * (1 - rate) / len(kept)) ** 0.5
    assert by_place.min() < rate < by_place.max()


def test_dropouts_gradient_is_what_it_multiplied_by():
    layer = Dropout(0.5)
    x = tf.ones((40,), tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    np.testing.assert_array_equal(tape.gradient(y, x).numpy(), y.numpy())


def test_each_call_drops_anew_and_the_variables_hold_what_comes_next():
    layer = build(0.5)
    first, second = (layer(STATES, padding_mask=MASK, training=True) for _ in range(2))
    assert np.abs(first - second).max() > 0.01
    saved = [v.numpy() for v in layer.variables]
    third = layer(STATES, padding_mask=MASK, training=True)
    again = EncoderLayer.from_config(layer.get_config())
    again.build((None, None, HIDDEN))
    for variable, value in zip(again.variables, saved, strict=True):
        variable.assign(value)
    np.testing.assert_array_equal(again(STATES, padding_mask=MASK, training=True), third)


def test_no_two_dropouts_of_a_layer_drop_alike():
    layer = build(0.5)
    dropouts = [layer.probabilities_dropout, layer.attention_dropout, layer.feedforward_dropout]
    masks = [dropout(tf.ones((400,)), training=True).numpy() for dropout in dropouts]
    for i in range(3):
        assert 0.3 < (masks[i] == masks[i - 1]).mean() < 0.7


def test_replicas_train_together_and_drop_differently():
    program = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from models.dropout import Dropout
from models.encoder_layer import EncoderLayer
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    dropout = Dropout(0.5)
    layer = EncoderLayer(8, 2, 0.5, "exact", 0.02)
    layer.build((None, None, 4))

@tf.function
def step():
    def replica():
        dropped = dropout(tf.ones((400,)), training=True)
        with tf.GradientTape() as tape:
            y = layer(tf.ones((2, 3, 4)), padding_mask=tf.ones((2, 3), tf.int32), training=True)
            loss = tf.reduce_sum(y * tf.range(4.0))
        slope = tape.gradient(loss, layer.feedforward_output.kernel.value)
        context = tf.distribute.get_replica_context()
        return dropped, context.all_reduce("SUM", slope)
    return strategy.run(replica)

(a, b), (c, d) = (strategy.experimental_local_results(step()[0]) for _ in range(2))
slopes = strategy.experimental_local_results(step()[1])
assert all(tf.reduce_all(tf.math.is_finite(s)) for s in slopes)
for x, y in ((a, b), (c, d), (a, c), (b, d), (b, c)):
    assert 0.3 < tf.reduce_mean(tf.cast(x == y, tf.float32)) < 0.7
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
