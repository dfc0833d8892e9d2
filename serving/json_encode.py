"""Tensors to JSON answers, by the rules of TensorFlow Serving's REST documentation."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from serving.errors import invalid_argument


def to_predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer to a request in row format: `{"predictions": [...]}`.

    Raises:
        ServingError: INVALID_ARGUMENT if an output is a scalar, outputs differ in rows, or JSON
            has no form for an output's type.
    """
    rows = -1
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {name} has no shape information ")
        if rows not in (-1, len(array)):
            raise invalid_argument(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {rows}"
            )
        rows = len(array)
    columns = {name: to_json_values(name, array) for name, array in outputs.items()}
    if len(columns) == 1:
        return dumps({"predictions": next(iter(columns.values()))})
    rows_of_values = zip(*columns.values(), strict=True)
    return dumps({"predictions": [dict(zip(columns, r, strict=True)) for r in rows_of_values]})


def to_outputs(outputs: Mapping[str, np.ndarray]) -> bytes:
    """The answer to a request in column format: `{"outputs": ...}`.

    Raises:
        ServingError: INVALID_ARGUMENT if JSON has no form for an output's type.
    """
    columns = {name: to_json_values(name, array) for name, array in outputs.items()}
    return dumps({"outputs": next(iter(columns.values())) if len(columns) == 1 else columns})


def to_json_values(name: str, array: np.ndarray) -> Any:
    """Nested lists of what `json.dumps` writes as TensorFlow Serving would.

    Strings of an output whose name ends in `_bytes` become {"b64": ...}; others are text.

    Raises:
        ServingError: INVALID_ARGUMENT if JSON has no form for the type.
    """
    dtype = tf.as_dtype(array.dtype)
    leaves: list
    if dtype == tf.string:
        write = _base64_object if name.endswith("_bytes") else _text
        leaves = [write(value) for value in array.ravel().tolist()]
    elif dtype == tf.float32:
        leaves = shortest_float32(array.ravel())
    elif dtype in _AS_IS:
        return array.tolist()
    else:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {type_name(dtype)}")
    return _nested(leaves, array.shape)


_AS_IS = (
    tf.bool,
    tf.float64,
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint32, tf.uint64),
)


def type_name(dtype: tf.DType) -> str:
    """The type's name in TensorFlow's C++ errors, where float32 is float and float64 double."""
    return {tf.float32: "float", tf.float64: "double"}.get(dtype, dtype.name)


def shortest_float32(flat: np.ndarray) -> list[float]:
    """0.2, not 0.20000000298023224: six digits where they name the same float32, else nine.

    Args:
        flat: float32, shape [n].
    """
    six = [float(f"{value:.6g}") for value in flat.tolist()]
    with np.errstate(over="ignore"):  # six digits of the largest float32 round beyond it
        same = np.array(six).astype(np.float32) == flat
    return [
        short if exact else float(f"{value:.9g}")
        for short, exact, value in zip(six, same.tolist(), flat.tolist(), strict=True)
    ]


def _nested(leaves: list, shape: tuple[int, ...]) -> Any:
    array = np.empty(len(leaves), dtype=object)
    array[:] = leaves
    return array.reshape(shape).tolist()


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _base64_object(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode("ascii")}


def dumps(document: dict) -> bytes:
    """The document as TensorFlow Serving would write it, but for white space."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogateescape")
