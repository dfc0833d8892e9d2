"""Keeps what each model said of each example, out of the one pass in which TFMA asks them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import predictions_extractor

from components.evaluator.eval_config import ANSWERS
from components.evaluator.names import LABEL
from components.evaluator.predictions import (
    TEXT_PAIR,
    VALUE_SEPARATOR,
    Predictions,
    label_array,
)
from models.config import TaskName

_ANSWERS = "answers"
_VALUE = "value"  # the name of a regression's one column
Batch = tuple[list[bytes], dict[str, tuple[list[bytes], np.ndarray]]]


def collector(task: TaskName) -> tfma.evaluators.Evaluator:
    """A TFMA evaluator whose outcome is the examples and answers themselves, for `writer`.

    Args:
        task: what the answers are.
    """
    return tfma.evaluators.Evaluator(
        stage_name="CollectAnswers",
        run_after=predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME,
        ptransform=_Collect(task),
    )


def writer(folders: dict[str, str], features: Sequence[str], task: TaskName) -> tfma.writers.Writer:
    """Writes each model's predictions, in the order of the examples' keys.

    Args:
        folders: where each model's go, by TFMA's name of the model ("" where there is one only).
        features: raw features that are kept beside key and text.
        task: what labels and answers are.
    """
    return tfma.writers.Writer(
        stage_name="WriteAnswers",
        ptransform=tfma.writers.Write(_ANSWERS, _Write(folders, tuple(features), task)),
    )


class _Collect(beam.PTransform):
    def __init__(self, task: TaskName):
        super().__init__()
        self._task = task

    def expand(self, extracts: beam.PCollection) -> dict[str, beam.PCollection]:
        return {_ANSWERS: extracts | "Answers" >> beam.Map(_answers, self._task)}


class _Write(beam.PTransform):
    def __init__(self, folders: dict[str, str], features: tuple[str, ...], task: TaskName):
        super().__init__()
        self._folders, self._features, self._task = folders, features, task

    def expand(self, answers: beam.PCollection) -> beam.PCollection:
        return (
            answers
            | "All" >> beam.combiners.ToList()  # one empty list where there is no example
            | "Write" >> beam.Map(_write, self._folders, self._features, self._task)
        )


def _answers(extracts: dict[str, Any], task: TaskName) -> Batch:
    """A batch's serialized examples, and by model the columns' names and the scores [n, columns]."""
    predictions, answer = extracts[tfma.PREDICTIONS_KEY], ANSWERS[task]
    is_one_model = not isinstance(predictions, dict) or answer in predictions
    by_model = {"": predictions} if is_one_model else predictions
    found = {}
    for model, said in by_model.items():
        # TFMA unwraps a model's only output.
        scores = np.asarray(said[answer] if isinstance(said, dict) else said, np.float64)
        if task == "regression":
            found[model] = [_VALUE.encode()], scores.reshape(-1, 1)
        else:
            found[model] = list(said["classes"][0]), scores
    return list(extracts[tfma.INPUT_KEY]), found


def _write(
    batches: list[Batch], folders: dict[str, str], features: tuple[str, ...], task: TaskName
) -> None:
    examples = [tf.train.Example.FromString(raw) for inputs, _ in batches for raw in inputs]
    keys = [_value(example, "key") for example in examples]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    raw = {
        name: _column(examples, name, order)
        for name in {"key", "text", TEXT_PAIR, LABEL, *features}
    }
    labels = [_label(examples[row], task) for row in order]
    if task == "regression":
        del raw[LABEL]
    kept = {LABEL, *features} & raw.keys() | ({TEXT_PAIR} if any(raw[TEXT_PAIR]) else set())
    for model, folder in folders.items():
        classes = tuple(_decoded(batches[0][1][model][0])) if batches else ()
        scores = [answers[model][1] for _, answers in batches]
        Path(folder).mkdir(parents=True, exist_ok=True)
        Predictions(
            task=task,
            classes=classes,
            keys=raw["key"],
            texts=raw["text"],
            labels=label_array(task, labels, classes),
            scores=np.concatenate(scores)[order] if scores else np.zeros((0, 0)),
            features={name: raw[name] for name in sorted(kept)},
        ).write(folder)


def _column(examples: list[tf.train.Example], name: str, order: list[int]) -> np.ndarray:
    column = np.empty(len(order), object)
    column[:] = [_value(examples[row], name) for row in order]
    return column


def _label(example: tf.train.Example, task: TaskName) -> str | list[str] | float:
    feature = example.features.feature[LABEL]
    if task == "regression":
        return feature.float_list.value[0] if feature.float_list.value else float("nan")
    names = _decoded(feature.bytes_list.value)
    return names if task == "multi_label" else "".join(names[:1])


def _value(example: tf.train.Example, name: str) -> str:
    """A feature as a string; several values are separated, a missing one is ""."""
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else ()
    return VALUE_SEPARATOR.join(_decoded(values) if kind == "bytes_list" else map(str, values))


def _decoded(values: Iterable[bytes]) -> list[str]:
    return [value.decode() for value in values]
