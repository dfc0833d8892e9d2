"""TensorFlow Serving's gRPC services over the served models."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf import message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving import model_config
from serving.calls import Call, PredictRequestCall
from serving.errors import ServingError, invalid_argument
from serving.example_calls import ClassifyCall, MultiInferenceCall, RegressCall
from serving.metrics import Metrics
from serving.model_manager import ModelManager
from serving.runner import Runner
from serving.servable import Servable

_log = logging.getLogger(__name__)

_MAX_ERROR_LENGTH = 1024  # TensorFlow Serving cuts there: metadata has a size limit


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata."""

    def __init__(self, manager: ModelManager, runner: Runner, metrics: Metrics):
        self._manager = manager
        self._runner = runner
        self._metrics = metrics

    async def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.aio.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature on the request's tensors."""
        return await self._counted(PredictRequestCall, request, context)

    async def Classify(
        self, request: classification_pb2.ClassificationRequest, context: grpc.aio.ServicerContext
    ) -> classification_pb2.ClassificationResponse:
        """Classes and scores of tf.Examples."""
        return await self._counted(ClassifyCall, request, context)

    async def Regress(
        self, request: regression_pb2.RegressionRequest, context: grpc.aio.ServicerContext
    ) -> regression_pb2.RegressionResponse:
        """A number for each tf.Example."""
        return await self._counted(RegressCall, request, context)

    async def MultiInference(
        self, request: inference_pb2.MultiInferenceRequest, context: grpc.aio.ServicerContext
    ) -> inference_pb2.MultiInferenceResponse:
        """Several heads of a model on the same tf.Examples."""

        async def answer() -> inference_pb2.MultiInferenceResponse:
            spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
            call = MultiInferenceCall(find_servable(self._manager, spec), request)
            self._metrics.examples(spec.name, call.num_examples)
            return await self._runner.run(call, _deadline(context))

        return await _answered(answer, context)

    async def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.aio.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""

        async def answer() -> get_model_metadata_pb2.GetModelMetadataResponse:
            return model_metadata(self._manager, request)

        return await _answered(answer, context)

    async def _counted(
        self, make: Callable[[Servable, Any], Call], request: Any, context: grpc.aio.ServicerContext
    ) -> Any:
        """Makes the request's call and runs it; requests and their time are counted."""
        start = time.monotonic()
        model = request.model_spec.name

        async def answer() -> message.Message:
            call = make(requested_servable(self._manager, request), request)
            response = await self._runner.run(call, _deadline(context))
            self._metrics.answered(model, call.api, "GRPC", time.monotonic() - start)
            return response

        def count(code: str) -> None:
            self._metrics.request(model if self._manager.has(model) else "", code)

        return await _answered(answer, context, count)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    async def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.aio.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The state of one or all versions."""

        async def answer() -> get_model_status_pb2.GetModelStatusResponse:
            return model_status(self._manager, request)

        return await _answered(answer, context)

    async def HandleReloadConfigRequest(
        self, request: model_management_pb2.ReloadConfigRequest, context: grpc.aio.ServicerContext
    ) -> model_management_pb2.ReloadConfigResponse:
        """Serves other models, versions or labels from now on."""

        async def answer() -> model_management_pb2.ReloadConfigResponse:
            if request.config.WhichOneof("config") != "model_config_list":
                raise invalid_argument(
                    "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                    "Only ModelConfigList is currently supported"
                )
            models = model_config.from_proto(request.config)
            # A thread: models are loaded there.
            await asyncio.to_thread(self._manager.reload, models)
            response = model_management_pb2.ReloadConfigResponse()
            response.status.SetInParent()
            return response

        return await _answered(answer, context)


def model_metadata(
    manager: ModelManager, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The signatures of a version, as REST and gRPC both answer them.

    Raises:
        ServingError: NOT_FOUND, or INVALID_ARGUMENT for a field other than `signature_def`.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != "signature_def":
            raise invalid_argument(f"Metadata field {field} is not supported")
    servable = requested_servable(manager, request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    response.metadata["signature_def"].Pack(signatures)
    return response


def model_status(
    manager: ModelManager, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """The state of one or all versions, as REST and gRPC both answer it.

    Raises:
        ServingError: NOT_FOUND for a model or version never seen.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in manager.statuses(spec.name, version):
        entry = response.model_version_status.add(version=status.version, state=status.state)
        entry.status.SetInParent()
        if status.error:
            entry.status.error_code = status.error.code.value[0]
            entry.status.error_message = status.error.message
    return response


def requested_servable(manager: ModelManager, request: Any) -> Servable:
    """The version that a request's `model_spec` names.

    Raises:
        ServingError: INVALID_ARGUMENT without `model_spec`, else see ModelManager.servable.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return find_servable(manager, request.model_spec)


def find_servable(manager: ModelManager, spec: model_pb2.ModelSpec) -> Servable:
    """The version that a ModelSpec names; raises as ModelManager.servable."""
    return manager.servable(
        spec.name,
        version=spec.version.value if spec.HasField("version") else None,
        label=spec.version_label if spec.HasField("version_label") else None,
    )


def _deadline(context: grpc.aio.ServicerContext) -> float | None:
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


async def _answered(
    answer: Callable[[], Awaitable[Any]],
    context: grpc.aio.ServicerContext,
    count: Callable[[str], None] = lambda code: None,
) -> Any:
    """The answer, or the call's end with the error's code and words."""
    try:
        response = await answer()
    except ServingError as error:
        code, text = error.code, error.message
    except Exception as error:  # a bug: the client is told, the server goes on
        _log.exception("A request failed")
        code, text = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"
    else:
        count("OK")
        return response
    count(code.name)
    if len(text) > _MAX_ERROR_LENGTH:
        text = text[:_MAX_ERROR_LENGTH] + "...TRUNCATED"
    # What a Python string can hold and a header can't must not end the call without a word.
    await context.abort(code, text.encode("utf-8", "replace").decode("utf-8"))
    return None
