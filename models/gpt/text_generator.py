"""A writer and judge of text: tokenizer and GPT decoder, kept together in one folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from models.gpt.config import GptConfig
from models.gpt.generation import Generation, Settings
from models.gpt.model import build_gpt
from models.gpt.scoring import log_likelihood
from models.gpt.sentencepiece_tokenizer import SentencepieceTokenizer, read_sentencepiece_model

_CONFIG, _TOKENIZER, _WEIGHTS = "config.json", "sentencepiece.model", "model.weights.h5"
_ANY = None  # a scalar or [n]

GENERATE_SIGNATURE = {
    "prompt": tf.TensorSpec([None], tf.string, "prompt"),
    "max_new_tokens": tf.TensorSpec(_ANY, tf.int32, "max_new_tokens"),
    "temperature": tf.TensorSpec(_ANY, tf.float32, "temperature"),
    "top_k": tf.TensorSpec(_ANY, tf.int32, "top_k"),
    "top_p": tf.TensorSpec(_ANY, tf.float32, "top_p"),
    "seed": tf.TensorSpec(_ANY, tf.int64, "seed"),
}
SCORE_SIGNATURE = {"text": tf.TensorSpec([None], tf.string, "text")}


class TextGenerator:
    """Prompts in, continuations out; texts in, log-likelihoods out.

    A prompt or text is read as the beginning of a document: the end token of the one before goes ahead of it.

    Args:
        config: the decoder's size.
        sentencepiece_model: the tokenizer's; it must have `config.vocabulary_size` ids.
        model: a decoder of `build_gpt(config)` with its weights; a new one by default.

    Raises:
        TokenizerError: the tokenizer's model cannot serve.
        ValueError: it has another number of ids than the decoder.
    """

    def __init__(
        self, config: GptConfig, sentencepiece_model: bytes, model: keras.Model | None = None
    ):
        self.config = config
        self.tokenizer = SentencepieceTokenizer(sentencepiece_model)
        if self.tokenizer.vocabulary_size != config.vocabulary_size:
            raise ValueError(
                f"the tokenizer has {self.tokenizer.vocabulary_size} ids, the decoder "
                f"{config.vocabulary_size}: set vocabulary_size to the tokenizer's"
            )
        self.model = model if model is not None else build_gpt(config)
        self._generation = Generation(self.model, config, self.tokenizer.end_id)
        self._generate = _function(self.continuations, GENERATE_SIGNATURE)
        self._score = _function(self.likelihoods, SCORE_SIGNATURE)

    # --- The graphs that every export and every check runs -----------------------------------------

    def continuations(
        self,
        prompt: tf.Tensor,
        max_new_tokens: tf.Tensor,
        temperature: tf.Tensor,
        top_k: tf.Tensor,
        top_p: tf.Tensor,
        seed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Continues prompts.

        All but `prompt` are scalars, [1], or [n] for a value a row. A seed for all rows gives each its own
        chance; a seed a row makes its text independent of what stands beside it.

        Args:
            prompt: string [n]; may be empty. Of a long one the newest tokens are kept.
            max_new_tokens: int32; at least 0. More than the context holds is not written.
            temperature: float32; 0 takes the likeliest token each time.
            top_k: int32; chance is among so many likeliest tokens, 0 among all.
            top_p: float32 in (0, 1]; chance is among the likeliest tokens with this probability together.
            seed: int64; the same seed gives the same text.

        Returns:
            `text`: string [n], what follows the prompt; `tokens`: int32 [n], its tokens; `prompt_tokens`:
            int32 [n], the prompt's.

        Raises:
            tf.errors.InvalidArgumentError: a value is out of its range, or there are not as many as prompts.
        """
        n = tf.shape(prompt)[0]
        checks = [
            tf.debugging.assert_non_negative(max_new_tokens, "max_new_tokens must be 0 or more"),
            tf.debugging.assert_non_negative(temperature, "temperature must be 0 or more"),
            tf.debugging.assert_non_negative(top_k, "top_k must be 0 (all tokens) or more"),
            tf.debugging.assert_positive(top_p, "top_p must be above 0"),
            tf.debugging.assert_less_equal(top_p, 1.0, "top_p must be 1 (all tokens) or less"),
        ]
        # Said explicitly: TensorFlow 1's loader, which fetches the results only, would skip the checks.
        with tf.control_dependencies([check for check in checks if check is not None]):
            stream = tf.where(tf.size(seed) == 1, tf.range(n, dtype=tf.int64), 0)
            settings = (max_new_tokens, temperature, top_k, top_p, seed, stream)
            rows = Settings(*(tf.broadcast_to(value, [n]) for value in settings))
        ids = self.tokenizer(prompt)
        written = self._generation(self._begun(ids), rows)
        return {
            "text": self.tokenizer.decode(written),
            "tokens": tf.cast(written.row_lengths(), tf.int32),
            "prompt_tokens": tf.cast(ids.row_lengths(), tf.int32),
        }

    def likelihoods(self, text: tf.Tensor) -> dict[str, tf.Tensor]:
        """Judges texts of any length; see `models.gpt.scoring`.

        Args:
            text: string [n].

        Returns:
            `log_likelihood`: float32 [n], nats, of the whole text; `tokens`: int32 [n]; `bytes`: int32 [n].
            Perplexity is exp(-log_likelihood / tokens), bits per byte -log_likelihood / bytes / ln 2.
        """
        ids = self.tokenizer(text)
        return {
            "log_likelihood": log_likelihood(self.model, self.config, self._begun(ids)),
            "tokens": tf.cast(ids.row_lengths(), tf.int32),
            "bytes": tf.strings.length(text),
        }

    def _begun(self, token_ids: tf.RaggedTensor) -> tf.RaggedTensor:
        """Each row with the end token ahead of it."""
        rows = token_ids.nrows()
        return tf.concat([tf.fill([rows, 1], self.tokenizer.end_id), token_ids], axis=1)

    # --- In Python -----------------------------------------------------------------------------------

    def generate(
        self,
        prompts: Sequence[str],
        max_new_tokens: int,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> list[str]:
        """What follows each prompt; see `continuations`."""
        answer = self._generate(
            prompt=tf.constant(prompts, tf.string),
            max_new_tokens=tf.constant(max_new_tokens),
            temperature=tf.constant(temperature),
            top_k=tf.constant(top_k),
            top_p=tf.constant(top_p),
            seed=tf.constant(seed, tf.int64),
        )
        return [text.decode() for text in answer["text"].numpy()]

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Arrays [n] of `likelihoods`."""
        answer = self._score(text=tf.constant(texts, tf.string))
        return {name: value.numpy() for name, value in answer.items()}

    def save(self, folder: str | Path) -> None:
        """Writes config.json, sentencepiece.model and model.weights.h5 into `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _CONFIG).write_text(self.config.model_dump_json(indent=1))
        (folder / _TOKENIZER).write_bytes(self.tokenizer.model)
        self.model.save_weights(folder / _WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> "TextGenerator":
        """Reads what `save` wrote.

        Raises:
            FileNotFoundError: the folder holds no generator.
        """
        folder = Path(folder)
        config = GptConfig(**json.loads((folder / _CONFIG).read_text()))
        generator = cls(config, read_sentencepiece_model(folder / _TOKENIZER))
        generator.model.load_weights(folder / _WEIGHTS)
        return generator


def _function(
    graph: object, signature: dict[str, tf.TensorSpec]
) -> tf.types.experimental.GenericFunction:
    return tf.function(graph, input_signature=list(signature.values()), autograph=False)
