"""AdamW and LAMB against Keras and the paper; schedules, decay, rates, strategies, checkpoints."""

import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.config import OptimizerConfig
from models.optimization import Optimizer, learning_rate, rate_multipliers

HERE = Path(__file__).parent
CONSTANT = {"schedule": "constant", "warmup_fraction": 0}


def small_model() -> keras.Model:
    """A kernel, a bias, a gamma and a beta of the "backbone", a kernel and a bias of the head."""
    keras.utils.set_random_seed(3)
    inputs = keras.Input((5,))
    x = keras.layers.LayerNormalization(name="embeddings_layer_norm", beta_initializer="ones")(
        inputs
    )
    x = keras.layers.Dense(4, name="transformer_layer_0", bias_initializer="ones")(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="head", bias_initializer="ones")(x))


def random_gradients(model, updates, seed=0):
    rng = np.random.default_rng(seed)
    return [
        [rng.normal(size=v.shape).astype(np.float32) for v in model.trainable_variables]
        for _ in range(updates)
    ]


def make_apply(optimizer, **options):
    """`optimizer.apply` in a graph, with `ok` unknown when it is made."""

    @tf.function(**options)
    def apply(gradients, ok):
        optimizer.apply(gradients, ok)

    return lambda gradients, ok=True: apply(
        [tf.constant(gradient) for gradient in gradients], tf.constant(ok)
    )


def change_of(model, config, gradient=np.zeros, total_updates=10):
    """One update of all variables; each one's value before and after, by path."""
    before = {v.path: v.numpy() for v in model.trainable_variables}
    apply = make_apply(Optimizer(model, config, total_updates))
    apply([gradient(v.shape, np.float32) for v in model.trainable_variables])
    return {v.path: (before[v.path], v.numpy()) for v in model.trainable_variables}


def values(optimizer):
    """Everything that training remembers."""
    return [v.numpy() for v in (*optimizer.variables, *optimizer.variables_to_train)]


def assert_equal(some, others):
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        np.testing.assert_array_equal(one, other)


# Schedules


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
@pytest.mark.parametrize(
    ("fraction", "total", "warmup"),
    [(0, 10, 0), (0.1, 10, 1), (0.4, 10, 4), (0.9, 10, 9), (0.5, 1, 0), (0.1, 1000, 100)],
)
def test_schedule_follows_its_formula_at_every_step(schedule, fraction, total, warmup):
    config = OptimizerConfig(learning_rate=2e-4, schedule=schedule, warmup_fraction=fraction)
    for step in range(total + 3):
        share = min((step - warmup) / (total - warmup), 1)
        fall = {"linear": 1 - share, "cosine": (1 + math.cos(math.pi * share)) / 2, "constant": 1}
        expected = 2e-4 * ((step + 1) / warmup if step < warmup else fall[schedule])
        rate = learning_rate(tf.constant(step, tf.int64), config, total)
        assert rate.dtype == tf.float32
        assert float(rate) == pytest.approx(expected, rel=1e-5, abs=1e-10)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_schedule_peaks_once_warm_and_ends_at_0(schedule):
    config = OptimizerConfig(learning_rate=1.0, schedule=schedule, warmup_fraction=0.2)
    rates = [float(learning_rate(step, config, 20)) for step in range(23)]
    assert rates[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert rates[4:21] == sorted(set(rates[4:21]), reverse=True)
    assert rates[20:] == [0.0, 0.0, 0.0]


def test_learning_rate_is_that_of_the_next_update():
    model = small_model()
    config = OptimizerConfig(learning_rate=1e-2, weight_decay=0, warmup_fraction=0.5)
    optimizer = Optimizer(model, config, 8)
    apply = make_apply(optimizer)
    for done in range(8):
        assert int(optimizer.step) == done
        rate = float(optimizer.learning_rate())
        assert rate == float(learning_rate(done, config, 8))
        before = model.trainable_variables[0].numpy()
        apply([np.ones(v.shape, np.float32) for v in model.trainable_variables])
        # With equal gradients all along, Adam moves by the rate itself.
        np.testing.assert_allclose(before - model.trainable_variables[0].numpy(), rate, rtol=1e-3)


# Rules


def test_adamw_equals_that_of_keras():
    model, twin = small_model(), small_model()
    config = OptimizerConfig(learning_rate=5e-3, weight_decay=2.0)
    optimizer = Optimizer(model, config, 30)
    apply = make_apply(optimizer)
    reference = keras.optimizers.AdamW(learning_rate=1.0, weight_decay=2.0)
    # At a higher rate, the 6e-6 that Keras rounds away (see the module) would show.
    reference.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    for gradients in random_gradients(model, 30):
        reference.learning_rate = float(optimizer.learning_rate())
        reference.apply([tf.constant(g) for g in gradients], twin.trainable_variables)
        apply(gradients)
        for ours, theirs in zip(model.trainable_variables, twin.trainable_variables, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-5, atol=1e-6)


def test_lamb_without_decay_equals_that_of_keras():
    model, twin = small_model(), small_model()
    config = OptimizerConfig(name="lamb", learning_rate=3e-2, weight_decay=0)
    optimizer = Optimizer(model, config, 30)
    apply = make_apply(optimizer)
    reference = keras.optimizers.Lamb(learning_rate=1.0)
    for gradients in random_gradients(model, 30):
        reference.learning_rate = float(optimizer.learning_rate())
        reference.apply([tf.constant(g) for g in gradients], twin.trainable_variables)
        apply(gradients)
        for ours, theirs in zip(model.trainable_variables, twin.trainable_variables, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=2e-5, atol=1e-6)


def test_lamb_follows_algorithm_2_of_its_paper():
    model = small_model()
    config = OptimizerConfig(name="lamb", learning_rate=3e-2, weight_decay=0.2, **CONSTANT)
    apply = make_apply(Optimizer(model, config, 30))
    weights = [v.numpy().astype(np.float64) for v in model.trainable_variables]
    means, squares = ([np.zeros_like(w) for w in weights] for _ in range(2))
    for t, gradients in enumerate(random_gradients(model, 30), start=1):
        apply(gradients)
        for i, (variable, gradient) in enumerate(
            zip(model.trainable_variables, gradients, strict=True)
        ):
            means[i] = 0.9 * means[i] + 0.1 * gradient
            squares[i] = 0.999 * squares[i] + 0.001 * np.float64(gradient) ** 2
            ratio = means[i] / (1 - 0.9**t) / (np.sqrt(squares[i] / (1 - 0.999**t)) + 1e-7)
            update = ratio + (0.2 if variable.name == "kernel" else 0) * weights[i]
            trust = np.linalg.norm(weights[i]) / np.linalg.norm(update)
            weights[i] = weights[i] - 3e-2 * trust * update
            np.testing.assert_allclose(variable.numpy(), weights[i], rtol=2e-5, atol=1e-6)


def test_lamb_trusts_fully_where_a_norm_is_0():
    model = small_model()
    config = OptimizerConfig(name="lamb", learning_rate=1e-2, weight_decay=0, **CONSTANT)
    for variable in model.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    for old, new in change_of(model, config, np.ones).values():
        np.testing.assert_allclose(old - new, 1e-2, rtol=1e-4)
    for old, new in change_of(small_model(), config, np.zeros).values():
        np.testing.assert_array_equal(old, new)


# Decay and rates


def test_decay_spares_the_names_excluded(make_classifier):
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5, warmup_fraction=0)
    changes = change_of(make_classifier().model, config)
    spared = {path for path, (old, new) in changes.items() if np.array_equal(old, new)}
    assert spared == {p for p in changes if p.rpartition("/")[2] in ("bias", "gamma", "beta")}
    assert {path.rpartition("/")[2] for path in spared} == {"bias", "gamma", "beta"}
    for path in set(changes) - spared:
        old, new = changes[path]
        np.testing.assert_allclose(new, old * (1 - 0.1 * 0.5), rtol=1e-5)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_decay_spares_whatever_names_are_given(name):
    config = OptimizerConfig(name=name, weight_decay=0.5, no_decay=("kernel",), **CONSTANT)
    changes = change_of(small_model(), config)
    spared = {path for path, (old, new) in changes.items() if np.array_equal(old, new)}
    assert spared == {"transformer_layer_0/kernel", "head/kernel"}


def test_without_decay_a_zero_gradient_changes_nothing():
    config = OptimizerConfig(weight_decay=0, warmup_fraction=0)
    for old, new in change_of(small_model(), config).values():
        np.testing.assert_array_equal(old, new)


def test_layer_decay_lowers_the_rate_from_the_head_down():
    paths = [
        "token_embedding/embeddings",
        "position_embedding/embeddings",
        "segment_embedding/embeddings",
        "embeddings_layer_norm/gamma",
        "transformer_layer_0/self_attention/query/kernel",
        "transformer_layer_1/feedforward/bias",
        "transformer_layer_10/layer_norm/beta",
        "transformer_layer_11/layer_norm/beta",
        "head/kernel",
        "another_head/bias",
    ]
    config = OptimizerConfig(learning_rate=1e-3, head_learning_rate=5e-3, layer_decay=0.5)
    lowest = [0.5**13] * 4
    assert rate_multipliers(paths, config) == pytest.approx(
        [*lowest, 0.5**12, 0.5**11, 0.5**2, 0.5, 5.0, 5.0]
    )
    assert rate_multipliers(paths, OptimizerConfig()) == [1.0] * 10
    assert rate_multipliers(["head/kernel"], OptimizerConfig(layer_decay=0.5)) == [1.0]


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_each_layer_of_a_classifier_moves_at_its_own_rate(name, make_classifier):
    config = OptimizerConfig(
        name=name,
        learning_rate=1e-3,
        head_learning_rate=1e-2,
        layer_decay=0.5,
        weight_decay=0,
        warmup_fraction=0,
    )
    model = make_classifier().model
    for variable in model.trainable_variables:  # LAMB's trust in it is then 1
        variable.assign(np.zeros(variable.shape))
    rates = {"embedding": 1.25e-4, "layer_0": 2.5e-4, "layer_1": 5e-4, "head": 1e-2}
    for path, (old, new) in change_of(model, config, np.ones).items():
        kinds = [kind for kind in rates if kind in path.partition("/")[0]]
        assert len(kinds) == 1, path
        np.testing.assert_allclose(old - new, rates[kinds[0]], rtol=1e-3)


# Where it runs


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_not_ok_leaves_everything_as_it_is(name):
    model = small_model()
    optimizer = Optimizer(model, OptimizerConfig(name=name), 10)
    apply = make_apply(optimizer)
    good, bad = random_gradients(model, 2)
    apply(good)
    before = values(optimizer)
    bad[0][:] = np.inf
    bad[1][:] = np.nan
    apply(bad, ok=False)
    assert_equal(values(optimizer), before)
    assert int(optimizer.step) == 1


def test_a_constant_ok_puts_no_condition_into_the_graph():
    model, twin = small_model(), small_model()
    [gradients] = random_gradients(model, 1)
    optimizer, other = (Optimizer(m, OptimizerConfig(), 10) for m in (model, twin))

    def operations(ok):
        graph = tf.function(lambda g: optimizer.apply(g, ok)).get_concrete_function(gradients).graph
        return [operation.type for operation in graph.get_operations()]

    assert operations(tf.constant(True)).count("ResourceApplyAdam") == len(gradients)
    assert "ResourceApplyAdam" not in operations(tf.constant(False))
    tf.function(optimizer.apply)(gradients, True)
    make_apply(other)(gradients)
    assert_equal(values(optimizer), values(other))


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_it_runs_inside_a_loop_in_the_graph(name):
    model, twin = small_model(), small_model()
    looped, called = (Optimizer(m, OptimizerConfig(name=name), 5) for m in (model, twin))
    gradients = random_gradients(model, 4)
    stacked = [tf.stack(group) for group in zip(*gradients, strict=True)]

    @tf.function
    def loop():
        def body(i):
            looped.apply([group[i] for group in stacked], i != 2)
            return (i + 1,)

        tf.while_loop(lambda i: i < 4, body, (tf.constant(0),))

    loop()
    apply = make_apply(called)
    for i, group in enumerate(gradients):
        apply(group, ok=i != 2)
    assert int(looped.step) == 3
    assert_equal(values(looped), values(called))


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_xla_compiles_it(name):
    model, twin = small_model(), small_model()
    config = OptimizerConfig(name=name, layer_decay=0.5)
    compiled, plain = (Optimizer(m, config, 9) for m in (model, twin))
    apply_compiled, apply_plain = make_apply(compiled, jit_compile=True), make_apply(plain)
    for i, gradients in enumerate(random_gradients(model, 5)):
        apply_compiled(gradients, ok=i != 2)
        apply_plain(gradients, ok=i != 2)
    assert int(compiled.step) == int(plain.step) == 4
    for ours, theirs in zip(values(compiled), values(plain), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_training_goes_on_from_a_checkpoint_bit_for_bit(name, tmp_path):
    config = OptimizerConfig(name=name)
    model = small_model()
    optimizer = Optimizer(model, config, 20)
    gradients = random_gradients(model, 10)
    apply = make_apply(optimizer)
    for group in gradients[:5]:
        apply(group)
    path = tf.train.Checkpoint(optimizer=optimizer).save(str(tmp_path / "checkpoint"))
    for group in gradients[5:]:
        apply(group)

    resumed = Optimizer(small_model(), config, 20)
    tf.train.Checkpoint(optimizer=resumed).restore(path).assert_consumed()
    assert int(resumed.step) == 5
    apply = make_apply(resumed)
    for group in gradients[5:]:
        apply(group)
    assert_equal(values(resumed), values(optimizer))


def test_a_checkpoint_of_the_optimizer_holds_weights_and_moments_once(tmp_path):
    optimizer = Optimizer(small_model(), OptimizerConfig(), 20)
    path = tf.train.Checkpoint(optimizer=optimizer).save(str(tmp_path / "checkpoint"))
    assert [shape for _, shape in tf.train.list_variables(path)].count([5, 4]) == 3


def test_two_mirrored_replicas_equal_one_device():
    # Logical devices can be set before TensorFlow's first use only.
    program = """
        import numpy as np, tensorflow as tf
        from models.config import OptimizerConfig
        from models.optimization import Optimizer
        from test_optimization import *

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        for name in ("adamw", "lamb"):
            config = OptimizerConfig(name=name, layer_decay=0.5)
            with mirrored.scope():
                optimizer = Optimizer(small_model(), config, 9)
            alone = Optimizer(small_model(), config, 9)
            gradients = random_gradients(small_model(), 5)
            stacked = [tf.stack(group) for group in zip(*gradients, strict=True)]

            @tf.function
            def train():
                def body(i):
                    def replica():
                        optimizer.apply([group[i] for group in stacked], i != 2)
                        return optimizer.learning_rate()
                    mirrored.run(replica)
                    return (i + 1,)
                tf.while_loop(lambda i: i < 4, body, (tf.constant(0),))
                # and outside of a loop, without a condition
                mirrored.run(lambda: optimizer.apply([g[4] for g in stacked], tf.constant(True)))

            train()
            apply = make_apply(alone)
            for i, group in enumerate(gradients):
                apply(group, ok=i != 2)
            for variable, other in zip(
                (optimizer.step, *optimizer.variables_to_train),
                (alone.step, *alone.variables_to_train), strict=True,
            ):
                assert len(variable.values) == 2
                for replica in variable.values:
                    np.testing.assert_allclose(replica, other, rtol=1e-7)
        print("equal")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), str(HERE)])},
        capture_output=True,
        text=True,
    )
    assert result.stdout.splitlines()[-1:] == ["equal"], result.stderr
