"""A toy model, a server that serves it, and where the conformance suite finds that server.

The suite runs against the development server, started here, or against any server that is told:

    SERVING_TARGET=HOST:GRPC_PORT,HOST:REST_PORT SERVING_MODEL_BASE=DIR \\
        python -m pytest tests/serving -k conformance

where that server serves DIR under the name `toy`; the suite puts the toy model there.
"""

import dataclasses
import os
import time
from pathlib import Path

import grpc
import httpx
import pytest
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.process import ServerProcess

MODEL = "toy"
VERSION = 7


def _strings(name):
    return tf.TensorSpec([None], tf.string, name=name)


class ToyModel(tf.Module):
    """Signatures with every kind of input and output that the wire formats tell apart."""

    def __init__(self, offset: float = 0.0):
        super().__init__()
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[_strings("text")])
    def serving_text(self, text):
        """Two classes; the longer the text, the more "long"."""
        length = tf.cast(tf.strings.length(text, unit="UTF8_CHAR"), tf.float32) + self.offset
        probabilities = tf.nn.softmax(tf.stack([tf.fill(tf.shape(length), 10.0), length], -1))
        names = tf.constant(["short", "long"])
        return {
            "label": tf.gather(names, tf.argmax(probabilities, -1)),
            "probabilities": probabilities,
            "classes": tf.repeat(names[tf.newaxis], tf.shape(text)[0], 0),
        }

    @tf.function(input_signature=[_strings("examples")])
    def serving_default(self, examples):
        features = {"text": tf.io.FixedLenFeature([], tf.string)}
        return self.serving_text(tf.io.parse_example(examples, features)["text"])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def one_output(self, x):
        return {"y": x * 1.0}

    @tf.function(input_signature=[_strings("data")])
    def echo(self, data):
        return {"text": data, "raw_bytes": data}

    @tf.function(
        input_signature=[
            tf.TensorSpec([], tf.float32, name="scale"),
            tf.TensorSpec([None], tf.int64, name="vector"),
            tf.TensorSpec([None, 2], tf.float64, name="matrix"),
        ]
    )
    def shapes(self, scale, vector, matrix):
        return {
            "total": tf.reduce_sum(vector),
            "matrix": matrix * tf.cast(scale, tf.float64),
            "positive": vector > 0,
        }

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="a"),
            tf.TensorSpec([None, 2], tf.int32, name="b"),
        ]
    )
    def rows(self, a, b):
        return {"sum": a + tf.cast(tf.reduce_sum(b, -1), tf.float32), "b": b}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def half(self, x):
        return {"y": tf.cast(x, tf.float16)}


def export_toy(base: Path, version: int, offset: float = 0.0) -> None:
    """Puts a version into a model folder the way a push does: written beside, then renamed."""
    model = ToyModel(offset)
    signatures = {
        name: getattr(model, name)
        for name in (
            *("serving_default", "serving_text", "one_output", "echo", "shapes", "rows", "half"),
        )
    }
    beside = base / f"beside-{version}"
    tf.saved_model.save(model, str(beside), signatures=signatures)
    beside.rename(base / str(version))


@dataclasses.dataclass(frozen=True)
class Target:
    """A server with the toy model, and stubs for it."""

    grpc_target: str
    rest: str
    prediction: prediction_service_pb2_grpc.PredictionServiceStub
    model: model_service_pb2_grpc.ModelServiceStub

    def get(self, path):
        return httpx.get(f"{self.rest}{path}", timeout=30)

    def post(self, path, **kwargs):
        return httpx.post(f"{self.rest}{path}", timeout=30, **kwargs)


@pytest.fixture(scope="session")
def model_base(tmp_path_factory):
    """A folder with version 7 of the toy model."""
    told = os.environ.get("SERVING_MODEL_BASE")
    base = Path(told) if told else tmp_path_factory.mktemp("toy")
    if not (base / str(VERSION)).exists():
        export_toy(base, VERSION)
    return base


@pytest.fixture(scope="session")
def addresses(model_base):
    """(gRPC, REST) addresses of a server that serves the toy model."""
    if "SERVING_TARGET" in os.environ:
        yield tuple(os.environ["SERVING_TARGET"].split(","))
        return
    with ServerProcess(model_base, MODEL) as server:
        yield server.grpc_target, server.rest_target


@pytest.fixture(scope="session")
def target(addresses):
    """The server under test, once it serves."""
    grpc_target, rest_target = addresses
    rest = f"http://{rest_target}"
    _wait_until_served(rest)
    with grpc.insecure_channel(grpc_target) as channel:
        yield Target(
            grpc_target,
            rest,
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


def _wait_until_served(rest):
    for _ in range(120):
        if httpx.get(f"{rest}/v1/models/{MODEL}/versions/{VERSION}/metadata").status_code == 200:
            return
        time.sleep(0.5)
    pytest.fail(f"{rest} does not serve version {VERSION} of {MODEL}")


@pytest.fixture(scope="session")
def toy():
    """The export function, for tests that make versions of their own."""
    return export_toy
