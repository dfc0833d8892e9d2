"""How a model server is reached: any signature, over gRPC or REST."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import grpc
import httpx
import numpy as np

from serving.retries import Deadline

# "Not processed, ask again": a server that starts, stops, is out of reach, or has its hands full.
_GRPC_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_HTTP_AGAIN = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)

Inputs = Mapping[str, Sequence[str | bytes] | np.ndarray]


class ClientError(RuntimeError):
    """The server could not be reached, refused the request, or answered something else."""


class Transport(Protocol):
    """One way to ask a signature."""

    def ask(self, signature_name: str, inputs: Inputs) -> dict[str, np.ndarray]:
        """Sends a batch.

        Args:
            signature_name: the signature to run.
            inputs: for each input, n strings or bytes, or numbers as an array of the input's type.

        Returns:
            Outputs by name, first dimension n; strings as str. Outputs are text: their names do
            not end in `_bytes`.

        Raises:
            ClientError: with the server's words, or why it could not be reached.
        """

    def close(self) -> None:
        """Ends the connection."""


class GrpcTransport:
    """Asks over gRPC.

    Args:
        target: "HOST:PORT".
        model_name: the model's name on the server.
        deadline_seconds: of one request, its retries included.
    """

    def __init__(self, target: str, model_name: str, deadline_seconds: float):
        # Imported here, and not above: they load TensorFlow, which REST does without.
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

        self._tf, self._predict_pb2 = tf, predict_pb2
        self._target, self._model_name = target, model_name
        self._deadline_seconds = deadline_seconds
        self._channel = grpc.insecure_channel(
            target,
            options=[
                ("grpc.enable_retries", 0),  # they are made here, alike for both transports
                ("grpc.max_reconnect_backoff_ms", 1000),
                ("grpc.enable_http_proxy", 0),  # as httpx with a transport of its own
                ("grpc.max_receive_message_length", -1),
            ],
        )
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def ask(self, signature_name: str, inputs: Inputs) -> dict[str, np.ndarray]:
        """See Transport.ask."""
        request = self._predict_pb2.PredictRequest()
        request.model_spec.name = self._model_name
        request.model_spec.signature_name = signature_name
        for name, values in inputs.items():
            tensor = values if isinstance(values, np.ndarray) else np.array(values, object)
            request.inputs[name].CopyFrom(self._tf.make_tensor_proto(tensor))
        response = self._predict(request)
        return {name: _decoded(self._tf.make_ndarray(t)) for name, t in response.outputs.items()}

    def _predict(self, request: Any) -> Any:
        deadline = Deadline(self._deadline_seconds)
        failure: Any = None  # a grpc.RpcError that is a grpc.Call too
        for _ in deadline.tries():
            try:
                return self._stub.Predict(request, timeout=deadline.seconds_left)
            except grpc.RpcError as error:
                # The last try ends at the deadline, which says less than the try before.
                if failure is None or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                    failure = error
                if error.code() not in _GRPC_AGAIN:
                    break
        assert failure is not None  # there is at least one try
        raise ClientError(
            f"gRPC server {self._target}: {failure.code().name}: {failure.details()}"
        ) from failure

    def close(self) -> None:
        """See Transport.close."""
        self._channel.close()


class RestTransport:
    """Asks over REST.

    Args:
        target: "HOST:PORT" or "http://HOST:PORT".
        model_name: the model's name on the server.
        deadline_seconds: of one request, its retries included.
    """

    def __init__(self, target: str, model_name: str, deadline_seconds: float):
        base = target if "://" in target else f"http://{target}"
        self._model_url = f"{base.rstrip('/')}/v1/models/{model_name}"
        self._url = f"{self._model_url}:predict"
        self._deadline_seconds = deadline_seconds
        # A transport of its own: no proxy of the environment.
        self._client = httpx.Client(transport=httpx.HTTPTransport())

    def ask(self, signature_name: str, inputs: Inputs) -> dict[str, np.ndarray]:
        """See Transport.ask."""
        body = {
            "signature_name": signature_name,
            "inputs": {name: _json_values(values) for name, values in inputs.items()},
        }
        response = self._post(body)
        document = _json_object(response)
        if response.status_code != httpx.codes.OK:
            reason = document.get("error", response.text[:500])
            raise ClientError(f"{self._url}: HTTP {response.status_code}: {reason}")
        outputs = document["outputs"]
        if not isinstance(outputs, dict):
            outputs = {self._only_output(signature_name): outputs}
        return {name: _array(values) for name, values in outputs.items()}

    def _only_output(self, signature_name: str) -> str:
        """The name of a signature's one output, which TensorFlow Serving's REST answers leave out."""
        try:
            response = self._client.get(
                f"{self._model_url}/metadata", timeout=self._deadline_seconds
            )
            signatures = response.json()["metadata"]["signature_def"]["signature_def"]
            [name] = signatures[signature_name]["outputs"]
        except (httpx.HTTPError, LookupError, TypeError, ValueError) as error:
            raise ClientError(
                f"{self._model_url}/metadata does not name the output: {error!r}"
            ) from error
        return name

    def _post(self, body: dict) -> httpx.Response:
        deadline = Deadline(self._deadline_seconds)
        outcome: httpx.Response | httpx.HTTPError | None = None
        for _ in deadline.tries():
            try:
                outcome = self._client.post(self._url, json=body, timeout=deadline.seconds_left)
            except httpx.ConnectError as error:  # nothing was sent
                outcome = error
            except httpx.HTTPError as error:
                outcome = outcome or error
                break
            else:
                if outcome.status_code not in _HTTP_AGAIN:
                    break
        if isinstance(outcome, httpx.Response):
            return outcome
        assert outcome is not None  # there is at least one try
        raise ClientError(f"{self._url}: {type(outcome).__name__}: {outcome}") from outcome

    def close(self) -> None:
        """See Transport.close."""
        self._client.close()


def _decoded(array: np.ndarray) -> np.ndarray:
    if array.dtype != object:
        return array
    texts = [value.decode("utf-8") for value in array.ravel()]
    return np.array(texts, dtype=object).reshape(array.shape)


def _array(values: list) -> np.ndarray:
    array = np.array(values)
    # NumPy's own strings lose NUL characters at their end.
    return np.array(values, object) if array.dtype.kind == "U" else array


def _json_values(values: Sequence[str | bytes] | np.ndarray) -> list:
    if isinstance(values, np.ndarray):
        return values.tolist()
    return [_json_value(value) for value in values]


def _json_value(value: str | bytes) -> object:
    if isinstance(value, str):
        return value
    return {"b64": base64.b64encode(value).decode("ascii")}


def _json_object(response: httpx.Response) -> dict:
    try:
        document = response.json()
    except ValueError:
        document = None
    return document if isinstance(document, dict) else {}
