"""TensorFlow Serving's gRPC services over the served model."""

import contextlib
from collections.abc import Iterator
from typing import NoReturn

import grpc
from google.protobuf import message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving import tensors
from serving.errors import ServingError, invalid_argument, unimplemented
from serving.model_manager import ModelManager
from serving.servable import DEFAULT_SIGNATURE, Servable

_MAX_ERROR_LENGTH = 1024  # TensorFlow Serving cuts there: metadata has a size limit


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other methods answer UNIMPLEMENTED with a sentence."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature on the request's tensors."""
        with _errors_to(context):
            servable = _servable(self._manager, request)
            name = request.model_spec.signature_name or DEFAULT_SIGNATURE
            inputs = {
                alias: tensors.from_proto(alias, proto) for alias, proto in request.inputs.items()
            }
            outputs = servable.predict(name, inputs, request.output_filter)
            response = predict_pb2.PredictResponse(
                model_spec=_model_spec(servable, signature_name=name)
            )
            for alias, array in outputs.items():
                response.outputs[alias].CopyFrom(tensors.to_proto(array))
            return response

    def GetModelMetadata(
        self,
        request: get_model_metadata_pb2.GetModelMetadataRequest,
        context: grpc.ServicerContext,
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """The signatures of a version."""
        with _errors_to(context):
            return model_metadata(self._manager, request)

    def Classify(self, request: message.Message, context: grpc.ServicerContext) -> NoReturn:
        """Not built yet."""
        with _errors_to(context):
            raise unimplemented("Classify")

    def Regress(self, request: message.Message, context: grpc.ServicerContext) -> NoReturn:
        """Not built yet."""
        with _errors_to(context):
            raise unimplemented("Regress")

    def MultiInference(self, request: message.Message, context: grpc.ServicerContext) -> NoReturn:
        """Not built yet."""
        with _errors_to(context):
            raise unimplemented("MultiInference")


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; HandleReloadConfigRequest answers UNIMPLEMENTED with a sentence."""

    def __init__(self, manager: ModelManager):
        self._manager = manager

    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The state of one or all versions."""
        with _errors_to(context):
            return model_status(self._manager, request)

    def HandleReloadConfigRequest(
        self, request: message.Message, context: grpc.ServicerContext
    ) -> NoReturn:
        """Not built yet."""
        with _errors_to(context):
            raise unimplemented("HandleReloadConfigRequest")


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
    servable = _servable(manager, request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in servable.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_model_spec(servable))
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


@contextlib.contextmanager
def _errors_to(context: grpc.ServicerContext) -> Iterator[None]:
    try:
        yield
    except ServingError as error:
        text = error.message
        if len(text) > _MAX_ERROR_LENGTH:
            text = text[:_MAX_ERROR_LENGTH] + "...TRUNCATED"
        context.abort(error.code, text)


def _servable(
    manager: ModelManager,
    request: predict_pb2.PredictRequest | get_model_metadata_pb2.GetModelMetadataRequest,
) -> Servable:
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    return manager.servable(
        spec.name,
        version=spec.version.value if spec.HasField("version") else None,
        label=spec.version_label if spec.HasField("version_label") else None,
    )


def _model_spec(servable: Servable, signature_name: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=servable.name, signature_name=signature_name)
    spec.version.value = servable.version
    return spec
