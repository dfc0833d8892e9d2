"""Warm-up: requests that the model brings along are answered before it is put in service.

`assets.extra/tf_serving_warmup_requests` is a TFRecord file of PredictionLogs
(tensorflow.org/tfx/serving/saved_model_warmup).
"""

import time
from collections.abc import Callable
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf import message
from tensorflow_serving.apis import prediction_log_pb2

from serving.calls import Call, PredictRequestCall
from serving.errors import ServingError, invalid_argument
from serving.example_calls import ClassifyCall, MultiInferenceCall, RegressCall
from serving.metrics import Metrics
from serving.servable import Servable

WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"
_MAX_RECORDS = 1000

_CALLS: dict[str, Callable[[Servable, Any], Call]] = {
    "predict_log": PredictRequestCall,
    "classify_log": ClassifyCall,
    "regress_log": RegressCall,
    "multi_inference_log": MultiInferenceCall,
}


def warm_up(servable: Servable, metrics: Metrics) -> int:
    """Answers the version's warm-up requests.

    Returns:
        How many there were; 0 without the file.

    Raises:
        ServingError: for a damaged file (DATA_LOSS), a record that is no request, or a request
            that the model does not answer. The version is then not fit to be served.
    """
    path = servable.path / WARMUP_FILE
    if not path.is_file():
        return 0
    start = time.monotonic()
    count = 0
    try:
        for record in tf.data.TFRecordDataset([str(path)]):
            if count == _MAX_RECORDS:
                raise invalid_argument(
                    f"Number of warmup records exceeds the maximum ({_MAX_RECORDS}) at {path}"
                )
            _answer(_call(servable, record.numpy(), str(path)))
            count += 1
    except tf.errors.DataLossError as error:
        raise ServingError(
            grpc.StatusCode.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from error
    metrics.warmed_up(str(servable.path), "OK", time.monotonic() - start)
    return count


def _call(servable: Servable, record: bytes, path: str) -> Call:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except message.DecodeError as error:
        raise invalid_argument(f"Failed to parse warmup record: {error} from {path}") from error
    kind = log.WhichOneof("log_type")
    if kind not in _CALLS:
        raise ServingError(
            grpc.StatusCode.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind} in {path}"
        )
    return _CALLS[kind](servable, getattr(log, kind).request)


def _answer(call: Call) -> None:
    call.respond(call.servable.run(call.feeds, call.fetches))
