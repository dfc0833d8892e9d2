"""What a pretraining config may not ask for."""

import pydantic
import pytest

from pipeline.configs import PipelineConfig
from pipeline.pretrain_config import MethodConfig, PretrainConfig, config_class

FINETUNE = {
    "name": "second",
    "data": {
        "path": "data",
        "text": {"label_column": "label", "splits": {"eval": 0.1, "test": 0.2}},
    },
    "model": {"pretrained": {"pipeline": "first"}},
    "gate": {"min_accuracy": 0.5},
}


def config(**changes) -> dict:
    return {
        "name": "first",
        "data": {"path": "data", "text": {"splits": {"eval": 0.1, "test": 0}}},
        "vocabulary": {"kind": "wordpiece", "size": 1000},
        "examples": {"max_length": 128},
        "model": {"preset": "tiny"},
        "gate": {"max_perplexity": 100},
    } | changes


@pytest.mark.parametrize(
    "good",
    [
        config(),
        config(vocabulary=None, model={"weights": "minilm_l6"}),
        config(
            vocabulary={"kind": "bpe", "size": 500},
            examples={"objective": "clm", "max_length": 128},
        ),
    ],
)
def test_sound_configs(good):
    assert PretrainConfig.model_validate(good).name == "first"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (config(vocabulary=None), "give vocabulary for a new model"),
        (config(model={"weights": "minilm_l6"}), "none with model.weights"),
        (
            config(vocabulary=None, model={"weights": "x"}, examples={"objective": "clm"}),
            "starts from a preset or sizes",
        ),
        (config(examples={"objective": "clm"}), 'needs vocabulary.kind "bpe"'),
        (
            config(vocabulary={"kind": "bpe", "size": 500}),
            'examples.objective "mlm_nsp" needs vocabulary.kind "wordpiece"',
        ),
        (
            config(model={"preset": "tiny", "max_sequence_length": 64}),
            "examples.max_length 128 is above model.max_sequence_length 64",
        ),
    ],
)
def test_what_does_not_fit_is_refused(bad, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        PretrainConfig.model_validate(bad)


def test_a_method_is_two_lines():
    method = MethodConfig.model_validate({"pretrain": config(), "finetune": FINETUNE})
    assert (method.pretrain.name, method.finetune.name) == ("first", "second")


@pytest.mark.parametrize(
    ("pretrain", "finetune", "message"),
    [
        (config(name="other"), FINETUNE, "must name the pipeline other in the root runs"),
        (config(root="there"), FINETUNE, "must name the pipeline first in the root there"),
        (config(), FINETUNE | {"model": {"weights": "minilm_l6"}}, "must name the pipeline first"),
        (config(), FINETUNE | {"name": "first"}, "pretrain.name and finetune.name must differ"),
        (
            config(
                vocabulary={"kind": "bpe", "size": 500},
                examples={"objective": "clm", "max_length": 128},
            ),
            FINETUNE,
            "a GPT is not fine-tuned",
        ),
    ],
)
def test_the_second_line_must_take_the_first(pretrain, finetune, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        MethodConfig.model_validate({"pretrain": pretrain, "finetune": finetune})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"name", "data", "model"}, PipelineConfig),
        ({"name", "examples", "model"}, PretrainConfig),
        ({"pretrain"}, MethodConfig),
    ],
)
def test_the_keys_tell_which_settings_they_are(keys, expected):
    assert config_class(keys) is expected
