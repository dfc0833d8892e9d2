"""A tokenizer of a few merges and the smallest decoders that use it."""

import io

import keras
import numpy as np
import pytest
import sentencepiece

from models.gpt.config import GptConfig
from models.gpt.model import build_gpt
from models.gpt.text_generator import TextGenerator

TEXTS = ["the heart fails", "the lungs fail", "a heart  and two lungs", "the heart of the matter"]


@pytest.fixture(scope="session")
def train_sentencepiece():
    """A function that trains a lossless model with 280 ids; its arguments change the training."""

    def train(**changes) -> bytes:
        written = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(TEXTS * 5),
            model_writer=written,
            **{
                "model_type": "bpe",
                "vocab_size": 280,
                "byte_fallback": True,
                "normalization_rule_name": "identity",
                "add_dummy_prefix": False,
                "remove_extra_whitespaces": False,
                "pad_id": 0,
                "unk_id": 1,
                "bos_id": -1,
                "eos_id": 2,
                "eos_piece": "<|endoftext|>",
                "minloglevel": 2,
                **changes,
            },
        )
        return written.getvalue()

    return train


@pytest.fixture(scope="session")
def sentencepiece_model(train_sentencepiece) -> bytes:
    return train_sentencepiece()


@pytest.fixture(scope="session")
def gpt_config() -> GptConfig:
    return GptConfig(
        vocabulary_size=280,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=24,
    )


@pytest.fixture(scope="session")
def make_gpt(gpt_config):
    """A decoder with random weights, far enough from 0 that its answers differ."""

    def make(seed=1, **changes) -> keras.Model:
        keras.utils.set_random_seed(seed)
        model = build_gpt(GptConfig(**gpt_config.model_dump() | changes))
        rng = np.random.default_rng(seed)
        for variable in model.trainable_variables:
            variable.assign_add(rng.normal(scale=0.3, size=variable.shape))
        return model

    return make


@pytest.fixture(scope="session")
def gpt(make_gpt) -> keras.Model:
    return make_gpt()


@pytest.fixture(scope="session")
def generator(gpt_config, sentencepiece_model, gpt) -> TextGenerator:
    return TextGenerator(gpt_config, sentencepiece_model, gpt)
