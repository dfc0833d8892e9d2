"""What may be searched for, and how values get into the training settings."""

import pydantic
import pytest

from components.tuner.config import TuningConfig, apply_values, check_search
from models.config import OptimizerConfig, TrainingConfig


def tuning(**search) -> TuningConfig:
    """A search; `__` in a name stands for the dot of a key."""
    search = {key.replace("__", "."): candidates for key, candidates in search.items()}
    return TuningConfig(max_trials=2, search=search)


def test_values_replace_settings_by_dotted_key():
    training = TrainingConfig(epochs=5, optimizer=OptimizerConfig(weight_decay=0.1))
    changed = apply_values(
        training, {"optimizer.learning_rate": 3e-5, "batch_size": 8, "balance_classes": True}
    )
    assert changed == TrainingConfig(
        epochs=5,
        batch_size=8,
        balance_classes=True,
        optimizer=OptimizerConfig(weight_decay=0.1, learning_rate=3e-5),
    )
    assert training.batch_size is None


@pytest.mark.parametrize(
    "search",
    [
        {"optimizer__learning_rate": {"min": 1e-5, "max": 1e-3, "scale": "log"}},
        {"optimizer__weight_decay": {"min": 0, "max": 1}},
        {"optimizer__name": ["adamw", "lamb"], "balance_classes": [True, False]},
        {"batch_size": {"min": 8, "max": 64}, "optimizer__clip_norm": [0.5, 1]},
    ],
)
def test_sound_searches(search):
    check_search(tuning(**search), TrainingConfig())


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            {"batchsize": [8, 16]},
            r"search\.batchsize: no key of training; did you mean 'batch_size'",
        ),
        ({"learning_rate": [0.1, 0.2]}, "did you mean 'optimizer.learning_rate'"),
        ({"optimiser__learning_rate": [0.1, 0.2]}, "did you mean 'optimizer.learning_rate'"),
        ({"optimizer": ["adamw", "lamb"]}, r"search\.optimizer: no key of training; did you mean"),
        ({"zzz": [1, 2]}, "there are epochs, batch_size, "),
        ({"optimizer__name": {"min": 1, "max": 2}}, "holds no number; give a list"),
        ({"epochs": {"min": 3, "max": 3}}, "min 3 is not below max 3"),
        ({"epochs": {"min": 0, "max": 3, "scale": "log"}}, "scale log needs a min above 0"),
        ({"epochs": [3]}, "at least 2"),
        ({}, "at least 1"),
    ],
)
def test_searches_that_cannot_be(search, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        tuning(**search)


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"batch_size": [16, 0]}, r"tuning\.search\.batch_size: 0: .* greater than or equal to 1"),
        ({"batch_size": ["8", "16"]}, r"tuning\.search\.batch_size: '8': .* valid integer"),
        ({"epochs": {"min": 1.5, "max": 3}}, r"tuning\.search\.epochs: 1\.5: .* valid integer"),
        ({"optimizer__layer_decay": {"min": 0.5, "max": 2}}, r"layer_decay: 2: .* less than"),
        ({"optimizer__name": ["adamw", "sgd"]}, "optimizer.name: 'sgd': .* 'adamw' or 'lamb'"),
        ({"tokens_per_batch": [512, 1024]}, "either batch_size .* or tokens_per_batch, not both"),
    ],
)
def test_values_that_a_key_cannot_have(search, message):
    with pytest.raises(ValueError, match=message):
        check_search(tuning(**search), TrainingConfig(batch_size=16))


def test_several_workers_are_refused():
    with pytest.raises(ValueError, match="one process: strategy multi_worker is not for it"):
        check_search(tuning(epochs=[1, 2]), TrainingConfig(strategy="multi_worker"))
