"""Mitigation's effect on a planted bias, in a ten-word world."""

import random

import pytest

from benchmarks.fairness import ARMS, SEX, learn, measure, plant
from components.evaluator.fairness.groups import Groups
from models.config import BackboneConfig, OptimizerConfig, TrainingConfig

pytestmark = pytest.mark.slow  # three trainings

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "she", "he", "ache", "cough", "the", "a"]
BACKBONE = BackboneConfig(
    vocabulary_size=len(VOCABULARY),
    num_layers=1,
    num_heads=2,
    hidden_dim=16,
    intermediate_dim=16,
    max_sequence_length=128,
    dropout=0.0,
)


def rows(count: int, seed: int) -> list[tuple[str, str]]:
    """The class is told by most of three words; sex, by chance, by another."""
    draw, made = random.Random(seed), []
    for _ in range(count):
        symptoms = [draw.choice(["ache", "cough"]) for _ in range(3)]
        words = [draw.choice(["she", "he"]), draw.choice(["a", "the"]), *symptoms]
        draw.shuffle(words)
        label = "first" if symptoms.count("ache") > 1 else "second"
        if draw.random() < 0.2:  # so that the words do not tell all, and a prejudice pays
            label = "second" if label == "first" else "first"
        made.append((" ".join(words), label))
    return made


@pytest.fixture(scope="module")
def learned():
    return plant(rows(2000, seed=1), 0.9, seed=0)


def test_the_bias_is_planted(learned):
    groups = Groups(SEX)
    for label, sex in (("first", "female"), ("second", "male")):
        found = [groups.of(text, {}) for text, own in learned if own == label]
        assert found.count(sex) / len(found) == pytest.approx(0.9, abs=0.01)


@pytest.fixture(scope="module")
def found(learned):
    config = TrainingConfig(
        epochs=4, batch_size=64, optimizer=OptimizerConfig(learning_rate=1e-2), seed=0
    )
    test = rows(600, seed=2)
    return {
        name: measure(learn(mitigation, learned, VOCABULARY, BACKBONE, config), test)
        for name, mitigation in ARMS.items()
    }


def test_a_model_learns_the_bias(found):
    assert found["as it is"]["flip rate"] > 0.3
    assert found["as it is"]["FNR gap"] > 0.3


@pytest.mark.parametrize("arm", ["reweighted", "augmented"])
def test_mitigation_closes_the_gap_and_keeps_the_accuracy(found, arm):
    before, after = found["as it is"], found[arm]
    assert after["flip rate"] < before["flip rate"] / 2
    assert after["FNR gap"] < before["FNR gap"] / 2
    assert after["FPR gap"] < before["FPR gap"] / 2
    assert after["accuracy"] > before["accuracy"] - 0.02
