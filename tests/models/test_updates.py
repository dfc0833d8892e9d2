"""An update is that of the whole batch, however it is divided, compiled or rounded."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.batching import Plan, distribute
from models.classifier import TextClassifier
from models.config import ClassifierConfig, OptimizerConfig, TrainingConfig
from models.examples import Examples
from models.optimization import Optimizer
from models.precision import LossScale, precision
from models.tasks import Classification
from models.updates import Updates

CLASS_WEIGHTS = [0.3, 1.0, 2.5]
PLAIN = OptimizerConfig(
    learning_rate=1e-3, schedule="constant", warmup_fraction=0, clip_norm=None, weight_decay=0
)


def examples(count=26, seed=0) -> Examples:
    """The label is told by the first id; the other ids are noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    rows = [[4 + label, *rng.integers(7, 14, rng.integers(1, 30))] for label in labels]
    return Examples.from_rows(rows, labels)


class Training:
    """A model and what updates it, one after the other."""

    def __init__(self, model, data=None, class_weights=None, **settings):
        self.config = TrainingConfig(**{"batch_size": 13, "optimizer": PLAIN} | settings)
        with precision(self.config.precision):
            self.model = model()
        self.data = data or examples()
        self.plan = Plan(
            self.data.lengths, self.config.batch_size, self.config.tokens_per_batch, seed=0
        )
        self.optimizer = Optimizer(self.model, self.config.optimizer, total_updates=100)
        self.loss_scale = LossScale(self.config.precision)
        strategy = tf.distribute.get_strategy()
        self.task = Classification(self.model, class_weights)
        self.updates = Updates(self.task, self.optimizer, self.loss_scale, self.config, strategy)
        self.iterator = distribute(strategy, self.data, self.plan, self.config.accumulation_steps)

    def update(self, count=1, stop=0):
        reports = self.updates.train(self.iterator, tf.constant(count), tf.constant(stop))
        return {name: value.numpy() for name, value in reports.items()}

    def losses(self, updates):
        reports = [self.update() for _ in range(updates)]
        return [float(r["sum/loss"][0] / r["weight/loss"][0]) for r in reports]

    def applied(self):
        """The gradient of the first update, of which Adam's first moment then is a tenth."""
        means = [v.numpy() for v in self.optimizer.variables if v.name.endswith("/mean:0")]
        assert len(means) == len(self.model.trainable_variables)
        return [mean / (1 - np.float32(0.9)) for mean in means]

    def remembered(self):
        return [v.numpy() for v in (*self.model.variables, *self.optimizer.variables)]


@pytest.fixture
def classifier(vocabulary, backbone_config):
    """Makes a classifier without dropout whose answers differ."""

    def make():
        keras.utils.set_random_seed(1)
        config = ClassifierConfig(
            backbone=backbone_config.model_copy(update={"dropout": 0.0}),
            classes=("a", "b", "c"),
            max_length=64,
        )
        model = TextClassifier(config, vocabulary).model
        rng = np.random.default_rng(0)
        for variable in model.trainable_variables:
            variable.assign_add(rng.normal(scale=0.2, size=variable.shape))
        return model

    return make


def bag_of_words():
    """The smallest model of the same inputs."""
    keras.utils.set_random_seed(1)
    token_ids = keras.Input((None,), dtype="int32", name="token_ids")
    mask = keras.Input((None,), dtype="int32", name="padding_mask")
    x = keras.layers.Embedding(14, 4)(token_ids)
    x = keras.layers.GlobalAveragePooling1D()(x, mask=keras.ops.cast(mask, "bool"))
    logits = keras.layers.Dense(3, dtype="float32")(x)
    return keras.Model({"token_ids": token_ids, "padding_mask": mask}, logits)


def reference_gradient(training, class_weights=None):
    """Of the weighted mean loss of the first batch, all at once."""
    rows = training.plan.epoch(0)[0]
    batch = training.data.padded(rows, training.plan.length(rows))
    labels = batch.pop("label_id")
    weights = np.array(class_weights or [1, 1, 1], np.float32)[labels]
    with tf.GradientTape() as tape:
        logits = training.model(batch)
        losses = keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        loss = tf.reduce_sum(losses * weights) / weights.sum()
    gradients = tape.gradient(loss, training.optimizer.variables_to_train)
    return float(loss), [tf.convert_to_tensor(gradient) for gradient in gradients]


def assert_close(some, others, atol, rtol=0.0):
    for one, other in zip(some, others, strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), rtol=rtol, atol=atol)


@pytest.mark.parametrize("class_weights", [None, CLASS_WEIGHTS])
@pytest.mark.parametrize("parts", [1, 3])
def test_the_gradient_is_that_of_the_weighted_mean_loss(classifier, parts, class_weights):
    training = Training(classifier, class_weights=class_weights, accumulation_steps=parts)
    loss, gradients = reference_gradient(training, class_weights)
    report = training.update()
    assert report["sum/loss"][0] / report["weight/loss"][0] == pytest.approx(loss, rel=1e-6)
    assert report["gradient_norm"][0] == pytest.approx(float(tf.linalg.global_norm(gradients)))
    assert_close(training.applied(), gradients, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("share", [0.5, 0.9999, 1.0001, 20.0])
def test_the_whole_gradient_is_clipped_to_the_norm_asked_for(parts, share):
    loss_free = Training(bag_of_words)
    _, gradients = reference_gradient(loss_free)
    clip_norm = share * float(tf.linalg.global_norm(gradients))
    optimizer = PLAIN.model_copy(update={"clip_norm": clip_norm})
    training = Training(bag_of_words, optimizer=optimizer, accumulation_steps=parts)
    report = training.update()
    expected, norm = tf.clip_by_global_norm(gradients, clip_norm)
    assert_close(training.applied(), expected, rtol=1e-5, atol=1e-8)
    assert report["gradient_norm"][0] == pytest.approx(float(norm), rel=1e-5)


@pytest.mark.parametrize("parts", [2, 5])
def test_parts_of_a_batch_train_like_the_batch(classifier, parts):
    optimizer = OptimizerConfig(learning_rate=1e-3)  # with warm-up, decay and clipping
    whole = Training(classifier, class_weights=CLASS_WEIGHTS, optimizer=optimizer)
    divided = Training(
        classifier, class_weights=CLASS_WEIGHTS, optimizer=optimizer, accumulation_steps=parts
    )
    before = whole.model.get_weights()
    assert whole.losses(10) == pytest.approx(divided.losses(10), abs=1e-6)
    assert_close(whole.model.get_weights(), divided.model.get_weights(), atol=1e-6)
    moved = max(abs(a - b).max() for a, b in zip(before, whole.model.get_weights(), strict=True))
    assert moved > 1e-3


def test_compiled_by_xla_it_trains_alike(classifier):
    settings = {"optimizer": OptimizerConfig(learning_rate=1e-3), "accumulation_steps": 2}
    compiled, plain = Training(classifier, xla=True, **settings), Training(classifier, **settings)
    assert compiled.losses(10) == pytest.approx(plain.losses(10), abs=1e-5)
    assert_close(compiled.model.get_weights(), plain.model.get_weights(), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns(classifier, policy):
    optimizer = PLAIN.model_copy(update={"learning_rate": 1e-2})
    losses = Training(classifier, precision=policy, optimizer=optimizer).losses(40)
    [exact] = Training(classifier, optimizer=optimizer).losses(1)
    assert losses[0] == pytest.approx(exact, rel=0.02)
    assert losses[0] != exact
    assert np.mean(losses[-2:]) < 0.6 * np.mean(losses[:2])


def test_an_overflow_of_float16_skips_the_update_and_halves_the_scale(classifier):
    training = Training(classifier, precision="mixed_float16")
    training.loss_scale.value.assign(2.0**10)
    assert training.update()["skipped"].tolist() == [0]
    training.loss_scale.value.assign(2.0**60)
    before = training.remembered()
    report = training.update()
    assert report["skipped"].tolist() == [1]
    assert not np.isfinite(report["gradient_norm"][0])
    assert np.isfinite(report["sum/loss"][0])
    for one, other in zip(before, training.remembered(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert int(training.optimizer.step) == 1
    assert float(training.loss_scale.value) == 2.0**59
    training.loss_scale.value.assign(2.0**10)
    assert training.update()["skipped"].tolist() == [0]
    assert int(training.optimizer.step) == 2


def test_the_loss_scale_leaves_loss_and_gradient_as_they_are(classifier):
    some, other = (Training(classifier, precision="mixed_float16") for _ in range(2))
    some.loss_scale.value.assign(2.0**8)
    other.loss_scale.value.assign(2.0**10)
    one, two = some.update(), other.update()
    assert one["sum/loss"] == two["sum/loss"]
    assert one["gradient_norm"] == pytest.approx(two["gradient_norm"], rel=1e-2)
    assert_close(some.applied(), other.applied(), atol=1e-3)


def test_float32_skips_an_update_that_is_no_number_too():
    training = Training(bag_of_words)
    training.model.trainable_variables[0].assign(np.full((14, 4), np.nan))
    before = training.remembered()
    assert training.update()["skipped"].tolist() == [1]
    for one, other in zip(before, training.remembered(), strict=True):
        np.testing.assert_array_equal(one, other)


MODES = list(
    itertools.product([False, True], ["float32", "mixed_bfloat16", "mixed_float16"], [1, 2], [1, 2])
)


@pytest.fixture(scope="module")
def plain_losses():
    return Training(bag_of_words).losses(2)


@pytest.mark.parametrize(("xla", "policy", "parts", "calls"), MODES)
def test_modes_combine(plain_losses, xla, policy, parts, calls):
    training = Training(
        bag_of_words, xla=xla, precision=policy, accumulation_steps=parts, steps_per_call=calls
    )
    reports = [training.update(calls) for _ in range(2 // calls)]
    losses = np.concatenate([report["sum/loss"] / report["weight/loss"] for report in reports])
    tolerance = 1e-6 if policy == "float32" else 1e-2
    np.testing.assert_allclose(losses, plain_losses, rtol=tolerance)
    assert [report["skipped"].tolist() for report in reports] == [[0] * calls] * (2 // calls)
    assert int(training.optimizer.step) == 2


def test_several_updates_a_call_report_each(classifier):
    several, single = Training(classifier, steps_per_call=3), Training(classifier)
    reports = [several.update(3), several.update(1)]  # fewer at the end of an epoch
    expected = [single.update() for _ in range(4)]
    for name in expected[0]:
        assert [len(report[name]) for report in reports] == [3, 1]
        np.testing.assert_array_equal(
            np.concatenate([report[name] for report in reports]),
            np.concatenate([report[name] for report in expected]),
        )


@pytest.mark.parametrize("parts", [1, 2])
def test_an_update_reports_its_rows(parts):
    training = Training(bag_of_words, class_weights=CLASS_WEIGHTS, accumulation_steps=parts)
    rows = training.plan.epoch(0)[0]
    report = training.update(stop=1)
    padded_rows = 14 if parts == 2 else 13
    assert report["tokens"].tolist() == [training.data.lengths[rows].sum()]
    assert report["positions"].tolist() == [padded_rows * training.plan.length(rows)]
    assert report["weight/accuracy"].tolist() == [13]
    factors = np.array(CLASS_WEIGHTS)[training.data.labels[rows]]
    assert report["weight/loss"][0] == pytest.approx(factors.sum())
    assert report["learning_rate"][0] == pytest.approx(1e-3)
    assert report["stop"].tolist() == [1]
    assert training.update()["stop"].tolist() == [0]


@pytest.mark.parametrize("xla", [False, True])
def test_evaluation_sums_without_weights_or_changes(xla):
    training = Training(bag_of_words, class_weights=CLASS_WEIGHTS, xla=xla)
    before = training.remembered()
    strategy = tf.distribute.get_strategy()
    iterator = distribute(strategy, training.data, training.plan)
    reports = [training.updates.evaluate(iterator, tf.constant(1)) for _ in range(2)]
    batch = training.data.padded(np.arange(26), int(training.data.lengths.max()))
    batch["weight"] = np.ones(26, np.float32)
    expected = training.task.sums({k: tf.constant(v) for k, v in batch.items()}, training=False)
    for name, (total, weight) in expected.items():
        found = [sum(float(r[f"{kind}/{name}"][0]) for r in reports) for kind in ("sum", "weight")]
        assert found == pytest.approx([float(total), float(weight)], rel=1e-5)
    for one, other in zip(before, training.remembered(), strict=True):
        np.testing.assert_array_equal(one, other)
