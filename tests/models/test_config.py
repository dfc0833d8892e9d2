"""Which settings of a training go together."""

import pydantic
import pytest

from models.config import BackboneConfig, TrainingConfig


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


def test_sizes_go_by_name():
    config = BackboneConfig.preset("small", vocabulary_size=99, max_sequence_length=128)
    assert (config.num_layers, config.hidden_dim, config.num_heads) == (4, 512, 8)
    assert (config.intermediate_dim, config.vocabulary_size) == (2048, 99)
    assert config.max_sequence_length == 128
    with pytest.raises(KeyError):
        BackboneConfig.preset("huge")
