"""What the outputs of each task's model are as columns."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from models.config import TaskName

Row = dict[str, Any]

_PLACE = {name: pa.string() for name in ("key", "source", "position")}
_PROBABILITIES = {"probabilities": pa.map_(pa.string(), pa.float32())}
_COLUMNS: dict[TaskName, dict[str, pa.DataType]] = {
    "single_label": {"label": pa.string(), "probability": pa.float32(), **_PROBABILITIES},
    "multi_label": {"labels": pa.list_(pa.string()), **_PROBABILITIES},
    "regression": {"value": pa.float32()},
}
_OUTPUTS: dict[TaskName, set[str]] = {
    "single_label": {"label", "probabilities", "classes"},
    "multi_label": {"is_answer", "probabilities", "classes"},
    "regression": {"value"},
}


class NoAnswer(ValueError):
    """The model's outputs are no answer."""


def task_of(outputs: Collection[str]) -> TaskName | None:
    """The task whose answers these outputs of a signature hold; None if there is no such task."""
    return next((task for task, needed in _OUTPUTS.items() if needed <= set(outputs)), None)


def schema(task: TaskName) -> pa.Schema:
    """The columns of a row: its key and place, then the answer."""
    return pa.schema(list((_PLACE | _COLUMNS[task]).items()))


def answer(task: TaskName, outputs: Mapping[str, np.ndarray]) -> Row:
    """The columns of one row's answer, probabilities by class in the order of the classes.

    Args:
        task: of the model.
        outputs: of its signature, [1, …]; one value may have any shape.

    Raises:
        NoAnswer: a number is not finite.
    """
    if task == "regression":
        return {"value": _finite(outputs["value"].item())}
    classes = [name.decode() for name in outputs["classes"][0]]
    probabilities = [_finite(value) for value in outputs["probabilities"][0]]
    by_class = dict(zip(classes, probabilities, strict=True))
    if task == "multi_label":
        is_answer = outputs["is_answer"][0]
        labels = [name for name, yes in zip(classes, is_answer, strict=True) if yes]
        return {"labels": labels, "probabilities": by_class}
    label = outputs["label"].item().decode()
    return {"label": label, "probability": by_class[label], "probabilities": by_class}


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise NoAnswer(f"the model's answer is {value}")
    return float(value)
