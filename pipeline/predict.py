"""Predictions of the stable pushed model, in this process."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the tokenizer's ops
from rich.table import Table

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


def predict(config: PipelineConfig, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Labels texts.

    Returns:
        `{"text", "label", "probability", "probabilities": {class: p}}` for each text, in order.

    Raises:
        PredictError: nothing was pushed yet.
    """
    signature = tf.saved_model.load(str(stable_version(config))).signatures["serving_text"]
    answers: list[dict[str, Any]] = []
    for i in range(0, len(texts), _BATCH):
        batch = list(texts[i : i + _BATCH])
        outputs = {
            name: tensor.numpy() for name, tensor in signature(text=tf.constant(batch)).items()
        }
        for row, text in enumerate(batch):
            classes = [name.decode() for name in outputs["classes"][row]]
            by_class = dict(zip(classes, outputs["probabilities"][row].tolist(), strict=True))
            label = outputs["label"][row].decode()
            answers.append(
                {
                    "text": text,
                    "label": label,
                    "probability": by_class[label],
                    "probabilities": by_class,
                }
            )
    return answers


def predictions_table(answers: Sequence[dict[str, Any]]) -> Table:
    """Text, label and probability in columns."""
    table = Table("text", "label", "probability")
    for answer in answers:
        text = (
            answer["text"]
            if len(answer["text"]) <= _EXCERPT
            else answer["text"][: _EXCERPT - 1] + "…"
        )
        table.add_row(text, answer["label"], f"{answer['probability']:.3f}")
    return table
