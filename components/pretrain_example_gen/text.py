"""Texts to Documents: splits sentences and tokenizes them."""

import abc
import hashlib
import itertools
import os
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from components.pretrain_example_gen.config import PretrainExamplesConfig
from components.pretrain_example_gen.documents import Documents, starts
from components.pretrain_example_gen.rows import Frame
from components.pretrain_example_gen.sentences import split_sentences
from components.vocabulary_gen.config import SENTENCEPIECE_FILE, WORDPIECE_FILE
from models.gpt.sentencepiece_tokenizer import (
    SentencepieceTokenizer,
    read_sentencepiece_model,
)
from models.tokenizer import CLS, SEP, BertTokenizer, read_vocabulary

_PARALLEL = 4


class TextReader(abc.ABC):
    """Makes Documents of texts, in batches."""

    frame: Frame | None = None

    def documents(self, keys: Sequence[bytes], texts: Sequence[bytes], seed: int) -> Documents:
        """Tokenizes.

        Args:
            keys: of the documents.
            texts: theirs, UTF-8.
            seed: of their places.

        Returns:
            The documents in the same order, without those that have no token.
        """
        token_ids, lengths, counts = self._sentences(texts)
        ends = starts(counts)
        has_tokens = lengths > 0
        counts = np.diff(np.concatenate([[0], np.cumsum(has_tokens)])[ends])
        kept = np.flatnonzero(counts).tolist()
        places = [_place(seed, keys[row], texts[row]) for row in kept]
        return Documents(
            [keys[row] for row in kept],
            np.array(places, np.uint64),
            counts[kept],
            lengths[has_tokens],
            token_ids,
        )

    @abc.abstractmethod
    def _sentences(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ids, int32; ids of each sentence; sentences of each text: both int64."""


class BertReader(TextReader):
    """WordPiece ids of sentences."""

    def __init__(self, vocabulary_file: str):
        vocabulary = read_vocabulary(vocabulary_file)
        self._tokenizer = BertTokenizer(vocabulary, max_length=2)
        self.frame = Frame(vocabulary.index(CLS), vocabulary.index(SEP))
        self._pieces = tf.function(
            self._in_parts, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    def _sentences(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        split = [split_sentences(text.decode()) for text in texts]
        counts = np.array([len(sentences) for sentences in split], np.int64)
        token_ids, lengths = self._pieces(
            tf.constant([sentence for sentences in split for sentence in sentences], tf.string)
        )
        return token_ids.numpy(), lengths.numpy(), counts

    def _in_parts(self, texts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Ids, int32, and their number by text, int64; the parts are independent, so they run at once."""
        bounds = [tf.size(texts) * part // _PARALLEL for part in range(_PARALLEL + 1)]
        parts = [
            self._tokenizer.pieces(texts[first:end]) for first, end in itertools.pairwise(bounds)
        ]
        lengths = tf.concat([part.row_lengths() for part in parts], axis=0)
        return tf.concat([part.values for part in parts], axis=0), tf.cast(lengths, tf.int64)


class SentencePieceReader(TextReader):
    """Byte-pair ids of whole documents, each between two end tokens.

    The first is what a prompt is continued from (`models.gpt.text_generator`), the last is to be predicted.
    """

    def __init__(self, model_file: str):
        tokenizer = SentencepieceTokenizer(read_sentencepiece_model(model_file))
        self._end = tokenizer.end_id
        self._pieces = tf.function(
            tokenizer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )

    def _sentences(self, texts: Sequence[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        pieces = self._pieces(tf.constant(list(texts), tf.string))
        lengths = pieces.row_lengths().numpy().astype(np.int64)
        ends = np.cumsum(lengths)[lengths > 0]
        around = np.stack([ends - lengths[lengths > 0], ends], axis=1).ravel()
        token_ids = np.insert(pieces.values.numpy(), around, self._end)
        return token_ids, np.where(lengths > 0, lengths + 2, 0), np.ones(len(texts), np.int64)


def text_reader(config: PretrainExamplesConfig, vocabulary: str) -> TextReader:
    """The reader for an objective, from a folder with the vocabulary.

    Raises:
        ValueError: the folder has no vocabulary of the kind that the objective needs.
    """
    name = SENTENCEPIECE_FILE if config.objective == "clm" else WORDPIECE_FILE
    path = os.path.join(vocabulary, name)
    if not tf.io.gfile.exists(path):
        raise ValueError(
            f"objective {config.objective} needs a vocabulary with {name}; {vocabulary} has none"
        )
    return SentencePieceReader(path) if config.objective == "clm" else BertReader(path)


def shard_of(key: bytes, shards: int) -> int:
    """The shard of a document, in 0 … shards - 1."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % shards


def _place(seed: int, key: bytes, text: bytes) -> int:
    """A document's place in its shard. Of the text, too: else two of one key stood as they came."""
    digest = hashlib.blake2b(b"%d\0%s\0%s" % (seed, key, text), digest_size=8)
    return int.from_bytes(digest.digest(), "big")
