"""Which settings of a training go together."""

import pydantic
import pytest

from models.config import BackboneConfig, ClassifierConfig, TargetScale, TrainingConfig


@pytest.mark.parametrize("size", [{}, {"batch_size": 8}, {"tokens_per_batch": 4096}])
def test_a_batch_has_its_size_in_rows_or_in_tokens(size):
    config = TrainingConfig(**size)
    assert {"batch_size": config.batch_size, "tokens_per_batch": config.tokens_per_batch} == {
        "batch_size": None,
        "tokens_per_batch": None,
    } | size


def test_rows_and_tokens_at_once_are_refused():
    with pytest.raises(
        pydantic.ValidationError, match=r"give either batch_size .* or tokens_per_b"
    ):
        TrainingConfig(batch_size=8, tokens_per_batch=4096)


def test_float16_on_a_tpu_is_refused():
    with pytest.raises(pydantic.ValidationError, match="use mixed_bfloat16"):
        TrainingConfig(strategy="tpu", precision="mixed_float16")
    assert TrainingConfig(strategy="tpu", precision="mixed_bfloat16").strategy == "tpu"


@pytest.mark.parametrize(
    "bad",
    [
        {"batch_size": 0},
        {"tokens_per_batch": 0},
        {"accumulation_steps": 0},
        {"steps_per_call": 0},
        {"strategy": "parameter_server"},
        {"precision": "float16"},
        {"optimizer": {"clip_norm": 0}},
        {"checkpoint": {"keep": 0}},
        {"checkpoint": {"every_seconds": -1}},
    ],
)
def test_impossible_values_are_refused(bad):
    with pytest.raises(pydantic.ValidationError):
        TrainingConfig.model_validate(bad)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"classes": ("a",)}, "single_label needs at least 2 classes"),
        ({"task": "multi_label"}, "multi_label needs at least 1 classes"),
        ({"task": "regression"}, "a target scale and no classes"),
        ({"task": "regression", "target": {"mean": 0, "deviation": 0}}, "greater than 0"),
        ({"classes": ("a", "b"), "target": {"mean": 0, "deviation": 1}}, "no target scale"),
        ({"classes": ("a", "b"), "pairs": True, "max_length": 4}, "leaves a pair nothing"),
    ],
)
def test_answers_that_do_not_fit_the_task_are_refused(answers, message):
    sizes = {"backbone": BackboneConfig.preset("tiny"), "max_length": 8}
    with pytest.raises(pydantic.ValidationError, match=message):
        ClassifierConfig(**sizes | answers)


def test_a_regression_has_one_output():
    scale = TargetScale(mean=1, deviation=2)
    sizes = {"backbone": BackboneConfig.preset("tiny"), "max_length": 8}
    assert ClassifierConfig(task="regression", target=scale, **sizes).num_outputs == 1
    assert ClassifierConfig(task="multi_label", classes=("a",), **sizes).num_outputs == 1


def test_sizes_go_by_name():
    config = BackboneConfig.preset("small", vocabulary_size=99, max_sequence_length=128)
    assert (config.num_layers, config.hidden_dim, config.num_heads) == (4, 512, 8)
    assert (config.intermediate_dim, config.vocabulary_size) == (2048, 99)
    assert config.max_sequence_length == 128
    with pytest.raises(KeyError):
        BackboneConfig.preset("huge")
