"""JSON of :classify and :regress: tf.Examples in, classes and scores or values out.

The rules are those of TensorFlow Serving's REST documentation ("Classify and Regress API") and of
what its server does (util/json_tensor.cc).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, input_pb2, regression_pb2

from serving import json_decode, json_encode
from serving.errors import invalid_argument

_CONTEXT, _EXAMPLES, _RESULTS = "context", "examples", "results"


def to_input(document: Mapping[str, Any]) -> input_pb2.Input:
    """The examples of a request, and what all of them have in common.

    Raises:
        ServingError: INVALID_ARGUMENT for no examples, or one that JSON can't say.
    """
    request = input_pb2.Input()
    into = request.example_list.examples
    if _CONTEXT in document:
        holder = request.example_list_with_context
        holder.context.CopyFrom(_example(document[_CONTEXT]))
        into = holder.examples
    complaint = None
    examples = document.get(_EXAMPLES)
    if _EXAMPLES not in document:
        complaint = f"When method is classify, key '{_EXAMPLES}' is expected and was not found"
    elif not isinstance(examples, list):
        complaint = f"Expecting '{_EXAMPLES}' value to be an list/array"
    elif not examples:
        complaint = f"'{_EXAMPLES}' value is an empty array"
    if complaint:
        raise invalid_argument(f"JSON Value: {json_decode.shown(document)} {complaint}")
    into.extend(_example(value) for value in examples or ())
    return request


def from_classifications(result: classification_pb2.ClassificationResult) -> bytes:
    """`{"results": [[[label, score], ...], ...]}`: a list of pairs for each example.

    Raises:
        ServingError: INVALID_ARGUMENT for no example.
    """
    if not result.classifications:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    rows = []
    for classifications in result.classifications:
        scores = np.array([c.score for c in classifications.classes], np.float32)
        labels = [c.label for c in classifications.classes]
        rows.append(list(zip(labels, json_encode.shortest_float32(scores), strict=True)))
    return json_encode.dumps({_RESULTS: rows})


def from_regressions(result: regression_pb2.RegressionResult) -> bytes:
    """`{"results": [value, ...]}`: a number for each example.

    Raises:
        ServingError: INVALID_ARGUMENT for no example.
    """
    if not result.regressions:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    values = np.array([r.value for r in result.regressions], np.float32)
    return json_encode.dumps({_RESULTS: json_encode.shortest_float32(values)})


def _example(value: Any) -> tf.train.Example:
    if not isinstance(value, dict):
        raise invalid_argument(
            f"Example must be JSON object but got JSON {json_decode.type_of(value)}"
        )
    example = tf.train.Example()
    for name, content in value.items():
        feature = example.features.feature[json_decode.encoded(name).decode("utf-8", "replace")]
        for item in content if isinstance(content, list) else [content]:
            _add(name, item, feature)
    return example


def _add(name: str, value: Any, feature: tf.train.Feature) -> None:
    """Adds a value to a feature; the first one decides which kind of feature it is."""
    number: int | float
    if isinstance(value, str):
        _list(name, "bytes", feature).append(json_decode.encoded(value))
    elif json_decode.is_base64(value):
        _list(name, "bytes", feature).append(json_decode.base64_decode(value["b64"]))
    elif isinstance(value, bool | int):
        number = int(value)
        if not -(2**63) <= number < 2**63:
            if number < 2**64:
                raise invalid_argument(
                    f"Feature: {name} has uint64_t element. Only int64_t is supported."
                )
            _list(name, "float", feature).append(_float32(json_decode.to_float(number)))
            return
        _list(name, "int64", feature).append(number)
    elif isinstance(value, float):
        _list(name, "float", feature).append(_float32(value))
    else:
        raise invalid_argument(
            f"Feature: {name} has element with unexpected JSON type: {json_decode.type_of(value)}"
        )


def _float32(value: float) -> float:
    with np.errstate(over="ignore"):  # beyond float32 is infinity, as a C cast gives
        return float(np.float32(value))


def _list(name: str, kind: str, feature: tf.train.Feature) -> Any:
    field = f"{kind}_list"
    present = feature.WhichOneof("kind")
    if present not in (None, field):
        raise invalid_argument(
            f"Unexpected element type in feature: {name} expecting type: "
            f"{present.removesuffix('_list')}"
        )
    return getattr(feature, field).value
