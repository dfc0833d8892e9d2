"""Tensors to and from the wire's TensorProto."""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.errors import invalid_argument


def from_proto(alias: str, proto: tensor_pb2.TensorProto) -> np.ndarray:
    """The tensor in a request; strings as an object array of bytes.

    Raises:
        ServingError: INVALID_ARGUMENT if its type, shape and content do not make a tensor.
    """
    try:
        array = _whole(proto)
        if array is None:
            # TensorFlow's own parser, which accepts what TensorFlow Serving accepts.
            _check_size(proto)
            parsed = tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
            array = np.asarray(parsed.numpy(), parsed.dtype.as_numpy_dtype)
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error
    return array


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """A TensorProto with the values in the field of their type (`float_val`, `string_val`, …)."""
    dtype = tf.as_dtype(array.dtype)
    field = _VALUE_FIELD.get(dtype.as_datatype_enum)
    if field is None:  # half, bfloat16, complex: rare enough for the packed form
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    getattr(proto, field).extend(array.ravel().tolist())
    return proto


# TensorFlow Serving answers in these fields, not in `tensor_content`, and some clients read them.
_VALUE_FIELD = {
    dtype.as_datatype_enum: field
    for dtype, field in {
        tf.float32: "float_val",
        tf.float64: "double_val",
        tf.int8: "int_val",
        tf.int16: "int_val",
        tf.int32: "int_val",
        tf.uint8: "int_val",
        tf.uint16: "int_val",
        tf.int64: "int64_val",
        tf.uint32: "uint32_val",
        tf.uint64: "uint64_val",
        tf.bool: "bool_val",
        tf.string: "string_val",
    }.items()
}

_STRING = tf.string.as_datatype_enum
_NUMPY_TYPE = {enum: tf.as_dtype(enum).as_numpy_dtype for enum in _VALUE_FIELD if enum != _STRING}


# A few bytes may stand for any number of equal values; beyond this it is an attack on memory.
_MAX_VALUES = 1 << 26


def _check_size(proto: tensor_pb2.TensorProto) -> None:
    if math.prod(dim.size for dim in proto.tensor_shape.dim) > _MAX_VALUES:
        raise ValueError("too many values")


def _whole(proto: tensor_pb2.TensorProto) -> np.ndarray | None:
    """The tensor of a message that holds every value in one place, as all common clients write.

    None for anything else: a shape or type that is odd, one value for many, values in two places.
    """
    field = _VALUE_FIELD.get(proto.dtype)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if field is None or proto.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        return None
    content = proto.tensor_content
    if proto.dtype == _STRING:
        if content or len(proto.string_val) != math.prod(shape):
            return None
        array = np.empty(len(proto.string_val), object)
        array[:] = proto.string_val
        return array.reshape(shape)
    dtype = np.dtype(_NUMPY_TYPE[proto.dtype])
    if content:
        if len(content) != math.prod(shape) * dtype.itemsize:
            return None
        return np.frombuffer(content, dtype).reshape(shape)
    values = getattr(proto, field)
    if len(values) != math.prod(shape):
        return None
    # Small integers travel as int32 and are cut to their width.
    return np.array(values, np.int32 if field == "int_val" else dtype).astype(dtype).reshape(shape)
