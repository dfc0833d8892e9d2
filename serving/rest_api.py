"""TensorFlow Serving's REST API over the served models."""

import asyncio
import dataclasses
import inspect
import json
import logging
import re
import time
import urllib.parse
import zlib
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
from google.protobuf import json_format, message
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    regression_pb2,
)

from serving import grpc_services, json_decode, json_encode, json_examples
from serving.calls import Call, PredictCall
from serving.errors import ServingError, invalid_argument, resource_exhausted
from serving.example_calls import ClassifyCall, RegressCall
from serving.metrics import Metrics
from serving.model_manager import ModelManager
from serving.runner import Runner
from serving.servable import DEFAULT_SIGNATURE, Servable

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

# The grammar of TensorFlow Serving's http_rest_api_util.cc: whole path, any case, still escaped.
_MODEL = r"/v1/models/(?P<name>[^/:]+)"
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST_PATH = re.compile(
    rf"{_MODEL}{_VERSION}:(?P<verb>classify|regress|predict)", re.IGNORECASE | re.ASCII
)
_GET_PATH = re.compile(
    rf"(?:/v1/models|{_MODEL}){_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE | re.ASCII
)

_MAX_VERSION = 2**63 - 1
_LARGE_BODY = 256 * 1024  # bytes; parsed in a thread, so that other requests need not wait


@dataclasses.dataclass(frozen=True)
class _ExampleMethod:
    """A method on tf.Examples: its request, its call, and its result as JSON."""

    request: type[message.Message]
    call: Callable[[Servable, Any], Call]
    encode: Callable[[Any], bytes]


_EXAMPLE_METHODS = {  # by verb
    "classify": _ExampleMethod(
        classification_pb2.ClassificationRequest,
        ClassifyCall,
        json_examples.from_classifications,
    ),
    "regress": _ExampleMethod(
        regression_pb2.RegressionRequest, RegressCall, json_examples.from_regressions
    ),
}


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may take.

    Attributes:
        max_bytes: of its body, also when that is unpacked.
        seconds: until it is given up.
    """

    max_bytes: int
    seconds: float


def create_app(
    manager: ModelManager,
    runner: Runner,
    metrics: Metrics,
    limits: Limits,
    metrics_path: str | None = None,
) -> Starlette:
    """The ASGI application.

    Args:
        manager: the models.
        runner: runs them.
        metrics: counts requests.
        limits: of a request.
        metrics_path: where Prometheus finds the metrics; None exports none.
    """

    async def metrics_page(request: Request) -> Response:
        return Response(metrics.page(), media_type="text/plain")

    exported = [Route(metrics_path, metrics_page, methods=["GET"])] if metrics_path else []
    return Starlette(routes=[*exported, Mount("/", _RestApi(manager, runner, metrics, limits))])


@dataclasses.dataclass(frozen=True)
class _Target:
    """Which model, and which version of it, a path names."""

    name: str
    version: int | None
    label: str | None

    @classmethod
    def from_match(cls, match: re.Match) -> "_Target":
        version = int(match["version"]) if match["version"] else None
        if version is not None and version > _MAX_VERSION:
            raise invalid_argument(f"Failed to convert version: {version} to numeric.")
        label = urllib.parse.unquote(match["label"]) if match["label"] else None
        return cls(urllib.parse.unquote(match["name"] or ""), version, label)

    def spec(self) -> model_pb2.ModelSpec:
        spec = model_pb2.ModelSpec(name=self.name)
        if self.version is not None:
            spec.version.value = self.version
        elif self.label is not None:
            spec.version_label = self.label
        return spec


class _RestApi:
    """An ASGI application that answers every method and path, in TensorFlow Serving's words."""

    def __init__(self, manager: ModelManager, runner: Runner, metrics: Metrics, limits: Limits):
        self._manager = manager
        self._runner = runner
        self._metrics = metrics
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a WebSocket: nothing here speaks it
            await send({"type": "websocket.close", "code": 1000})
            return
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        start = time.monotonic()
        method, path = request.method, request.scope["raw_path"].decode("latin-1")
        if not path.lower().startswith("/v1/"):  # TensorFlow Serving has no words for this
            return _error_response(404, f"No API at {path}; try /v1/models/NAME")
        model = verb = ""
        code = "OK"
        try:
            match = _match(method, path)
            model, verb = match["name"] or "", match.groupdict().get("verb") or ""
            body = await self._dispatch(match, request, start + self._limits.seconds)
            response = _json_response(200, body)
            self._metrics.answered(model, verb.lower(), "REST", time.monotonic() - start)
        except ServingError as error:
            code, response = error.code.name, _error_response(error.http_status, error.message)
        except RecursionError:
            code = "INVALID_ARGUMENT"
            response = _error_response(400, "JSON Parse error: nested too deeply")
        except ClientDisconnect:
            raise
        except Exception as error:  # a bug: the client is told, the server goes on
            _log.exception("A request failed")
            code, response = "INTERNAL", _error_response(500, f"{type(error).__name__}: {error}")
        self._metrics.request(model if self._manager.has(model) else "", code)
        return response

    async def _dispatch(self, match: re.Match, request: Request, deadline: float) -> bytes:
        target = _Target.from_match(match)
        if request.method == "POST":
            body = await self._body(request)
            document = await _off_loop_if_large(len(body), json_decode.parse_json, body)
            if method := _EXAMPLE_METHODS.get(match["verb"].lower()):
                return await self._on_examples(method, target, document, len(body), deadline)
            return await self._predict(target, document, len(body), deadline)
        if not target.name:
            raise invalid_argument("Missing model name in request.")
        return self._metadata(target) if match["metadata"] else self._status(target)

    async def _predict(self, target: _Target, document: dict, size: int, deadline: float) -> bytes:
        name = json_decode.signature_name(document)
        servable = self._servable(target)
        inputs = await _off_loop_if_large(size, _inputs, servable, name, document)
        outputs = await self._runner.run(PredictCall(servable, name, inputs), deadline)
        in_rows = "instances" in document
        encode = json_encode.to_predictions if in_rows else json_encode.to_outputs
        return await _off_loop_if_large(sum(a.size for a in outputs.values()), encode, outputs)

    async def _on_examples(
        self, method: _ExampleMethod, target: _Target, document: dict, size: int, deadline: float
    ) -> bytes:
        request = method.request(model_spec=target.spec())
        request.model_spec.signature_name = json_decode.signature_name(document)
        request.input.CopyFrom(await _off_loop_if_large(size, json_examples.to_input, document))
        response = await self._runner.run(method.call(self._servable(target), request), deadline)
        return method.encode(response.result)

    def _status(self, target: _Target) -> bytes:
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=target.spec())
        return _dumps(_as_dict(grpc_services.model_status(self._manager, request)))

    def _metadata(self, target: _Target) -> bytes:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=target.spec(), metadata_field=["signature_def"]
        )
        response = grpc_services.model_metadata(self._manager, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        # Written out by hand, as TensorFlow Serving does: JSON of an Any would carry its type.
        return _dumps(
            {
                "model_spec": _as_dict(response.model_spec),
                "metadata": {"signature_def": _as_dict(signatures)},
            }
        )

    def _servable(self, target: _Target) -> Servable:
        return self._manager.servable(target.name, target.version, target.label)

    async def _body(self, request: Request) -> bytes:
        """The request's body, unpacked if it says that it is gzipped."""
        limit = self._limits.max_bytes
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
        body = b"".join(chunks)
        if "gzip" in request.headers.get("content-encoding", ""):
            return await _off_loop_if_large(len(body), _gunzip, body, limit)
        return body


def _match(method: str, path: str) -> re.Match:
    pattern = {"POST": _POST_PATH, "GET": _GET_PATH}.get(method)
    match = pattern.fullmatch(path) if pattern else None
    if match is None:
        raise invalid_argument(f"Malformed request: {method} {path}")
    return match


def _inputs(servable: Servable, name: str, document: dict) -> dict:
    """The arrays of a :predict request, by input."""
    signature = servable.signature_defs.get(name or DEFAULT_SIGNATURE)
    if signature is None:
        raise invalid_argument(
            f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def'
        )
    if not signature.inputs:
        raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
    dtypes = {alias: tf.as_dtype(info.dtype) for alias, info in signature.inputs.items()}
    if json_decode.is_row_format(document):
        return json_decode.from_instances(document["instances"], dtypes)
    return json_decode.from_inputs(document["inputs"], dtypes)


def _gunzip(body: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)  # 16: gzip's header, not zlib's
    try:
        unpacked = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise invalid_argument(f"Failed to uncompress the gzipped body: {error}") from error
    if len(unpacked) > limit:
        raise _too_large(limit)
    if not unpacker.eof:
        raise invalid_argument("Failed to uncompress the gzipped body: it ends too early")
    return unpacked


def _too_large(limit: int) -> ServingError:
    return resource_exhausted(
        f"The request's body is larger than {limit} bytes (--max_request_bytes)"
    )


async def _off_loop_if_large(size: int, function: Callable[..., _T], *arguments: Any) -> _T:
    if size < _LARGE_BODY:
        return function(*arguments)
    return await asyncio.to_thread(function, *arguments)


# protobuf 5.26 renamed the option that writes fields at their default value.
_WITH_DEFAULTS = (
    "always_print_fields_with_no_presence"
    if "always_print_fields_with_no_presence"
    in inspect.signature(json_format.MessageToDict).parameters
    else "including_default_value_fields"
)


def _as_dict(proto: message.Message) -> dict:
    return json_format.MessageToDict(
        proto, preserving_proto_field_name=True, **{_WITH_DEFAULTS: True}
    )


def _dumps(document: dict) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False).encode("utf-8", "replace")


def _json_response(status: int, body: bytes) -> Response:
    return Response(body, status_code=status, media_type="application/json")


def _error_response(status: int, text: str) -> Response:
    return _json_response(status, _dumps({"error": text}))
