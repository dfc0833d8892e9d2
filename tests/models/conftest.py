"""A ten-word vocabulary and the smallest models that use it."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

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


@pytest.fixture(scope="session")
def checkpoint_bytes():
    """A function of a SavedModel's folder: the bytes of all numbers in its checkpoint."""

    def count(folder: str) -> int:
        reader = tf.train.load_checkpoint(f"{folder}/variables/variables")
        dtypes = reader.get_variable_to_dtype_map()  # a string's size is 0: the object graph
        shapes = reader.get_variable_to_shape_map()
        return sum(math.prod(shape) * dtypes[name].size for name, shape in shapes.items())

    return count
