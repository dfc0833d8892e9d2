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


def task_of(outputs: Collection[str]) -> TaskName | None:
    """The task whose answers these outputs of a signature hold; None if there is no such task."""
    return next((task for task, needed in _OUTPUTS.items() if needed <= set(outputs)), None)


def schema(task: TaskName) -> pa.Schema:
    """The columns of a row: its key and place, then the answer."""
    return pa.schema(list((_PLACE | _COLUMNS[task]).items()))


def answer(outputs: Mapping[str, Any]) -> Row:
    """The columns of one row's answer, probabilities by class in the order of the classes.

    Args:
        outputs: of a model's signature, without the dimension of the batch; one label or value may have any
            shape.
    """
    if "value" in outputs:
        return {"value": np.asarray(outputs["value"]).item()}
    classes = [name.decode() for name in outputs["classes"]]
    by_class = dict(zip(classes, outputs["probabilities"].tolist(), strict=True))
    if "is_answer" in outputs:
        is_answer = outputs["is_answer"]
        labels = [name for name, is_one in zip(classes, is_answer, strict=True) if is_one]
        return {"labels": labels, "probabilities": by_class}
    label = np.asarray(outputs["label"]).item().decode()
    return {"label": label, "probability": by_class[label], "probabilities": by_class}


def not_finite(row: Row) -> list[float]:
    """The numbers of an answer that are none: NaN and infinities."""
    numbers = [row["value"]] if "value" in row else row["probabilities"].values()
    return [number for number in numbers if not math.isfinite(number)]
