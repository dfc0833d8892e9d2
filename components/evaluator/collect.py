"""Keeps what each model said of each example, out of the one pass in which TFMA asks them."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.extractors import predictions_extractor

from components.evaluator.eval_config import PROBABILITIES
from components.evaluator.predictions import VALUE_SEPARATOR, Predictions

_ANSWERS = "answers"
Batch = tuple[list[bytes], dict[str, tuple[list[bytes], np.ndarray]]]


def collector() -> tfma.evaluators.Evaluator:
    """A TFMA evaluator whose outcome is the examples and answers themselves, for `writer`."""
    return tfma.evaluators.Evaluator(
        stage_name="CollectAnswers",
        run_after=predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME,
        ptransform=_Collect(),
    )


def writer(folders: dict[str, str], features: Sequence[str]) -> tfma.writers.Writer:
    """Writes each model's predictions, in the order of the examples' keys.

    Args:
        folders: where each model's go, by TFMA's name of the model ("" where there is one only).
        features: raw features that are kept beside key and text.
    """
    return tfma.writers.Writer(
        stage_name="WriteAnswers",
        ptransform=tfma.writers.Write(_ANSWERS, _Write(folders, tuple(features))),
    )


class _Collect(beam.PTransform):
    def expand(self, extracts: beam.PCollection) -> dict[str, beam.PCollection]:
        return {_ANSWERS: extracts | "Answers" >> beam.Map(_answers)}


class _Write(beam.PTransform):
    def __init__(self, folders: dict[str, str], features: tuple[str, ...]):
        super().__init__()
        self._folders, self._features = folders, features

    def expand(self, answers: beam.PCollection) -> beam.PCollection:
        return (
            answers
            | "All" >> beam.combiners.ToList()  # one empty list where there is no example
            | "Write" >> beam.Map(_write, self._folders, self._features)
        )


def _answers(extracts: dict[str, Any]) -> Batch:
    """A batch's serialized examples, and by model the classes' names and the probabilities [n, classes]."""
    predictions = extracts[tfma.PREDICTIONS_KEY]
    by_model = {"": predictions} if PROBABILITIES in predictions else predictions
    return list(extracts[tfma.INPUT_KEY]), {
        model: (list(said["classes"][0]), np.asarray(said[PROBABILITIES], np.float64))
        for model, said in by_model.items()
    }


def _write(batches: list[Batch], folders: dict[str, str], features: tuple[str, ...]) -> None:
    examples = [tf.train.Example.FromString(raw) for inputs, _ in batches for raw in inputs]
    keys = [_value(example, "key") for example in examples]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    raw = {name: _column(examples, name, order) for name in {"key", "text", "label", *features}}
    for model, folder in folders.items():
        classes = tuple(_decoded(batches[0][1][model][0])) if batches else ()
        scores = [answers[model][1] for _, answers in batches]
        ids = {name: class_id for class_id, name in enumerate(classes)}
        Path(folder).mkdir(parents=True, exist_ok=True)
        Predictions(
            task="single_label",
            classes=classes,
            keys=raw["key"],
            texts=raw["text"],
            labels=np.array([ids.get(label, -1) for label in raw["label"]], np.int64),
            scores=np.concatenate(scores)[order] if scores else np.zeros((0, 0)),
            features={name: raw[name] for name in sorted({"label", *features})},
        ).write(folder)


def _column(examples: list[tf.train.Example], name: str, order: list[int]) -> np.ndarray:
    column = np.empty(len(order), object)
    column[:] = [_value(examples[row], name) for row in order]
    return column


def _value(example: tf.train.Example, name: str) -> str:
    """A feature as a string; several values are separated, a missing one is ""."""
    feature = example.features.feature[name]
    kind = feature.WhichOneof("kind")
    values = getattr(feature, kind).value if kind else ()
    return VALUE_SEPARATOR.join(_decoded(values) if kind == "bytes_list" else map(str, values))


def _decoded(values: Iterable[bytes]) -> list[str]:
    return [value.decode() for value in values]
