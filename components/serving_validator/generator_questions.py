"""What a GPT is asked: how likely texts are, and how it writes on, greedily and by chance."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from components.serving_validator.questions import (
    Answer,
    Judgement,
    Question,
    check_outputs,
    text_of,
)
from models.gpt.text_generator import TextGenerator

_NEW_TOKENS = 16
_CHANCE: dict[str, Any] = {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "seed": 20}
_GREEDY: dict[str, Any] = {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "seed": 0}


class GeneratorAsker:
    """Likelihoods must be within the tolerance, greedy texts those of step-by-step decoding without a
    cache, and texts by chance those that the same seed gives in process.

    Args:
        folder: of `TextGenerator.save`.
        tolerance: largest absolute difference of a log-likelihood, in nats a token, that still agrees.
    """

    def __init__(self, folder: str, tolerance: float):
        self._generator = TextGenerator.load(folder)
        self._decode = GreedyDecoder(self._generator, tolerance)
        self._tolerance = tolerance

    def questions(self, name: str, rows: Sequence[bytes]) -> list[Question]:
        """See Asker.questions."""
        texts = [text_of(row) for row in rows]
        judge_scores = functools.partial(
            judge_likelihoods, self._generator.score(texts), self._tolerance
        )
        greedy = [self._decode(text, _NEW_TOKENS) for text in texts]
        sampled = [
            Written(text, is_whole=True)
            for text in self._generator.generate(texts, _NEW_TOKENS, **_CHANCE)
        ]
        return [
            Question(f"score, {name}", "score", {"text": texts}, texts, judge_scores),
            Question(
                f"serving_default, {name}",
                "serving_default",
                {"examples": rows},
                texts,
                judge_scores,
            ),
            Question(
                f"generate greedily, {name}",
                "generate",
                _request(texts, **_GREEDY),
                texts,
                functools.partial(judge_texts, greedy),
            ),
            Question(
                f"generate by chance, {name}",
                "generate",
                _request(texts, **_CHANCE),
                texts,
                functools.partial(judge_texts, sampled),
            ),
        ]


class Written(NamedTuple):
    """What is to be written.

    Attributes:
        text: the text.
        is_whole: false if it may go on in more than one way.
    """

    text: str
    is_whole: bool


class GreedyDecoder:
    """Writes the likeliest token each time by running the whole model once a token, without a cache.

    Args:
        generator: the model.
        tolerance: where the two likeliest tokens are not further apart (nats), either is right.
    """

    def __init__(self, generator: TextGenerator, tolerance: float):
        self._generator, self._tolerance = generator, tolerance
        spec = tf.TensorSpec([None], tf.int32)
        self._logits = tf.function(self._next_logits, input_signature=[spec], autograph=False)

    def __call__(self, prompt: str, max_new_tokens: int) -> Written:
        """What follows a prompt, up to the end token or where two tokens are equally likely."""
        context = self._generator.config.max_sequence_length
        limit = min(max_new_tokens, context - 1)
        tokenizer = self._generator.tokenizer
        ids = [tokenizer.end_id, *tokenizer(tf.constant([prompt]))[0].numpy()][limit - context :]
        written: list[int] = []
        is_whole = True
        while len(written) < limit:
            logits = self._logits(tf.constant(ids + written, tf.int32)).numpy()
            second, first = np.sort(logits)[-2:]
            if first - second <= self._tolerance:
                is_whole = False
                break
            token = int(np.argmax(logits))
            if token == tokenizer.end_id:
                break
            written.append(token)
        [text] = tokenizer.decode(tf.ragged.constant([written], tf.int32)).numpy()
        return Written(text.decode(), is_whole)

    def _next_logits(self, token_ids: tf.Tensor) -> tf.Tensor:
        """Int32 [length] → float32 [vocabulary]."""
        row = {
            "token_ids": token_ids,
            "sequence_ids": tf.ones_like(token_ids),
            "position_ids": tf.range(tf.size(token_ids)),
        }
        row = {name: value[tf.newaxis] for name, value in row.items()}
        return self._generator.model(row, training=False)[0, -1]


def judge_likelihoods(
    expected: dict[str, np.ndarray], tolerance: float, answer: Answer
) -> Judgement:
    """Holds served scores against those in process.

    Args:
        expected: of `TextGenerator.score`.
        tolerance: largest absolute difference that still agrees, nats a token.
        answer: `log_likelihood`, `tokens` and `bytes`, all [n].

    Raises:
        UnusableAnswer: an output is missing or has another shape.
    """
    check_outputs(answer, {name: values.shape for name, values in expected.items()})
    served, own = (x["log_likelihood"].astype(np.float64) for x in (answer, expected))
    differences = np.abs(served - own) / np.maximum(expected["tokens"], 1)
    problems: list[str | None] = []
    for i, difference in enumerate(differences):
        problem = None
        for name in ("tokens", "bytes"):
            if answer[name][i] != expected[name][i]:
                problem = f"{name} are {answer[name][i]}, in process {expected[name][i]}"
        if not difference <= tolerance:  # true for NaN too
            problem = (
                f"log-likelihood is {served[i]:.7g}, in process {own[i]:.7g} (difference "
                f"{difference:.3g} nats a token, allowed {tolerance:g})"
            )
        problems.append(problem)
    return Judgement(problems, float(np.max(differences, initial=0.0)))


def judge_texts(expected: Sequence[Written], answer: Answer) -> Judgement:
    """Holds served texts against what is to be written.

    Args:
        expected: n texts.
        answer: `text` [n].

    Raises:
        UnusableAnswer: the output is missing or has another shape.
    """
    check_outputs(answer, {"text": (len(expected),)})
    problems = []
    for served, (text, is_whole) in zip(answer["text"], expected, strict=True):
        # A text that is cut off may end in half a character.
        right = served == text if is_whole else served.startswith(text.rstrip("\ufffd"))
        problems.append(None if right else f"the answer is {served!r}, in process {text!r}")
    return Judgement(problems, None)


def _request(prompts: Sequence[str], **settings: float) -> dict[str, Sequence | np.ndarray]:
    """All inputs of `generate`, one value for all prompts."""
    types = {"top_k": np.int32, "seed": np.int64, "temperature": np.float32, "top_p": np.float32}
    values = {name: np.array([value], types[name]) for name, value in settings.items()}
    return {"prompt": prompts, "max_new_tokens": np.array([_NEW_TOKENS], np.int32), **values}
