"""A generator writes, judges, and answers the same after it was saved."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models.gpt.config import GptConfig
from models.gpt.text_generator import TextGenerator

TEXTS = ["the heart", "", "two lungs — 日本 " * 9, "a"]


def test_a_text_is_as_likely_as_the_model_says(generator, gpt):
    score = generator.score(TEXTS)
    for i, text in enumerate(TEXTS):
        ids = [2, *generator.tokenizer(tf.constant([text])).to_list()[0]]
        expected = 0.0
        for start in range(0, len(ids) - 1, 24):  # windows of the context
            row = tf.constant([ids[start : start + 24]])
            inputs = {
                "token_ids": row,
                "sequence_ids": tf.ones_like(row),
                "position_ids": tf.range(row.shape[1])[None],
            }
            logits = gpt(inputs).numpy()[0].astype(np.float64)
            log_probabilities = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            following = ids[start + 1 : start + 25]
            expected += sum(log_probabilities[j, token] for j, token in enumerate(following))
        assert score["log_likelihood"][i] == pytest.approx(expected, rel=1e-5)
        assert score["tokens"][i] == len(ids) - 1
        assert score["bytes"][i] == len(text.encode())
    assert score["tokens"][2] > 48


def test_all_next_tokens_together_are_certain(generator):
    """The log-likelihoods are normalised: those of all one-token texts sum to at most 1."""
    texts = [chr(c) for c in range(32, 127)]
    score = generator.score(texts)
    single = score["tokens"] == 1
    assert single.sum() > 20
    assert 0 < sum(math.exp(x) for x in score["log_likelihood"][single]) < 1


def test_prompts_are_continued(generator):
    texts = generator.generate(TEXTS, 8)
    assert len(texts) == 4
    assert generator.generate(TEXTS, 8) == texts
    assert [generator.generate([text], 8)[0] for text in TEXTS] == texts
    assert generator.generate(TEXTS[:1], 0) == [""]
    assert generator.generate([], 8) == []


def test_a_text_is_its_tokens(generator):
    answer = generator.continuations(
        *(tf.constant(value) for value in (["the heart", ""], [7, 3], 0.0, 0, 1.0)),
        tf.constant(0, tf.int64),
    )
    assert answer["prompt_tokens"].numpy().tolist() == [
        len(ids) for ids in generator.tokenizer(tf.constant(["the heart", ""])).to_list()
    ]
    assert answer["tokens"].numpy().tolist() == [7, 3]


def test_one_seed_gives_each_row_its_own_chance(generator):
    texts = generator.generate(["the heart"] * 4, 8, temperature=1.0, seed=5)
    assert len(set(texts)) == 4
    assert generator.generate(["the heart"] * 2, 8, temperature=1.0, seed=5) == texts[:2]
    assert generator.generate(["the heart"] * 4, 8, temperature=1.0, seed=6) != texts
    assert len(set(generator.generate(["the heart"] * 4, 8, temperature=1.0, top_k=1))) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_new_tokens": -1}, "max_new_tokens must be 0 or more"),
        ({"temperature": -0.5}, "temperature must be 0 or more"),
        ({"top_k": -1}, "top_k must be 0 .all tokens. or more"),
        ({"top_p": 0.0}, "top_p must be above 0"),
        ({"top_p": 1.5}, "top_p must be 1 .all tokens. or less"),
    ],
)
def test_impossible_settings_are_refused(generator, settings, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        generator.generate(["the heart"], **{"max_new_tokens": 3} | settings)


def test_a_loaded_generator_gives_the_same_answers(generator, tmp_path):
    generator.save(tmp_path / "generator")
    keras.utils.set_random_seed(99)
    loaded = TextGenerator.load(tmp_path / "generator")
    assert loaded.config == generator.config
    assert loaded.tokenizer.model == generator.tokenizer.model
    assert loaded.generate(TEXTS, 8) == generator.generate(TEXTS, 8)
    for name, values in generator.score(TEXTS).items():
        np.testing.assert_array_equal(loaded.score(TEXTS)[name], values)


def test_nothing_to_load(tmp_path):
    with pytest.raises(FileNotFoundError):
        TextGenerator.load(tmp_path)


def test_a_tokenizer_of_another_size_is_refused(gpt_config, sentencepiece_model):
    config = GptConfig(**gpt_config.model_dump() | {"vocabulary_size": 281})
    with pytest.raises(ValueError, match="280 ids, the decoder 281: set vocabulary_size"):
        TextGenerator(config, sentencepiece_model)
