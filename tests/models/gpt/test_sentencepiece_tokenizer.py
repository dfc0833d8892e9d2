"""What goes through the tokenizer comes back as it was."""

import functools

import hypothesis
import pytest
import sentencepiece
import tensorflow as tf
from hypothesis import strategies as st

from models.gpt.sentencepiece_tokenizer import (
    SentencepieceTokenizer,
    TokenizerError,
    read_sentencepiece_model,
)


@pytest.fixture(scope="module")
def tokenizer(sentencepiece_model) -> SentencepieceTokenizer:
    return SentencepieceTokenizer(sentencepiece_model)


@pytest.fixture(scope="module")
def there_and_back(tokenizer):
    @functools.partial(
        tf.function, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )
    def call(texts):
        return tokenizer.decode(tokenizer(texts))

    return lambda texts: list(call(tf.constant(texts, tf.string)).numpy())


# All of Unicode but surrogates, which UTF-8 has not, and SentencePiece's own sign for a blank.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\u2581")


@hypothesis.given(texts=st.lists(st.text(characters), min_size=1, max_size=5))
def test_any_text_comes_back(there_and_back, texts):
    assert there_and_back(texts) == [text.encode() for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "  two  blanks  ",
        "\r\n\t\x00\x7f",
        "e\u0301 é",
        "ﬁ Ⅳ ２",
        "<|endoftext|> <unk> <0x41>",
    ],
)
def test_a_hard_text_comes_back(there_and_back, text):
    assert there_and_back([text]) == [text.encode()]


def test_the_two_known_exceptions(there_and_back):
    assert there_and_back(["a\u2581b", b"a\xffb"]) == [b"a b", "a\ufffdb".encode()]


def test_ids_are_sentencepieces_own(tokenizer, sentencepiece_model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model)
    texts = ["the heart fails", "", "日本 and  the lungs"]
    ids = tokenizer(tf.constant(texts))
    assert ids.dtype == tf.int32
    assert ids.to_list() == [processor.encode(text) for text in texts]
    assert tokenizer.vocabulary_size == processor.vocab_size() == 280


def test_the_end_token_is_no_text(tokenizer):
    assert tokenizer.end_id == 2
    assert 2 not in tokenizer(tf.constant(["<|endoftext|>"])).to_list()[0]
    ids = tf.concat([tokenizer(tf.constant(["heart"])), [[2]]], axis=1)
    assert tokenizer.decode(ids).numpy().tolist() == [b"heart"]


def test_half_a_character_is_a_replacement(tokenizer):
    ids = tokenizer(tf.constant(["日"]))
    assert ids.row_lengths().numpy().tolist() == [3]
    assert tokenizer.decode(ids[:, :2]).numpy()[0].decode() == "\ufffd\ufffd"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"normalization_rule_name": "nmt_nfkc"}, "normalization_rule_name=identity"),
        ({"add_dummy_prefix": True, "remove_extra_whitespaces": True}, "add_dummy_prefix=False"),
        ({"byte_fallback": False, "vocab_size": 40}, "byte_fallback=True"),
        ({"eos_piece": "</s>"}, r"no control symbol <\|endoftext\|>"),
    ],
)
def test_a_model_that_loses_something_is_refused(train_sentencepiece, change, message):
    with pytest.raises(TokenizerError, match=message):
        SentencepieceTokenizer(train_sentencepiece(**change))


def test_no_model(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_sentencepiece_model(tmp_path / "nothing")
    with pytest.raises(TokenizerError, match="no SentencePiece model"):
        SentencepieceTokenizer(b"something else")
