"""What a server needs beside a SavedModel, made with it: files of its `assets.extra/`."""

import os
from collections.abc import Sequence

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2
from tfx.dsl.io import fileio

from components.artifact_file import write_artifact_file
from components.manifest import EXTRA_FOLDER
from components.trainer.warm_up import MAX_BATCH_ROWS

WARM_UP_FILE = "tf_serving_warmup_requests"  # TensorFlow Serving's name
BATCHING_FILE = "batching_parameters.txt"
MONITORING_FILE = "monitoring.config"
LABELS_FILE = "labels.txt"

_WAITING_ROWS = 1024  # as many requests as the development server lets wait, each of one text

_BATCHING = f"""\
# For --enable_batching=true --batching_parameters_file=THIS_FILE. docs/serving.md tells the rule.
# num_batch_threads is left out: a server then takes as many as its machine has cores.
max_batch_size {{ value: {MAX_BATCH_ROWS} }}
batch_timeout_micros {{ value: 0 }}
max_enqueued_batches {{ value: {_WAITING_ROWS // MAX_BATCH_ROWS} }}
"""
_MONITORING = """\
# For --monitoring_config_file=THIS_FILE, with --rest_api_port.
prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""


def write_serving_files(
    model: str, requests: Sequence[prediction_log_pb2.PredictionLog], labels: Sequence[str] = ()
) -> None:
    """Writes warm-up requests, batching parameters, monitoring configuration and labels.

    Args:
        model: folder of a SavedModel.
        requests: what a server asks before it puts the model in service.
        labels: class names by id, for `labels.txt`, one a line; without any there is no such file.
    """
    folder = os.path.join(model, EXTRA_FOLDER)
    fileio.makedirs(folder)
    _write_records(os.path.join(folder, WARM_UP_FILE), requests)
    write_artifact_file(os.path.join(folder, BATCHING_FILE), _BATCHING)
    write_artifact_file(os.path.join(folder, MONITORING_FILE), _MONITORING)
    if labels:
        text = "".join(
            f"{label}\n" for label in labels
        )  # Transform takes no class with a line break
        write_artifact_file(os.path.join(folder, LABELS_FILE), text)


def _write_records(path: str, requests: Sequence[prediction_log_pb2.PredictionLog]) -> None:
    part = f"{path}.part"
    with tf.io.TFRecordWriter(part) as writer:
        for request in requests:
            writer.write(request.SerializeToString())
    fileio.rename(part, path, overwrite=True)
