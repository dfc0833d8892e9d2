"""Every way to ask an exported classifier; each gives its answers in the order of the texts."""

import base64
import contextlib
import itertools
import json
import pickle
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import grpc
import httpx
import numpy as np
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.extractors import predictions_extractor
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    predict_pb2,
    prediction_log_pb2,
    prediction_service_pb2_grpc,
)
from tfx.components.bulk_inferrer import executor as bulk_inferrer
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import bulk_inferrer_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils
from tfx_bsl.public import tfxio

from components.evaluator.eval_config import build_eval_config
from serving.flags import ServerFlags
from serving.process import free_port
from serving.server import serving

NAME = "model"


def examples_of(texts: Sequence[str], label: str) -> list[bytes]:
    """Serialized, with the text's number as key."""
    examples = []
    for number, text in enumerate(texts):
        example = tf.train.Example()
        for name, value in {"key": f"{number:06}", "text": text, "label": label}.items():
            example.features.feature[name].bytes_list.value.append(value.encode())
        examples.append(example.SerializeToString())
    return examples


def _number(example: bytes) -> int:
    features = tf.train.Example.FromString(example).features.feature
    return int(features["key"].bytes_list.value[0])


class Server:
    """A development server of one model, asked in requests of 1, 2, 4, … 64 rows and again from 1."""

    def __init__(self, grpc_target: str, rest: str):
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(
            grpc.insecure_channel(grpc_target)
        )
        self._url = f"{rest}/v1/models/{NAME}"

    def grpc_predict(self, signature: str, argument: str, rows: Sequence) -> dict[str, np.ndarray]:
        answers = []
        for part in _requests(rows):
            request = predict_pb2.PredictRequest()
            request.model_spec.name, request.model_spec.signature_name = NAME, signature
            request.inputs[argument].CopyFrom(tf.make_tensor_proto(part, tf.string))
            outputs = self._stub.Predict(request, timeout=60).outputs
            answers.append({name: tf.make_ndarray(proto) for name, proto in outputs.items()})
        return _joined(answers)

    def rest_predict(self, signature: str, argument: str, rows: Sequence) -> list:
        """In row form: one JSON value for each row."""
        instances = [
            {argument: row if isinstance(row, str) else {"b64": _base64(row)}} for row in rows
        ]
        bodies = [{"signature_name": signature, "instances": part} for part in _requests(instances)]
        return [row for body in bodies for row in self._post("predict", body)["predictions"]]

    def grpc_classify(self, examples: Sequence[bytes]) -> list[dict[str, float]]:
        """Scores by class."""
        results = []
        for part in _requests(examples):
            request = classification_pb2.ClassificationRequest(input=_input(part))
            request.model_spec.name, request.model_spec.signature_name = NAME, "classify"
            results.append(self._stub.Classify(request, timeout=60).result)
        return [_scores(row) for result in results for row in result.classifications]

    def multi_inference(self, examples: Sequence[bytes]) -> list[dict[str, float]]:
        results = []
        for part in _requests(examples):
            request = inference_pb2.MultiInferenceRequest(input=_input(part))
            task = request.tasks.add(method_name="tensorflow/serving/classify")
            task.model_spec.name, task.model_spec.signature_name = NAME, "classify"
            [result] = self._stub.MultiInference(request, timeout=60).results
            results.append(result.classification_result)
        return [_scores(row) for result in results for row in result.classifications]

    def rest_classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        bodies = [
            {"signature_name": "classify", "examples": [{"text": text} for text in part]}
            for part in _requests(texts)
        ]
        return [dict(row) for body in bodies for row in self._post("classify", body)["results"]]

    def _post(self, verb: str, body: dict) -> dict:
        answer = httpx.post(f"{self._url}:{verb}", content=json.dumps(body), timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextlib.contextmanager
def served(model: Path) -> Iterator[Server]:
    """The development server, in this process.

    Args:
        model: a version's folder.
    """
    port = free_port()
    flags = ServerFlags(
        model_base_path=str(model.parent), model_name=NAME, port=0, rest_api_port=port
    )
    with serving(flags, threading.Event()) as frontend:
        yield Server(f"127.0.0.1:{frontend.grpc_port}", f"http://127.0.0.1:{port}")


def saved_model(model: Path, signature: str, argument: str, rows: Sequence) -> dict[str, Any]:
    """As TensorFlow 2 loads it."""
    function = tf.saved_model.load(str(model)).signatures[signature]
    answers = [function(**{argument: tf.constant(part, tf.string)}) for part in _requests(rows)]
    return _joined([{name: value.numpy() for name, value in one.items()} for one in answers])


def bulk_inferred(
    model_uri: str, signature: str, examples: Sequence[bytes], folder: Path
) -> list[dict[str, np.ndarray]]:
    """TFX's BulkInferrer, its executor run on Beam.

    Args:
        model_uri: of a Model artifact.
        signature: that is asked.
        examples: of `examples_of`.
        folder: for its artifacts; not there yet.
    """
    split = folder / "examples" / "Split-all"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "data-00000-of-00001.gz"), "GZIP") as writer:
        for example in examples:
            writer.write(example)
    data, model = standard_artifacts.Examples(), standard_artifacts.Model()
    data.uri, model.uri = str(folder / "examples"), model_uri
    data.split_names = artifact_utils.encode_split_names(["all"])
    result = standard_artifacts.InferenceResult()
    result.uri = str(folder / "result")
    context = base_beam_executor.BaseBeamExecutor.Context(tmp_dir=str(folder / "tmp"))
    spec = bulk_inferrer_pb2.ModelSpec(model_signature_name=[signature])
    bulk_inferrer.Executor(context).Do(
        {"examples": [data], "model": [model]},
        {"inference_result": [result]},
        {
            "model_spec": proto_utils.proto_to_json(spec),
            "data_spec": proto_utils.proto_to_json(bulk_inferrer_pb2.DataSpec()),
        },
    )
    answers: dict[int, dict[str, np.ndarray]] = {}
    files = tf.io.gfile.glob(f"{result.uri}/*.gz")
    for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record).predict_log
        [argument] = log.request.inputs.values()
        [example] = argument.string_val
        outputs = log.response.outputs
        answers[_number(example)] = {n: tf.make_ndarray(p)[0] for n, p in outputs.items()}
    return [answers[number] for number in range(len(examples))]


def analysed(model: Path, examples: Sequence[bytes], folder: Path) -> list[dict[str, np.ndarray]]:
    """What TFMA's own inference makes of the examples: `probabilities` and `token_ids`."""
    config = tfma.utils.update_eval_config_with_defaults(build_eval_config([]))
    shared = tfma.default_eval_shared_model(str(model), eval_config=config)
    source = tfxio.TFExampleBeamRecord(
        physical_format="inmem",
        telemetry_descriptors=["test"],
        raw_record_column_name=tfma.ARROW_INPUT_COLUMN,
    )
    with beam.Pipeline("FnApiRunner") as pipeline:
        extracts = (
            pipeline
            | beam.Create(list(examples), reshuffle=False)
            | source.BeamSource()
            | tfma.BatchedInputsToExtracts()
        )
        for extractor in tfma.default_extractors(eval_shared_model=shared, eval_config=config):
            extracts = extracts | extractor.stage_name >> extractor.ptransform
            if extractor.stage_name == predictions_extractor.PREDICTIONS_EXTRACTOR_STAGE_NAME:
                break  # what follows are metrics
        _ = (
            extracts
            | beam.FlatMap(_extracted)
            | beam.combiners.ToList()
            | beam.Map(_keep, str(folder / "extracts.pickle"))
        )
    answers = dict(pickle.loads((folder / "extracts.pickle").read_bytes()))
    return [answers[number] for number in range(len(examples))]


def _extracted(batch: dict[str, Any]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    columns = (
        batch[tfma.INPUT_KEY],
        batch[tfma.PREDICTIONS_KEY]["probabilities"],
        batch[constants.TRANSFORMED_FEATURES_KEY]["token_ids"],
    )
    for example, probabilities, token_ids in zip(*columns, strict=True):
        yield _number(example), {"probabilities": probabilities, "token_ids": token_ids}


def _keep(answers: list, path: str) -> None:
    Path(path).write_bytes(pickle.dumps(answers))


def column(answers: dict[str, np.ndarray] | list[dict[str, Any]], name: str) -> np.ndarray:
    """An output of all rows, filled up with 0 where its rows differ in length."""
    values = answers[name] if isinstance(answers, dict) else [row[name] for row in answers]
    return _filled(list(values))


def _requests(rows: Sequence) -> Iterator[Sequence]:
    start, sizes = 0, itertools.cycle(2**i for i in range(7))
    while start < len(rows):
        size = next(sizes)
        yield rows[start : start + size]
        start += size


def _joined(answers: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The parts' rows; where they are of different lengths, filled up with 0."""
    rows = {name: [row for part in answers for row in part[name]] for name in answers[0]}
    return {name: _filled(values) for name, values in rows.items()}


def _filled(rows: list) -> np.ndarray:
    if np.ndim(rows[0]) == 0:
        return np.array(rows)
    longest = max(map(len, rows))
    return np.stack([np.pad(row, (0, longest - len(row))) for row in rows])


def _base64(row: bytes) -> str:
    return base64.b64encode(row).decode()


def _input(examples: Sequence[bytes]) -> input_pb2.Input:
    parsed = [tf.train.Example.FromString(example) for example in examples]
    return input_pb2.Input(example_list=input_pb2.ExampleList(examples=parsed))


def _scores(row: classification_pb2.Classifications) -> dict[str, float]:
    return {entry.label: entry.score for entry in row.classes}
