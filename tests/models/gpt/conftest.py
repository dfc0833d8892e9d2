"""The tiny GPT, made once."""

import keras
import pytest
import tiny_gpt

from models.gpt.config import GptConfig
from models.gpt.text_generator import TextGenerator


@pytest.fixture(scope="session")
def train_sentencepiece():
    """A function that trains a lossless model with 280 ids; its arguments change the training."""
    return tiny_gpt.train_sentencepiece


@pytest.fixture(scope="session")
def sentencepiece_model(train_sentencepiece) -> bytes:
    return train_sentencepiece()


@pytest.fixture(scope="session")
def gpt_config() -> GptConfig:
    return tiny_gpt.CONFIG


@pytest.fixture(scope="session")
def make_gpt():
    """A function that makes a decoder with random weights."""
    return tiny_gpt.make_gpt


@pytest.fixture(scope="session")
def gpt(make_gpt) -> keras.Model:
    return make_gpt()


@pytest.fixture(scope="session")
def generator(gpt_config, sentencepiece_model, gpt) -> TextGenerator:
    return TextGenerator(gpt_config, sentencepiece_model, gpt)
