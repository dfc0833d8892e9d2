"""What the APIs ask of a graph: which tensors are fed and fetched, and the answer made of them.

A call is made of a request (which checks it), run by whoever has a way to run it (`runner.py`,
`warmup.py`), and then turns the fetched tensors into the response. This one is Predict; the calls
on tf.Examples are in `example_calls.py`. The checks, their order and their words are TensorFlow
Serving's (predict_util.cc).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving import tensors
from serving.errors import ServingError, invalid_argument
from serving.servable import DEFAULT_SIGNATURE, Servable


class Call(Protocol):
    """One run of a graph for one request.

    Attributes:
        api: the metric's name of the method.
        servable: whose graph it is.
        feeds: value by tensor name.
        fetches: names of the tensors to fetch.
    """

    api: str
    servable: Servable
    feeds: dict[str, np.ndarray]
    fetches: list[str]

    def respond(self, fetched: Sequence[np.ndarray]) -> Any:
        """The response, of the tensors in the order of `fetches`.

        Raises:
            ServingError: if the tensors are not what the method promises.
        """


class PredictCall:
    """Predict; `respond` gives the outputs by name.

    Args:
        servable: the version to ask.
        signature_name: "" means `serving_default`.
        inputs: an array for every input of the signature.
        output_filter: names of the outputs wanted; none means all.

    Raises:
        ServingError: FAILED_PRECONDITION for an unknown signature, INVALID_ARGUMENT for inputs or
            outputs that do not fit it.
    """

    api = "Predict"

    def __init__(
        self,
        servable: Servable,
        signature_name: str,
        inputs: Mapping[str, np.ndarray],
        output_filter: Sequence[str] = (),
    ):
        name = signature_name or DEFAULT_SIGNATURE
        signature = servable.signature_defs.get(name)
        if signature is None:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.'
            )
        _check_inputs(signature, inputs)
        self._aliases = _wanted_outputs(signature, output_filter)
        self.servable = servable
        self.feeds = {signature.inputs[alias].name: value for alias, value in inputs.items()}
        self.fetches = [signature.outputs[alias].name for alias in self._aliases]

    def respond(self, fetched: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Outputs by name; strings as object arrays of bytes."""
        return dict(zip(self._aliases, fetched, strict=True))


class PredictRequestCall(PredictCall):
    """Predict for a PredictRequest; `respond` gives a PredictResponse."""

    def __init__(self, servable: Servable, request: predict_pb2.PredictRequest):
        inputs = {
            alias: tensors.from_proto(alias, proto) for alias, proto in request.inputs.items()
        }
        super().__init__(servable, request.model_spec.signature_name, inputs, request.output_filter)
        self._model_spec = model_spec(servable, request.model_spec.signature_name)

    def respond(self, fetched: Sequence[np.ndarray]) -> predict_pb2.PredictResponse:
        """The response message."""
        response = predict_pb2.PredictResponse(model_spec=self._model_spec)
        for alias, array in super().respond(fetched).items():
            response.outputs[alias].CopyFrom(tensors.to_proto(array))
        return response


def model_spec(servable: Servable, signature_name: str) -> model_pb2.ModelSpec:
    """Which version answered, for the response; "" as signature means `serving_default`."""
    spec = model_pb2.ModelSpec(
        name=servable.name, signature_name=signature_name or DEFAULT_SIGNATURE
    )
    spec.version.value = servable.version
    return spec


def _check_inputs(signature: meta_graph_pb2.SignatureDef, inputs: Mapping[str, np.ndarray]) -> None:
    sent, expected = set(inputs), set(signature.inputs)
    if len(sent) != len(expected):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(expected)} "
            f"len({_braced(sent)}) != len({_braced(expected)}). "
            f"Sent extra: {_braced(sent - expected)}. "
            f"Missing but required: {_braced(expected - sent)}."
        )
    for position, (alias, info) in enumerate(sorted(signature.inputs.items())):
        if alias not in inputs:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {info.name}) not found in request and "
                "no default value provided. Inputs expected to be in the request "
                f"{_braced(sent)}, or default input alias set: "
            )
        expected_type, sent_type = tf.as_dtype(info.dtype), tf.as_dtype(inputs[alias].dtype)
        if sent_type != expected_type:
            raise invalid_argument(
                f"Expects arg[{position}] to be {expected_type.name} "
                f"but {sent_type.name} is provided"
            )


def _wanted_outputs(
    signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]
) -> list[str]:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(output_filter) or sorted(signature.outputs)


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
