"""JSON requests to arrays.

The rules are those of TensorFlow Serving's REST documentation ("Predict API", "Encoding binary
values", "JSON conformance") and, where it is silent, of what its server does (util/json_tensor.cc):
the order of the checks, the words of the errors, which JSON number fits which type.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf

from serving.errors import ServingError, invalid_argument
from serving.json_encode import type_name


def parse_json(body: bytes) -> dict[str, Any]:
    """The request's JSON object. NaN and Infinity are numbers; what follows the object is ignored.

    Raises:
        ServingError: INVALID_ARGUMENT if there is no JSON object.
        RecursionError: for thousands of brackets.
    """
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    # Bytes that are not UTF-8 pass through, as they do in TensorFlow Serving.
    text = body.decode("utf-8", "surrogateescape").lstrip(" \t\r\n")
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        raise invalid_argument(f"JSON Parse error: {error.msg} at offset: {error.pos}") from error
    except ValueError as error:  # a number of thousands of digits
        raise invalid_argument(f"JSON Parse error: {error}") from error
    if not isinstance(document, dict):
        raise invalid_argument(f"JSON Value: {shown(document)} Is not object")
    return document


def signature_name(document: Mapping[str, Any]) -> str:
    """The request's `signature_name`, "" if it has none.

    Raises:
        ServingError: INVALID_ARGUMENT if it is not a string.
    """
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {shown(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    return name.encode("utf-8", "replace").decode("utf-8")  # a signature's name is UTF-8


def is_row_format(document: Mapping[str, Any]) -> bool:
    """True for `instances`, False for `inputs`.

    Raises:
        ServingError: INVALID_ARGUMENT if there is neither, both, or no list of instances.
    """
    if "instances" not in document:
        if "inputs" not in document:
            raise invalid_argument("Missing 'inputs' or 'instances' key")
        return False
    complaint = None
    if "inputs" in document:
        complaint = (
            "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
        )
    elif not isinstance(document["instances"], list):
        complaint = "Expecting 'instances' to be an list/array"
    elif not document["instances"]:
        complaint = "No values in 'instances' array"
    if complaint:
        raise invalid_argument(f"JSON Value: {shown(document)} {complaint}")
    return True


def from_instances(instances: list, dtypes: Mapping[str, tf.DType]) -> dict[str, np.ndarray]:
    """Row format: a list of values of the only input, or of objects with a value for each input.

    Args:
        instances: at least one row.
        dtypes: type of each input of the signature.

    Returns:
        Arrays by input; the first dimension is the number of rows.

    Raises:
        ServingError: INVALID_ARGUMENT, naming the row.
    """
    rows_are_objects = _is_object(instances[0])
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise invalid_argument(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    columns: dict[str, list[np.ndarray]] = {name: [] for name in dtypes}
    for position, row in enumerate(instances):
        _check_row(row, position, rows_are_objects)
        items = row.items() if rows_are_objects else [(next(iter(dtypes)), row)]
        for name, value in items:
            try:
                if name not in dtypes:
                    raise invalid_argument(f"JSON object: does not have named input: {name}")
                columns[name].append(_like_first(to_array(value, dtypes[name]), columns[name]))
            except ServingError as error:
                key = f" key: {name}" if rows_are_objects else ""
                raise invalid_argument(
                    f"Failed to process element: {position}{key} of 'instances' list. "
                    f"Error: {error.code.name}: {error.message}"
                ) from error
        if rows_are_objects and row.keys() != dtypes.keys():
            raise invalid_argument(
                f"Failed to process element: {position} of 'instances' list. JSON object: "
                f"{shown(row)} keys must be equal to: {','.join(sorted(dtypes))}"
            )
    return {name: np.stack(rows) for name, rows in columns.items()}


def from_inputs(inputs: Any, dtypes: Mapping[str, tf.DType]) -> dict[str, np.ndarray]:
    """Column format: the value of the only input, or an object with a value for each input.

    Raises:
        ServingError: INVALID_ARGUMENT for a missing input or values that make no tensor.
    """
    if not _is_object(inputs):
        if len(dtypes) > 1:
            raise invalid_argument(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        inputs = {next(iter(dtypes)): inputs}
    arrays = {}
    for name in sorted(dtypes):
        if name not in inputs:
            raise invalid_argument(f"Missing named input: {name} in 'inputs' object.")
        arrays[name] = to_array(inputs[name], dtypes[name])
    return arrays


def to_array(value: Any, dtype: tf.DType) -> np.ndarray:
    """A (nested list of) JSON value(s) as an array.

    Returns:
        An array of `dtype`; for strings an object array of bytes.

    Raises:
        ServingError: INVALID_ARGUMENT for ragged lists or a value that is not of the type,
            UNIMPLEMENTED for a type that JSON can't carry.
    """
    shape = _shape(value)
    leaves: list = []
    _collect(value, 0, shape, dtype, leaves)
    with np.errstate(over="ignore"):  # beyond float32 is infinity, as a C cast gives
        array = np.array(leaves, _WIDE_TYPE.get(dtype, dtype.as_numpy_dtype))
        return array.astype(dtype.as_numpy_dtype).reshape(shape)


_MAX_RANK = 32  # numpy 1's limit; TensorFlow's is 254

_NARROW_INTEGERS = (tf.int8, tf.uint8, tf.int16, tf.int32)

# Values are read in these and cut to the type, as TensorFlow Serving does: any 32-bit number is
# taken for an int8.
_WIDE_TYPE = {**dict.fromkeys(_NARROW_INTEGERS, np.int64), tf.float32: np.float64}

# Which whole numbers fit, by type: (smallest, largest).
_INTEGER_RANGE = {
    **dict.fromkeys(_NARROW_INTEGERS, (-(2**31), 2**31 - 1)),
    tf.int64: (-(2**63), 2**63 - 1),
    tf.uint32: (0, 2**32 - 1),
    tf.uint64: (0, 2**64 - 1),
}


def is_base64(value: Any) -> bool:
    """Whether the value is {"b64": "..."}, which stands for bytes."""
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _check_row(row: Any, position: int, rows_are_objects: bool) -> None:
    if rows_are_objects and not _is_object(row):
        raise invalid_argument(f"Expecting object but got list at item {position} of input list")
    if not rows_are_objects and _is_object(row):
        raise invalid_argument(
            f"Expecting value/list but got object at item {position} of input list"
        )


def _like_first(array: np.ndarray, before: list[np.ndarray]) -> np.ndarray:
    """The array, if its shape is that of the rows before it."""
    if before and before[0].size != array.size:
        raise invalid_argument(f"Expecting tensor size: {before[0].size} but got: {array.size}")
    if before and before[0].shape != array.shape:
        expected, got = (",".join(map(str, a.shape)) for a in (before[0], array))
        raise invalid_argument(f"Expecting shape [{expected}] but got: [{got}]")
    return array


def _shape(value: Any) -> tuple[int, ...]:
    """The shape that the first value of each list announces; `_collect` holds the rest to it."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if len(shape) > _MAX_RANK:
            raise invalid_argument(f"Lists are nested more than {_MAX_RANK} deep")
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _collect(value: Any, level: int, shape: tuple[int, ...], dtype: tf.DType, leaves: list) -> None:
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid_argument(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {len(shape)}"
            )
        leaves.append(_leaf(value, dtype))
        return
    if level >= len(shape):
        raise invalid_argument(
            f"Encountered list at unexpected level: {level} expected < {len(shape)}"
        )
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} "
            f"expected size: {shape[level]}"
        )
    for item in value:
        _collect(item, level + 1, shape, dtype, leaves)


def _leaf(value: Any, dtype: tf.DType) -> Any:
    if dtype == tf.string:
        return _string_leaf(value, dtype)
    if dtype == tf.bool:
        fits = isinstance(value, bool)
    elif dtype in _INTEGER_RANGE:
        low, high = _INTEGER_RANGE[dtype]
        fits = isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    elif dtype in (tf.float32, tf.float64):
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if fits:
            return to_float(value)
    else:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED,
            f"Conversion of JSON Value: {shown(value)} to type: {dtype.name}",
        )
    if not fits:
        raise _type_error(value, dtype)
    return value


def to_float(value: int | float) -> float:
    """A JSON number as a double.

    Raises:
        ServingError: INVALID_ARGUMENT for an integer beyond it.
    """
    try:
        return float(value)
    except OverflowError as error:
        raise invalid_argument(
            "JSON Parse error: Number too big to be stored in double."
        ) from error


def encoded(text: str) -> bytes:
    """A JSON string's bytes.

    Raises:
        ServingError: INVALID_ARGUMENT for half of a surrogate pair.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise invalid_argument(
            "JSON Parse error: The surrogate pair in string is invalid."
        ) from error


def _string_leaf(value: Any, dtype: tf.DType) -> bytes:
    if isinstance(value, str):
        return encoded(value)
    if not isinstance(value, dict):
        raise _type_error(value, dtype)
    if not is_base64(value):
        raise invalid_argument(
            f"JSON Value: {shown(value)} not formatted correctly for base64 data"
        )
    return base64_decode(value["b64"])


def base64_decode(text: str) -> bytes:
    """Standard base64; padding may be left out, white space is skipped.

    Raises:
        ServingError: INVALID_ARGUMENT if it is not that.
    """
    compact = "".join(text.split())
    padded = compact if compact.endswith("=") else compact + "=" * (-len(compact) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_argument("Unable to base64 decode") from error


_JSON_TYPE = {dict: "Object", list: "Array", str: "String", type(None): "Null"}


def type_of(value: Any) -> str:
    """The JSON type's name in TensorFlow Serving's errors."""
    return _JSON_TYPE.get(type(value), str(value) if isinstance(value, bool) else "Number")


def _type_error(value: Any, dtype: tf.DType) -> ServingError:
    return invalid_argument(
        f"JSON Value: {shown(value)} Type: {type_of(value)} "
        f"is not of expected type: {type_name(dtype)}"
    )


def shown(value: Any) -> str:
    """A JSON value in an error message, cut short."""
    return json.dumps(value, ensure_ascii=False)[:256].encode("utf-8", "replace").decode()
