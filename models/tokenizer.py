"""BERT's tokenizer as graph ops: the one tokenizer of statistics, training, evaluation and serving."""

import collections
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_text as tf_text
from tensorflow_text.core.pybinds import pywrap_fast_wordpiece_tokenizer_model_builder

from models.bert_normalizer import CHINESE, normalizer_model, stand_in

PAD, UNK, CLS, SEP = "[PAD]", "[UNK]", "[CLS]", "[SEP]"
_MAX_WORD = 100  # characters, as in BERT's WordpieceTokenizer: a longer word becomes [UNK]
_ALONE = rf"!-/:-@\[-`{{-~{CHINESE}"  # characters that are words of their own
_WORDS_OF_ONE = f"([{_ALONE}])"
_LONG_WORDS = rf"[^ {_ALONE}]{{{_MAX_WORD + 1},}}"
_UNKNOWN_WORD = "\U0010fffd"  # normalized text has no such character, nor has a vocabulary


class VocabularyError(ValueError):
    """The vocabulary cannot serve as a BERT vocabulary."""


def read_vocabulary(path: str | Path) -> list[str]:
    """Reads a `vocab.txt`: one token a line, its id the line number from 0.

    Raises:
        VocabularyError: the file is no UTF-8, a token stands twice, a special token is missing, or [PAD] is
            not the first.
    """
    with tf.io.gfile.GFile(str(path), "rb") as file:
        content = file.read()
    try:
        return parse_vocabulary(content)
    except VocabularyError as error:
        raise VocabularyError(f"{path}: {error}") from None


def parse_vocabulary(content: bytes) -> list[str]:
    """The tokens of a `vocab.txt`'s content.

    Raises:
        VocabularyError: as `read_vocabulary`, without the path.
    """
    try:
        tokens = [line.removesuffix("\r") for line in content.decode("utf-8").split("\n")]
    except UnicodeDecodeError as error:
        raise VocabularyError(f"not UTF-8: {error}") from error
    if not tokens[-1]:
        tokens.pop()
    _check(tokens)
    return tokens


def _check(tokens: Sequence[str]) -> None:
    if missing := [token for token in (PAD, UNK, CLS, SEP) if token not in tokens]:
        raise VocabularyError(f"the vocabulary lacks {', '.join(missing)}")
    if tokens[0] != PAD:
        raise VocabularyError(f"a BERT vocabulary begins with {PAD}, this one with {tokens[0]!r}")
    token, times = collections.Counter(tokens).most_common(1)[0]
    if times > 1:
        raise VocabularyError(f"the token {token!r} stands more than once")


class BertTokenizer:
    """Uncased BERT tokenization (arXiv 1810.04805) by tf-text's two fast ops (arXiv 2012.15524).

    The ids are those of Hugging Face's uncased BERT tokenizer, with one difference that is meant: a literal
    "[SEP]" is text like any other. Special tokens are added here, so that no text can forge them.

    Args:
        vocabulary: tokens by id, with [PAD], [UNK], [CLS] and [SEP] among them; [PAD] must have id 0.
        max_length: the most ids of one text or pair, [CLS] and [SEP] included; longer texts are cut.

    Raises:
        VocabularyError: a token stands twice, a special token is missing, or [PAD] is not the first.
    """

    def __init__(self, vocabulary: Sequence[str], max_length: int):
        self.vocabulary = tuple(vocabulary)
        self.max_length = max_length
        _check(self.vocabulary)
        self._cls, self.separator = self.vocabulary.index(CLS), self.vocabulary.index(SEP)

    def __call__(self, texts: tf.Tensor, pairs: tf.Tensor | None = None) -> tf.RaggedTensor:
        """Tokenizes UTF-8 strings, or pairs of them.

        Args:
            texts: string [n].
            pairs: string [n], the second text of each pair.

        Returns:
            int32 [n, (ids)]: `[CLS] pieces… [SEP]` or `[CLS] pieces… [SEP] pieces… [SEP]`, at most
            `max_length` ids. Of a pair the longer text gives up its last piece until both fit; of two as
            long, the second (`truncate_seq_pair` of arXiv 1810.04805's code).
        """
        pieces = self.pieces(texts)
        if pairs is None:
            parts = [pieces[:, : self.max_length - 2]]
        else:
            parts = _longest_first(pieces, self.pieces(pairs), self.max_length - 3)
        rows = pieces.nrows(out_type=tf.int64)
        cls = tf.fill(tf.stack([rows, 1]), tf.constant(self._cls, tf.int32))
        sep = tf.fill(tf.stack([rows, 1]), tf.constant(self.separator, tf.int32))
        return tf.concat([cls, *(each for part in parts for each in (part, sep))], axis=1)

    def pieces(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Tokenizes UTF-8 strings, without special tokens and however long they are.

        Args:
            texts: string [n].

        Returns:
            int32 [n, (ids)].
        """
        # Built at each trace, from ready buffers: the ops hold their model as a constant of the graph they
        # are called in, so that a SavedModel needs neither assets nor tables.
        normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(normalizer_model()))
        wordpiece = tf_text.FastWordpieceTokenizer(
            model_buffer=tf.constant(_wordpiece_model(self.vocabulary)), token_out_type=tf.int32
        )
        words = tf.strings.regex_replace(normalizer.normalize(texts), _LONG_WORDS, _UNKNOWN_WORD)
        return wordpiece.tokenize(words)


def _longest_first(
    first: tf.RaggedTensor, second: tf.RaggedTensor, room: int
) -> list[tf.RaggedTensor]:
    """Cuts pairs to `room` pieces, what popping the longer one's last piece, again and again, leaves."""
    half, whole = (tf.constant(size, tf.int64) for size in (room // 2, room))
    return [
        _cut(first, tf.maximum(whole - half, whole - second.row_lengths())),
        _cut(second, tf.maximum(half, whole - first.row_lengths())),
    ]


def _cut(pieces: tf.RaggedTensor, most: tf.Tensor) -> tf.RaggedTensor:
    """Keeps the first `most` (int64 [n]) of each row."""
    lengths = pieces.row_lengths()
    places = tf.range(tf.size(pieces.flat_values, tf.int64)) - tf.repeat(
        pieces.row_starts(), lengths
    )
    kept = tf.boolean_mask(pieces.flat_values, places < tf.repeat(most, lengths))
    return tf.RaggedTensor.from_row_lengths(kept, tf.minimum(lengths, most), validate=False)


def split_words(texts: tf.Tensor) -> tf.RaggedTensor:
    """The words that BertTokenizer spells.

    Args:
        texts: string [n], UTF-8.

    Returns:
        string [n, (words)], normalized; `models.bert_normalizer.original` undoes its stand-ins.
    """
    normalizer = tf_text.FastBertNormalizer(model_buffer=tf.constant(normalizer_model()))
    # Punctuation beyond ASCII has blanks around it already.
    spaced = tf.strings.regex_replace(normalizer.normalize(texts), _WORDS_OF_ONE, r" \1 ")
    return tf.strings.split(spaced)


@functools.lru_cache(maxsize=4)
def _wordpiece_model(vocabulary: tuple[str, ...]) -> np.ndarray:
    """The op's flatbuffer (uint8); building it takes about a second for 30,522 tokens."""
    model = pywrap_fast_wordpiece_tokenizer_model_builder.build_fast_wordpiece_model(
        [stand_in(token) for token in vocabulary], _MAX_WORD * 4, "##", UNK, False, False
    )
    return np.frombuffer(model, np.uint8)
