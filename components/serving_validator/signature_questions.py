"""What a classifier's further signatures are asked, each with its answer in process."""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from components.serving_validator.questions import (
    Answer,
    Judgement,
    Question,
    UnusableAnswer,
    check_outputs,
)
from models.classifier import TextClassifier

Inputs = Mapping[str, Sequence[str]]


def embedding_question(
    classifier: TextClassifier, name: str, inputs: Inputs, tolerance: float
) -> Question:
    """`embed` of raw texts.

    Args:
        classifier: the model.
        name: of the rows, for the report.
        inputs: the signature's: `text`, and `text_pair` of a model of pairs.
        tolerance: see `judge_embeddings`.
    """
    expected = classifier.embeddings(*inputs.values())
    judge = functools.partial(judge_embeddings, expected, tolerance)
    return Question(f"embed, {name}", "embed", inputs, inputs["text"], judge)


def token_question(
    classifier: TextClassifier, name: str, inputs: Inputs, rows: Sequence[bytes]
) -> Question:
    """`transform_features` of tf.Examples: the token ids must be the model's own.

    Args:
        classifier: the model.
        name: of the rows, for the report.
        inputs: the rows' texts, as `embed` takes them.
        rows: serialized tf.train.Examples.
    """
    texts = [tf.constant(each, tf.string) for each in inputs.values()]
    expected = classifier.tokenizer(*texts).to_list()
    judge = functools.partial(judge_token_ids, expected)
    asked = {"examples": rows}
    return Question(
        f"transform_features, {name}", "transform_features", asked, inputs["text"], judge
    )


def judge_embeddings(expected: np.ndarray, tolerance: float, answer: Answer) -> Judgement:
    """Holds served embeddings against those in process.

    Args:
        expected: float32 [n, dim].
        tolerance: largest difference that still agrees, as a share of a row's largest component, or as it
            is in a row without one above 1.
        answer: `embedding` [n, dim].

    Raises:
        UnusableAnswer: the output is missing or has another shape.
    """
    check_outputs(answer, {"embedding": expected.shape})
    served = answer["embedding"].astype(np.float64)
    scale = np.maximum(np.abs(expected).max(axis=1, initial=1.0), 1.0)
    differences = np.abs(served - expected).max(axis=1, initial=0.0) / scale
    problems = [
        None  # false for NaN too
        if difference <= tolerance
        else f"the embedding differs by {difference:.3g} of its largest component, allowed {tolerance:g}"
        for difference in differences
    ]
    return Judgement(problems, float(np.max(differences, initial=0.0)))


def judge_token_ids(expected: Sequence[Sequence[int]], answer: Answer) -> Judgement:
    """Holds served token ids, filled up with 0, against the tokenizer's.

    Args:
        expected: ids of n texts.
        answer: `token_ids` [n, the most ids].

    Raises:
        UnusableAnswer: the output is missing or has not n rows.
    """
    if "token_ids" not in answer or len(answer["token_ids"]) != len(expected):
        raise UnusableAnswer(f"the answer has no output 'token_ids' with {len(expected)} rows")
    problems: list[str | None] = []
    for own, row in zip(expected, answer["token_ids"].tolist(), strict=True):
        same = row[: len(own)] == own and not any(row[len(own) :])
        problems.append(
            None if same else f"token ids are {row[:20]}, the training graph's {own[:20]}"
        )
    return Judgement(problems, None)
