"""AdamW as BERT is fine-tuned: schedule, decay and learning-rate groups."""

import keras
import numpy as np
import pytest

from models.config import OptimizerConfig
from models.optimization import WarmupLinearDecay, build_optimizers


@pytest.mark.parametrize(("warmup", "total"), [(0, 10), (1, 10), (4, 10), (9, 10), (0, 1)])
def test_schedule_follows_its_formula(warmup, total):
    schedule = WarmupLinearDecay(peak=2e-4, warmup_steps=warmup, total_steps=total)
    for step in range(total):
        rise = (step + 1) / warmup if step < warmup else 1.0
        fall = (total - step) / (total - warmup) if step >= warmup else 1.0
        assert float(schedule(step)) == pytest.approx(2e-4 * rise * fall, rel=1e-6)
    assert float(schedule(total)) == float(schedule(total + 7)) == 0.0


def test_schedule_peaks_once_warm():
    rates = [float(WarmupLinearDecay(1.0, 4, 20)(step)) for step in range(20)]
    assert rates.index(max(rates)) == 3
    assert max(rates) == rates[4] == 1.0
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_schedule_survives_saving():
    schedule = WarmupLinearDecay(1e-3, 3, 9)
    copy = WarmupLinearDecay.from_config(schedule.get_config())
    assert float(copy(5)) == float(schedule(5)) > 0


def update_with(model, config, gradient, total_steps=10):
    """One update of all variables; each one's value before and after, by path."""
    before = {v.path: v.numpy() for v in model.trainable_variables}
    for optimizer, variables in build_optimizers(model, config, total_steps):
        optimizer.apply([gradient(v) for v in variables], variables)
    return {v.path: (before[v.path], v.numpy()) for v in model.trainable_variables}


def test_decay_spares_biases_and_norms(make_classifier):
    config = OptimizerConfig(learning_rate=0.1, weight_decay=0.5, warmup_fraction=0)
    changes = update_with(make_classifier().model, config, keras.ops.zeros_like)
    spared = {path for path, (old, new) in changes.items() if np.array_equal(old, new)}
    assert spared == {p for p in changes if p.rpartition("/")[2] in ("bias", "gamma", "beta")}
    assert {path.rpartition("/")[2] for path in spared} == {"bias", "gamma", "beta"}
    for path in set(changes) - spared:
        old, new = changes[path]
        np.testing.assert_allclose(new, old * (1 - 0.1 * 0.5), rtol=1e-5)


def test_without_decay_a_zero_gradient_changes_nothing(make_classifier):
    config = OptimizerConfig(weight_decay=0, warmup_fraction=0)
    changes = update_with(make_classifier().model, config, keras.ops.zeros_like)
    assert all(np.array_equal(old, new) for old, new in changes.values())


def test_first_step_is_the_learning_rate(make_classifier):
    config = OptimizerConfig(learning_rate=1e-2, weight_decay=0, warmup_fraction=0)
    changes = update_with(make_classifier().model, config, keras.ops.ones_like)
    for old, new in changes.values():  # Adam's first step is rate · sign(gradient)
        np.testing.assert_allclose(old - new, 1e-2, rtol=1e-2)


def test_warmup_lowers_the_first_step(make_classifier):
    config = OptimizerConfig(learning_rate=1e-2, weight_decay=0, warmup_fraction=0.5)
    changes = update_with(make_classifier().model, config, keras.ops.ones_like, total_steps=20)
    for old, new in changes.values():
        np.testing.assert_allclose(old - new, 1e-2 / 10, rtol=1e-2)


def test_the_head_has_its_own_rate(make_classifier):
    config = OptimizerConfig(
        learning_rate=1e-3, head_learning_rate=1e-2, weight_decay=0, warmup_fraction=0
    )
    model = make_classifier().model
    changes = update_with(model, config, keras.ops.ones_like)
    heads = {path for path, (old, new) in changes.items() if np.mean(old - new) > 5e-3}
    assert heads == {"head/kernel", "head/bias"}
    for path, (old, new) in changes.items():
        np.testing.assert_allclose(old - new, 1e-2 if path in heads else 1e-3, rtol=2e-2)


def test_groups_share_no_variable_and_leave_none_out(make_classifier):
    model = make_classifier().model
    for head_rate in (None, 1e-3):
        pairs = build_optimizers(model, OptimizerConfig(head_learning_rate=head_rate), 10)
        paths = [v.path for _, variables in pairs for v in variables]
        assert sorted(paths) == sorted(v.path for v in model.trainable_variables)


def test_gradients_are_clipped_to_the_global_norm(make_classifier):
    """Adam forgets a gradient's size, but not how it compares with the next one's."""

    def second_step(size):
        model = make_classifier().model
        config = OptimizerConfig(weight_decay=0, warmup_fraction=0, clip_norm=1e-3)
        [(optimizer, variables)] = build_optimizers(model, config, 10)
        optimizer.apply([keras.ops.ones_like(v) for v in variables], variables)
        before = variables[0].numpy()
        optimizer.apply([size * keras.ops.ones_like(v) for v in variables], variables)
        return before - variables[0].numpy()

    np.testing.assert_allclose(second_step(1.0), second_step(1000.0), rtol=1e-2)
