"""Predictions of the stable pushed model, in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's ops
from rich.table import Table

from components.prediction_writer import answers as answering
from components.pusher.store import Store
from pipeline.configs import PipelineConfig, local_paths

_BATCH = 64
_EXCERPT = 70


class PredictError(Exception):
    """There is no model to ask."""


def stable_version(config: PipelineConfig) -> Path:
    """Folder of the stable pushed model, or, if that is not whole, of the one before.

    Raises:
        PredictError: nothing was pushed yet.
    """
    store = Store(str(local_paths(config)["serving"]))
    for version in reversed(store.state().stables):
        folder = Path(store.path(version))
        if (folder / "saved_model.pb").is_file():
            return folder
    raise PredictError(
        f"no pushed model in {store.base}: run the pipeline first; a model is pushed once blessed"
    )


def predict(
    config: PipelineConfig, texts: Sequence[str], pairs: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Labels texts.

    Args:
        config: whose pushed model is asked.
        texts: what it is asked about.
        pairs: the second texts, if the model reads pairs.

    Returns:
        For each text, in order, `text`, of a pair `text_pair`, and `label`, `probability` and `probabilities`
        ({class: p}); or, where there may be several, `labels` and `probabilities`; or `value`.

    Raises:
        PredictError: nothing was pushed yet, or the model reads pairs and there are none, or the other way.
    """
    signature = tf.saved_model.load(str(stable_version(config))).signatures["serving_text"]
    columns = {"text": texts} if pairs is None else {"text": texts, "text_pair": pairs}
    if signature.structured_input_signature[1].keys() != columns.keys():
        reads = "single texts" if pairs is not None else "pairs of texts"
        raise PredictError(f"the model reads {reads}")
    answers: list[dict[str, Any]] = []
    for i in range(0, len(texts), _BATCH):
        batch = {name: list(column[i : i + _BATCH]) for name, column in columns.items()}
        outputs = signature(**{name: tf.constant(column) for name, column in batch.items()})
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        for row in range(len(batch["text"])):
            asked = {name: column[row] for name, column in batch.items()}
            answers.append(
                asked | answering.answer({name: array[row] for name, array in arrays.items()})
            )
    return answers


def predictions_table(answers: Sequence[dict[str, Any]]) -> Table:
    """Texts and answers in columns."""
    first = answers[0] if answers else {}
    texts = ["text", "text_pair"] if "text_pair" in first else ["text"]
    said = ["value"] if "value" in first else ["labels"] if "labels" in first else []
    names = [*texts, *(said or ["label", "probability"])]
    table = Table(*(name.replace("_pair", " 2") for name in names))
    for answer in answers:
        table.add_row(*(_cell(name, answer) for name in names))
    return table


def _cell(name: str, answer: dict[str, Any]) -> str:
    if name == "labels":
        scores = answer["probabilities"]
        return ", ".join(f"{label} {scores[label]:.3f}" for label in answer["labels"]) or "none"
    value = answer[name]
    if isinstance(value, float):
        return f"{value:.5g}" if name == "value" else f"{value:.3f}"
    return value if len(value) <= _EXCERPT else value[: _EXCERPT - 1] + "…"
