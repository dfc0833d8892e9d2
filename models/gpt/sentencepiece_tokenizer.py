"""GPT's tokenizer as graph ops: text to ids, and ids back to the same text."""

from pathlib import Path

import sentencepiece
import tensorflow as tf
import tensorflow_text as tf_text

END = "<|endoftext|>"
_PROBE = "  Two\tlines,\r\n  not trimmed: é → e\u0301, ﬁ \U0001f600 "


class TokenizerError(ValueError):
    """The model cannot serve as a lossless tokenizer."""


def read_sentencepiece_model(path: str | Path) -> bytes:
    """Reads a `sentencepiece.model`, from any file system that TensorFlow reaches.

    Raises:
        FileNotFoundError: there is no such file.
    """
    try:
        with tf.io.gfile.GFile(str(path), "rb") as file:
            return file.read()
    except tf.errors.NotFoundError:
        raise FileNotFoundError(f"{path}: no such file") from None


class SentencepieceTokenizer:
    """Byte-pair encoding with byte fallback (arXiv 1808.06226) by tf-text's SentencepieceTokenizer.

    GPT-2 cuts text by a regular expression, maps bytes to letters and merges those. TensorFlow's RE2 has not
    the look-ahead which that expression needs, and the merges would be dozens of string operations a word. A
    SentencePiece BPE model whose unknown characters fall back to their UTF-8 bytes is as lossless, and one
    operation that TensorFlow Serving has; its model is a constant of the graph.

    Lossless, with two exceptions that SentencePiece makes: U+2581 (▁), its own sign for a blank, comes
    back as a blank, and bytes that are not UTF-8 come back as U+FFFD. A special token's name in a text is
    text: only `end_id` itself ends a document.

    Args:
        model: content of a `sentencepiece.model` that was trained with byte fallback, identity normalization,
            neither dummy prefix nor removal of whitespace, and the control symbol `<|endoftext|>`.

    Raises:
        TokenizerError: the model cannot be read, lacks the end token, or loses something of a text.

    Attributes:
        model: as given.
        vocabulary_size: number of ids.
        end_id: the id of `<|endoftext|>`.
    """

    def __init__(self, model: bytes):
        self.model = model
        try:
            processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise TokenizerError(f"this is no SentencePiece model: {error}") from None
        self.vocabulary_size = processor.vocab_size()
        self.end_id = processor.piece_to_id(END)
        if self.end_id == processor.unk_id() or not processor.is_control(self.end_id):
            raise TokenizerError(f"the SentencePiece model has no control symbol {END}")
        back = processor.decode(processor.encode(_PROBE))
        if back != _PROBE:
            raise TokenizerError(
                f"the SentencePiece model makes {back!r} of {_PROBE!r}: train it with byte_fallback=True, "
                "normalization_rule_name=identity, add_dummy_prefix=False, remove_extra_whitespaces=False"
            )

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """String [n], UTF-8 → int32 [n, (ids)], without special tokens."""
        return self._ops().tokenize(texts)

    def decode(self, token_ids: tf.RaggedTensor) -> tf.Tensor:
        """Int32 [n, (ids)] → string [n], UTF-8; half a character is U+FFFD, special tokens are nothing."""
        return self._ops().detokenize(token_ids)

    def _ops(self) -> tf_text.SentencepieceTokenizer:
        # Made at each trace: the operation that holds the model must be in the graph that uses it, so that a
        # SavedModel needs neither assets nor initializers.
        return tf_text.SentencepieceTokenizer(model=self.model, out_type=tf.int32)
