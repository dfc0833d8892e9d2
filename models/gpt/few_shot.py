"""Classification through the prompt: examples, a text, and the label that the text makes likelier."""

import math
import random
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from models.gpt.text_generator import TextGenerator

CONTENT_FREE = ("N/A", "", "[MASK]")  # arXiv 2102.09690, section 5
_RANDOM_TEXTS = 20  # arXiv 2305.19148


class FewShotClassifier:
    """Chooses labels by the likelihood of each as the continuation of a prompt with k examples (arXiv
    2005.14165, section 2.4), calibrated. Nothing is trained.

    A model prefers some labels whatever the text: frequent or short words, the last example's label.
    Contextual calibration (arXiv 2102.09690, section 5) measures that with texts that say nothing, and
    divides each label's probability by the one it has after them. Such texts are words of the examples in
    random order (domain-context calibration, arXiv 2305.19148; words of one's own texts there), because a
    small model's answer depends on where the label stands and on the words just before it; without examples
    "N/A", "[MASK]" and the empty text.

    A prompt is `template`, filled with text and label of each example and then with the text in question,
    blanks between. Texts are cut at their end so that it fits into the context, each to an equal share.

    Args:
        generator: the model.
        examples: k pairs of text and label; none for zero-shot.
        labels: all there are, as they are to be read in the prompt.
        template: how an example reads, with "{text}" and, at its end, " {label}".

    Raises:
        ValueError: the template is none, an example's label is not among the labels, or the context has no
            room for the texts.
    """

    def __init__(
        self,
        generator: TextGenerator,
        examples: Sequence[tuple[str, str]],
        labels: Sequence[str],
        template: str = "{text} topic {label}",
    ):
        if "{text}" not in template or not template.endswith(" {label}"):
            raise ValueError(
                f'template {template!r}: expected "{{text}}", and " {{label}}" at its end'
            )
        if unknown := sorted({label for _, label in examples} - set(labels)):
            raise ValueError(f"examples have labels that are none: {', '.join(unknown)}")
        self._generator, self._labels, self._template = generator, list(labels), template
        # The blank goes with the label: tokens hold the blank before their word.
        self._opening = template.removesuffix(" {label}")
        self._tokenize = tf.function(
            generator.tokenizer, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
        )
        self._examples = self._fitted(examples)
        nothing = content_free([text for text, _ in examples])
        # In logarithms: a small probability is no 0 to divide by. A factor for all labels makes no odds.
        shares = tf.nn.log_softmax(self.log_likelihoods(nothing))
        self._log_prior = tf.reduce_logsumexp(shares, axis=0).numpy()

    def prompt(self, text: str) -> str:
        """What " " and a label are to follow."""
        room = self._room(self._with_text(""))
        while self._room(prompt := self._with_text(self._cut(text, room))) < 0:
            room -= 1  # cut off, the text's end splits into other tokens, and sometimes more
        return prompt

    def log_likelihoods(self, texts: Sequence[str]) -> np.ndarray:
        """Nats of each text's prompt with each label, float32 [n, labels]: to be compared within a row."""
        rows = []
        for prompt in map(self.prompt, texts):
            score = self._generator.score([f"{prompt} {label}" for label in self._labels])
            rows.append(score["log_likelihood"])
        return np.stack(rows) if rows else np.zeros((0, len(self._labels)), np.float32)

    def calibrated(self, log_likelihoods: np.ndarray) -> np.ndarray:
        """Probabilities of the labels by `log_likelihoods`, float32 [n, labels]; rows add up to 1."""
        return tf.nn.softmax(log_likelihoods - self._log_prior).numpy()

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most probable label of each text."""
        probabilities = self.calibrated(self.log_likelihoods(texts))
        return [self._labels[i] for i in probabilities.argmax(axis=1)]

    def _with_text(self, text: str) -> str:
        return self._examples + self._opening.format(text=text)

    def _fitted(self, examples: Sequence[tuple[str, str]]) -> str:
        """The examples, one after the other, with texts of the same share of the context."""

        def joined(share: int) -> str:
            return "".join(
                self._template.format(text=self._cut(text, share), label=label) + " "
                for text, label in examples
            )

        nothing = self._opening.format(text="")
        share = self._room(joined(0) + nothing) // (len(examples) + 1)
        while share > 0 and self._room(joined(share) + nothing) < share:
            share -= 1
        if share < 1:
            context = self._generator.config.max_sequence_length
            raise ValueError(
                f"{len(examples)} examples leave no room for texts in a context of {context} tokens: "
                "give fewer"
            )
        return joined(share)

    def _room(self, prompt: str) -> int:
        """Tokens that are left in the context when the longest label has followed."""
        rows = self._tokenize(tf.constant([f"{prompt} {label}" for label in self._labels]))
        # The model reads the end token ahead of them and not the last one: as many.
        return self._generator.config.max_sequence_length - int(tf.reduce_max(rows.row_lengths()))

    def _cut(self, text: str, count: int) -> str:
        """The text's first `count` tokens."""
        ids = self._tokenize(tf.constant([text]))[:, : max(count, 0)]
        return self._generator.tokenizer.decode(ids).numpy()[0].decode().rstrip("\ufffd")


def content_free(texts: Sequence[str]) -> list[str]:
    """Texts that say nothing: the given ones' words drawn at random, as many as these have on average.

    Args:
        texts: of all labels alike, or the words of some would pass for nothing. If they have no words, the
            result is CONTENT_FREE.
    """
    words = [word for text in texts for word in text.split()]
    if not words:
        return list(CONTENT_FREE)
    draw = random.Random(0)
    length = math.ceil(len(words) / len(texts))
    return [" ".join(draw.choices(words, k=length)) for _ in range(_RANDOM_TEXTS)]
