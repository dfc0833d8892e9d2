"""Mixed precision keeps weights and logits in float32; the loss scale finds its own size."""

import keras
import pytest
import tensorflow as tf

from models.precision import LossScale, precision


def test_layers_built_inside_have_the_policy_and_those_after_do_not():
    before = keras.config.dtype_policy().name
    with precision("mixed_bfloat16"):
        inside = keras.layers.Dense(2)
    assert inside.compute_dtype == "bfloat16"
    assert keras.config.dtype_policy().name == before


def test_the_policy_is_put_back_after_an_error():
    before = keras.config.dtype_policy().name
    with pytest.raises(RuntimeError, match="on purpose"), precision("mixed_float16"):
        raise RuntimeError("on purpose")
    assert keras.config.dtype_policy().name == before


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_weights_and_logits_are_float32(make_classifier, policy):
    with precision(policy):
        model = make_classifier().model
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    ids = tf.constant([[5, 6, 7]])
    assert model({"token_ids": ids, "padding_mask": tf.ones_like(ids)}).dtype == tf.float32
    policies = {layer.compute_dtype for layer in model.layers if layer.weights}
    assert policy.removeprefix("mixed_") in policies


def learn(scale, *oks):
    for ok in oks:
        scale.update(tf.constant(ok))
    return float(scale.value)


def set_counter(scale, value):
    [counter] = [variable for variable in scale.variables if variable.dtype == tf.int32]
    counter.assign(value)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_only_float16_is_scaled(policy):
    scale = LossScale(policy)
    assert learn(scale) == 1
    set_counter(scale, 1999)
    assert learn(scale, True, False, False) == 1
    assert scale.is_exhausted


def test_an_overflow_halves_the_scale_until_1_was_too_much():
    scale = LossScale("mixed_float16")
    assert learn(scale) == 2**15
    assert learn(scale, True, False) == 2**14
    assert learn(scale, *[False] * 14) == 1
    assert not scale.is_exhausted
    assert learn(scale, *[False] * 5) == 0.5
    assert scale.is_exhausted


def test_the_scale_doubles_after_2000_updates_without_an_overflow():
    scale = LossScale("mixed_float16")
    set_counter(scale, 1998)
    assert learn(scale, True) == 2**15
    assert learn(scale, True) == 2**16
    assert learn(scale, *[True] * 5) == 2**16  # counting begins anew
    set_counter(scale, 1999)
    assert learn(scale, False, True) == 2**15  # and so it does after an overflow


def test_a_checkpoint_holds_scale_and_counter(tmp_path):
    scale, restored = LossScale("mixed_float16"), LossScale("mixed_float16")
    learn(scale, False)
    set_counter(scale, 1999)
    path = tf.train.Checkpoint(scale=scale).write(str(tmp_path / "scale"))
    tf.train.Checkpoint(scale=restored).read(path).assert_consumed()
    assert learn(restored) == 2**14
    assert learn(restored, True) == 2**15
