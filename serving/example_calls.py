"""Classify, Regress and MultiInference: calls that take tf.Examples.

The checks, their order and their words are TensorFlow Serving's (classifier.cc, regressor.cc,
multi_inference.cc). As there, a signature is known by its inputs and outputs, whatever its method
name says: TensorFlow 2 writes "predict" for all.
"""

from collections.abc import Callable, Mapping, Sequence

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    regression_pb2,
)

from serving.calls import model_spec
from serving.errors import ServingError, invalid_argument
from serving.servable import DEFAULT_SIGNATURE, Servable

_INPUTS = "inputs"
_CLASSES, _SCORES = "classes", "scores"
_OUTPUTS = "outputs"
_CLASSIFY, _REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


class ClassifyCall:
    """Classify; raises ServingError for a request or signature that does not fit."""

    api = "Classify"

    def __init__(self, servable: Servable, request: classification_pb2.ClassificationRequest):
        self._signature = _signature(servable, request.model_spec)
        self._spec = model_spec(servable, request.model_spec.signature_name)
        self.fetches = _check_classification(self._signature)
        examples = serialized_examples(request.input)
        self.num_examples = len(examples)
        self.servable = servable
        self.feeds = {self._signature.inputs[_INPUTS].name: examples}

    def respond(self, fetched: Sequence[np.ndarray]) -> classification_pb2.ClassificationResponse:
        """The response message."""
        by_name = dict(zip(self.fetches, fetched, strict=True))
        return classification_pb2.ClassificationResponse(
            model_spec=self._spec,
            result=_classification(self._signature, self.num_examples, by_name),
        )


class RegressCall:
    """Regress; raises ServingError for a request or signature that does not fit."""

    api = "Regress"

    def __init__(self, servable: Servable, request: regression_pb2.RegressionRequest):
        self._signature = _signature(servable, request.model_spec)
        self._spec = model_spec(servable, request.model_spec.signature_name)
        self.fetches = _check_regression(self._signature)
        examples = serialized_examples(request.input)
        self.num_examples = len(examples)
        self.servable = servable
        self.feeds = {self._signature.inputs[_INPUTS].name: examples}

    def respond(self, fetched: Sequence[np.ndarray]) -> regression_pb2.RegressionResponse:
        """The response message."""
        by_name = dict(zip(self.fetches, fetched, strict=True))
        return regression_pb2.RegressionResponse(
            model_spec=self._spec,
            result=_regression(self._signature, self.num_examples, by_name),
        )


class MultiInferenceCall:
    """MultiInference: one run of the graph for several heads on one and the same input tensor."""

    api = "MultiInference"

    def __init__(self, servable: Servable, request: inference_pb2.MultiInferenceRequest):
        self._tasks = list(request.tasks)
        self._signatures = _task_signatures(servable, self._tasks)
        fetches: dict[str, None] = {}  # an ordered set: tasks may share tensors
        for task, signature in zip(self._tasks, self._signatures, strict=True):
            fetches.update(dict.fromkeys(_METHODS[task.method_name][0](signature)))
        self.fetches = list(fetches)
        names = {signature.inputs[_INPUTS].name for signature in self._signatures}
        if len(names) > 1:  # as TensorFlow 2 exports any two signatures
            raise invalid_argument("Input tensor must be the same for all Signatures.")
        examples = serialized_examples(request.input)
        self.num_examples = len(examples)
        self.servable = servable
        self.feeds = dict.fromkeys(names, examples)

    def respond(self, fetched: Sequence[np.ndarray]) -> inference_pb2.MultiInferenceResponse:
        """The response message."""
        by_name = dict(zip(self.fetches, fetched, strict=True))
        response = inference_pb2.MultiInferenceResponse()
        for task, signature in zip(self._tasks, self._signatures, strict=True):
            result = response.results.add(
                model_spec=model_spec(self.servable, task.model_spec.signature_name)
            )
            _, read, field = _METHODS[task.method_name]
            getattr(result, field).CopyFrom(read(signature, self.num_examples, by_name))
        return response


def serialized_examples(request: input_pb2.Input) -> np.ndarray:
    """The examples of a request, each with the request's context, if it has one.

    Returns:
        An object array of bytes, shape [examples].

    Raises:
        ServingError: INVALID_ARGUMENT if there is none.
    """
    kind = request.WhichOneof("kind")
    holder = getattr(request, kind) if kind else None
    if holder is None or not holder.examples:
        raise invalid_argument("Input is empty.")
    # Two serialized messages, one after the other, are their union.
    context = b""
    if kind == "example_list_with_context":
        context = holder.context.SerializeToString()
    examples = np.empty(len(holder.examples), object)
    examples[:] = [context + example.SerializeToString() for example in holder.examples]
    return examples


def _signature(servable: Servable, spec: model_pb2.ModelSpec) -> meta_graph_pb2.SignatureDef:
    name = spec.signature_name or DEFAULT_SIGNATURE
    if name not in servable.signature_defs:
        raise invalid_argument(f"No signature was found with the name: {name}")
    return servable.signature_defs[name]


def _task_signatures(
    servable: Servable, tasks: Sequence[inference_pb2.InferenceTask]
) -> list[meta_graph_pb2.SignatureDef]:
    signatures: dict[str, meta_graph_pb2.SignatureDef] = {}
    for task in tasks:
        spec = task.model_spec
        if not spec.name:
            raise invalid_argument("Found ModelSpec with an empty model name.")
        if spec.name != servable.name:
            raise invalid_argument(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = spec.signature_name or DEFAULT_SIGNATURE
        if name in signatures:
            raise invalid_argument(f"Duplicate evaluation of signature: {name}")
        if name not in servable.signature_defs:
            raise invalid_argument(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _METHODS:
            raise ServingError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"Unsupported signature method_name: {task.method_name}",
            )
        signatures[name] = servable.signature_defs[name]
    return list(signatures.values())


def _check_classification(signature: meta_graph_pb2.SignatureDef) -> list[str]:
    """The tensors to fetch."""
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid_argument(
            f"Expected one or two output Tensors, found {len(signature.outputs)}"
        )
    if _INPUTS not in signature.inputs:
        raise invalid_argument(f"No classification inputs found in SignatureDef: {signature}")
    wanted = [key for key in (_CLASSES, _SCORES) if key in signature.outputs]
    if not wanted:
        raise invalid_argument(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {signature}'
        )
    return [signature.outputs[key].name for key in wanted]


def _check_regression(signature: meta_graph_pb2.SignatureDef) -> list[str]:
    """The tensor to fetch."""
    if len(signature.inputs) != 1:
        raise invalid_argument("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid_argument("Expected one output Tensor.")
    if _INPUTS not in signature.inputs:
        raise invalid_argument(f"No regression inputs found in SignatureDef: {signature}")
    if _OUTPUTS not in signature.outputs:
        raise invalid_argument(f"No regression outputs found in SignatureDef: {signature}")
    return [signature.outputs[_OUTPUTS].name]


def _classification(
    signature: meta_graph_pb2.SignatureDef, count: int, fetched: Mapping[str, np.ndarray]
) -> classification_pb2.ClassificationResult:
    classes = _column(signature, _CLASSES, fetched)
    scores = _column(signature, _SCORES, fetched)
    for name, array, dtype in (("classes", classes, tf.string), ("scores", scores, tf.float32)):
        if array is not None:
            _check_classes_or_scores(name, array, dtype, count)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid_argument(
            "Tensors class and score should match in dim_size(1). "
            f"Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = classification_pb2.ClassificationResult()
    shape = (scores if classes is None else classes).shape  # type: ignore[union-attr]
    labels = None if classes is None else [_utf8(row) for row in classes.tolist()]
    numbers = None if scores is None else scores.tolist()
    for row in range(shape[0]):
        added = result.classifications.add().classes
        for column in range(shape[1]):
            entry = added.add()
            if labels is not None:
                entry.label = labels[row][column]
            if numbers is not None:
                entry.score = numbers[row][column]
    return result


def _utf8(labels: Sequence[bytes]) -> list[str]:
    try:
        return [label.decode("utf-8") for label in labels]
    except UnicodeDecodeError as error:  # a proto's string is UTF-8
        raise invalid_argument(f"A class label is not UTF-8: {error}") from error


def _check_classes_or_scores(name: str, array: np.ndarray, dtype: tf.DType, count: int) -> None:
    if array.ndim != 2:
        raise invalid_argument(
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}"
        )
    if tf.as_dtype(array.dtype) != dtype:
        raise invalid_argument(
            f"Expected {name} Tensor of {_enum_name(dtype)}. "
            f"Got: {_enum_name(tf.as_dtype(array.dtype))}"
        )
    if len(array) != count:
        raise invalid_argument(f"Expected {name} output batch size of {count}. Got: {len(array)}")


def _regression(
    signature: meta_graph_pb2.SignatureDef, count: int, fetched: Mapping[str, np.ndarray]
) -> regression_pb2.RegressionResult:
    array = fetched[signature.outputs[_OUTPUTS].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid_argument(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {_shape(array)}"
        )
    if len(array) != count:
        raise invalid_argument(
            f"Input batch size did not match output batch size: {count} vs. {len(array)}"
        )
    dtype = tf.as_dtype(array.dtype)
    if dtype != tf.float32:
        raise invalid_argument(f"Expected output Tensor of DT_FLOAT.  Got: {_enum_name(dtype)}")
    result = regression_pb2.RegressionResult()
    for value in array.ravel().tolist():
        result.regressions.add(value=value)
    return result


def _column(
    signature: meta_graph_pb2.SignatureDef, key: str, fetched: Mapping[str, np.ndarray]
) -> np.ndarray | None:
    return fetched[signature.outputs[key].name] if key in signature.outputs else None


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"


def _enum_name(dtype: tf.DType) -> str:
    return "DT_" + {"float32": "FLOAT", "float64": "DOUBLE"}.get(dtype.name, dtype.name.upper())


# What each method of a MultiInference task checks (and fetches), reads, and answers in.
_METHODS: dict[str, tuple[Callable, Callable, str]] = {
    _CLASSIFY: (_check_classification, _classification, "classification_result"),
    _REGRESS: (_check_regression, _regression, "regression_result"),
}
