import pydantic
import pytest

from components.pretrain_trainer.config import LanguageModelConfig

SIZES = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 16}


def test_a_preset_is_googles_size():
    backbone = LanguageModelConfig(preset="mini").backbone(1000)
    assert (backbone.num_layers, backbone.hidden_dim, backbone.num_heads) == (4, 256, 4)
    assert (backbone.vocabulary_size, backbone.intermediate_dim) == (1000, 1024)


def test_the_same_size_makes_a_gpt():
    config = LanguageModelConfig(**SIZES, max_sequence_length=32, dropout=0.0)
    assert config.gpt(50).model_dump() == config.backbone(50).model_dump(exclude={"gelu"})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "give one of preset, weights, or the sizes"),
        ({"preset": "mini", "weights": "minilm_l6"}, "give one of preset, weights, or the sizes"),
        ({"preset": "mini", "num_layers": 2}, "give one of preset, weights, or the sizes"),
        ({"num_layers": 2, "num_heads": 2}, "hidden_dim, intermediate_dim is missing"),
        (SIZES | {"num_heads": 3}, "hidden_dim 8 is no multiple of num_heads 3"),
    ],
)
def test_a_start_must_be_one(settings, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        LanguageModelConfig(**settings)
