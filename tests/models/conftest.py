"""A ten-word vocabulary and the smallest models that use it."""

import keras
import numpy as np
import pytest

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
WORDS = ["heart", "lung", "fail", "##ure", "##s", "the", ".", "[", "sep", "]"]


@pytest.fixture(scope="session")
def vocabulary() -> list[str]:
    return SPECIAL + WORDS


@pytest.fixture(scope="session")
def backbone_config(vocabulary) -> BackboneConfig:
    return BackboneConfig(
        vocabulary_size=len(vocabulary),
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=70,
    )


@pytest.fixture(scope="session")
def make_classifier(vocabulary, backbone_config):
    """A classifier with random weights, far enough from 0 that its answers differ."""

    def make(pooling="mean", seed=1, classes=("cardiology", "pneumology", "Ωther"), **others):
        keras.utils.set_random_seed(seed)
        config = ClassifierConfig(
            backbone=backbone_config, classes=classes, max_length=64, pooling=pooling, **others
        )
        classifier = TextClassifier(config, vocabulary)
        rng = np.random.default_rng(seed)
        for variable in classifier.model.trainable_variables:
            variable.assign_add(rng.normal(scale=0.3, size=variable.shape))
        return classifier

    return make


@pytest.fixture(scope="session")
def classifier(make_classifier) -> TextClassifier:
    return make_classifier()
