"""TensorFlow Serving's REST API over the served model."""

import dataclasses
import inspect
import json
import re
import urllib.parse

import grpc
import tensorflow as tf
from google.protobuf import json_format, message
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_pb2

from serving import grpc_services, json_decode, json_encode
from serving.errors import ServingError, invalid_argument, unimplemented
from serving.model_manager import ModelManager
from serving.servable import DEFAULT_SIGNATURE

# The grammar of TensorFlow Serving's http_rest_api_util.cc: whole path, any case, still escaped.
_MODEL = r"/v1/models/(?P<name>[^/:]+)"
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST_PATH = re.compile(rf"{_MODEL}{_VERSION}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
_GET_PATH = re.compile(rf"(?:/v1/models|{_MODEL}){_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)

_MAX_VERSION = 2**63 - 1


def create_app(manager: ModelManager) -> Starlette:
    """The ASGI application; every path is answered here, in TensorFlow Serving's words."""
    api = _RestApi(manager)

    async def answer(request: Request) -> Response:
        body = await request.body()
        # A thread: TensorFlow must not hold up the event loop.
        return await run_in_threadpool(
            api.answer, request.method, request.scope["raw_path"].decode("latin-1"), body
        )

    async def internal_error(request: Request, error: Exception) -> Response:
        return _error_response(500, f"{type(error).__name__}: {error}")

    methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[Route("/{path:path}", answer, methods=methods)],
        exception_handlers={Exception: internal_error},
    )


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
    def __init__(self, manager: ModelManager):
        self._manager = manager

    def answer(self, method: str, path: str, body: bytes) -> Response:
        try:
            return _json_response(200, self._dispatch(method, path, body))
        except ServingError as error:
            return _error_response(error.http_status, error.message)

    def _dispatch(self, method: str, path: str, body: bytes) -> bytes:
        if method == "POST" and (match := _POST_PATH.fullmatch(path)):
            target, verb = _Target.from_match(match), match["verb"].lower()
            if verb != "predict":
                raise unimplemented(f"REST method :{verb}")
            return self._predict(target, body)
        if method == "GET" and (match := _GET_PATH.fullmatch(path)):
            target = _Target.from_match(match)
            if not target.name:
                raise invalid_argument("Missing model name in request.")
            return self._metadata(target) if match["metadata"] else self._status(target)
        if not path.lower().startswith("/v1/"):
            raise ServingError(grpc.StatusCode.NOT_FOUND, f"No API at {path}; try /v1/models/NAME")
        raise invalid_argument(f"Malformed request: {method} {path}")

    def _predict(self, target: _Target, body: bytes) -> bytes:
        try:
            return self._predict_document(target, json_decode.parse_json(body))
        except RecursionError as error:
            raise invalid_argument("JSON Parse error: nested too deeply") from error

    def _predict_document(self, target: _Target, document: dict) -> bytes:
        name = json_decode.signature_name(document)
        servable = self._manager.servable(target.name, target.version, target.label)
        signature = servable.signature_def(name)
        if signature is None:
            raise invalid_argument(
                f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def'
            )
        if not signature.inputs:
            raise invalid_argument(f"Failed to get input map for signature: {name or 'DEFAULT'}")
        dtypes = {alias: tf.as_dtype(info.dtype) for alias, info in signature.inputs.items()}
        if json_decode.is_row_format(document):
            inputs = json_decode.from_instances(document["instances"], dtypes)
            return json_encode.to_predictions(servable.predict(name, inputs))
        inputs = json_decode.from_inputs(document["inputs"], dtypes)
        return json_encode.to_outputs(servable.predict(name, inputs))

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
