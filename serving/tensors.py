"""Tensors to and from the wire's TensorProto."""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.errors import invalid_argument


def from_proto(alias: str, proto: tensor_pb2.TensorProto) -> tf.Tensor:
    """The tensor in a request.

    Raises:
        ServingError: INVALID_ARGUMENT if its type, shape and content do not make a tensor.
    """
    try:
        # TensorFlow's own parser: the same acceptance as TensorFlow Serving, in C++.
        return tf.io.parse_tensor(proto.SerializeToString(), tf.as_dtype(proto.dtype))
    except (tf.errors.OpError, TypeError, ValueError) as error:
        raise invalid_argument(f"tensor parsing error: {alias}") from error


# TensorFlow Serving answers in these fields, not in `tensor_content`, and some clients read them.
_VALUE_FIELD = {
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
}


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """A TensorProto with the values in the field of their type (`float_val`, `string_val`, …)."""
    dtype = tf.as_dtype(array.dtype)
    field = _VALUE_FIELD.get(dtype)
    if field is None:  # half, bfloat16, complex: rare enough for the packed form
        return tf.make_tensor_proto(array)
    proto = tensor_pb2.TensorProto(
        dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(array.shape).as_proto()
    )
    getattr(proto, field).extend(array.ravel().tolist())
    return proto
