"""Cuts texts into words, and counts what a vocabulary makes of them."""

import abc
import functools
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import sentencepiece
import tensorflow as tf

from models.bert_normalizer import original
from models.gpt.sentencepiece_tokenizer import SentencepieceTokenizer
from models.tokenizer import UNK, BertTokenizer, parse_vocabulary, split_words

Kind = Literal["wordpiece", "bpe"]
# As SentencePiece cuts: a word keeps the blanks before it. Tabs and line ends are left to the bytes.
_SPACED_WORDS = re.compile(r" *[^ \t\r\n]+| +")
_STRINGS = [tf.TensorSpec([None], tf.string)]


def count_words(kind: Kind, texts: Sequence[bytes]) -> Counter[str]:
    """How often each word occurs, cut as the kind's tokenizer does."""
    if kind == "wordpiece":
        counts = Counter(_words()(tf.constant(list(texts), tf.string)).numpy().tolist())
        return Counter({original(word.decode()): count for word, count in counts.items()})
    words: Counter[str] = Counter()
    for text in texts:
        words.update(_SPACED_WORDS.findall(text.decode()))
    return words


@functools.cache
def _words() -> tf.types.experimental.PolymorphicFunction:
    return tf.function(
        lambda texts: split_words(texts).flat_values, input_signature=_STRINGS, autograph=False
    )


class Measure(abc.ABC):
    """What a vocabulary makes of texts, by the tokenizer that all else uses."""

    size: int

    @abc.abstractmethod
    def pieces(self, texts: Sequence[bytes]) -> Counter[str]:
        """Number of `pieces`, and of those that are `unknown`."""


class WordpieceMeasure(Measure):
    """A piece is unknown that stands for a whole word that can't be spelled."""

    def __init__(self, vocabulary: bytes):
        tokens = parse_vocabulary(vocabulary)
        self.size = len(tokens)
        self._unknown = tokens.index(UNK)
        tokenizer = BertTokenizer(tokens, max_length=2)
        self._pieces = tf.function(
            lambda texts: tokenizer.pieces(texts).flat_values,
            input_signature=_STRINGS,
            autograph=False,
        )

    def pieces(self, texts: Sequence[bytes]) -> Counter[str]:
        """As the base class says."""
        ids = self._pieces(tf.constant(list(texts), tf.string)).numpy()
        return Counter(pieces=ids.size, unknown=int(np.sum(ids == self._unknown)))


class BpeMeasure(Measure):
    """A piece is unknown that is a single byte of a character that no token has."""

    def __init__(self, vocabulary: bytes):
        tokenizer = SentencepieceTokenizer(vocabulary)
        processor = sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
        self.size = tokenizer.vocabulary_size
        self._is_byte = np.array([processor.is_byte(number) for number in range(self.size)])
        self._pieces = tf.function(
            lambda texts: tokenizer(texts).flat_values, input_signature=_STRINGS, autograph=False
        )

    def pieces(self, texts: Sequence[bytes]) -> Counter[str]:
        """As the base class says."""
        ids = self._pieces(tf.constant(list(texts), tf.string)).numpy()
        return Counter(pieces=ids.size, unknown=int(np.sum(self._is_byte[ids])))


def measure(kind: Kind, vocabulary: bytes) -> Measure:
    """The measure of a vocabulary's file, made once a process.

    Raises:
        ValueError: the vocabulary does not serve the kind's tokenizer.
    """
    return _measure(kind, _Content(vocabulary))


class _Content:
    """Bytes that a cache finds by their hash."""

    def __init__(self, content: bytes):
        self.content = content
        self._hash = hashlib.sha256(content).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content) and self._hash == other._hash

    def __hash__(self) -> int:
        return hash(self._hash)


@functools.lru_cache(maxsize=2)
def _measure(kind: Kind, vocabulary: _Content) -> Measure:
    kinds: dict[Kind, type[WordpieceMeasure] | type[BpeMeasure]]
    kinds = {"wordpiece": WordpieceMeasure, "bpe": BpeMeasure}
    return kinds[kind](vocabulary.content)
