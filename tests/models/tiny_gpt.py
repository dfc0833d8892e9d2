"""A tokenizer of a few merges and the smallest decoders that use it."""

import io

import keras
import numpy as np
import sentencepiece

from models.gpt.config import GptConfig
from models.gpt.model import build_gpt
from models.gpt.text_generator import TextGenerator

TEXTS = ["the heart fails", "the lungs fail", "a heart  and two lungs", "the heart of the matter"]
CONFIG = GptConfig(
    vocabulary_size=280,
    num_layers=2,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=16,
    max_sequence_length=24,
)


def train_sentencepiece(**changes) -> bytes:
    """A lossless model with 280 ids; arguments change the training."""
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


def make_gpt(seed=1, **changes) -> keras.Model:
    """A decoder with random weights, far enough from 0 that its answers differ."""
    keras.utils.set_random_seed(seed)
    model = build_gpt(GptConfig(**CONFIG.model_dump() | changes))
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign_add(rng.normal(scale=0.3, size=variable.shape))
    return model


def make_generator(seed=1, **changes) -> TextGenerator:
    config = GptConfig(**CONFIG.model_dump() | changes)
    return TextGenerator(config, train_sentencepiece(), make_gpt(seed, **changes))
