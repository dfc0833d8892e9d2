"""Damaged and absurd requests for a model server, and what is wrong with its answers.

    python -m benchmarks.serving_fuzz --requests 100000

starts the development server on the models of the conformance suite, sends so many requests over REST
and gRPC, and fails if one is answered with an internal error, without a sentence, or not at all, if
the server dies, or if its memory grows. Takes about ten minutes on two cores for 100,000 requests.
`--target HOST:GRPC,HOST:REST` asks another server, for instance tensorflow/serving.
"""

import argparse
import collections
import dataclasses
import http.client
import json
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from serving.process import ServerProcess

_SECONDS = 30.0  # without an answer, a request hangs
_SIGNATURES = (
    "serving_default",
    "serving_text",
    "echo",
    "shapes",
    "rows",
    "one_output",
    "classify",
)

# What may refuse a request. INTERNAL is gRPC's own word for bytes that are no message.
_REFUSALS = {
    *("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    "RESOURCE_EXHAUSTED",
}
_NO_MESSAGE = {"INTERNAL"}
_HTTP_REFUSALS = {400, 404, 405, 409, 413, 429, 431, 501}


@dataclasses.dataclass
class Outcome:
    """What came back.

    Attributes:
        statuses: how many answers of each status.
        violations: for each answer that is not as it should be, what was sent and what came.
    """

    statuses: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    violations: list[str] = dataclasses.field(default_factory=list)


def fuzz(grpc_target: str, rest_target: str, requests: int, seed: int) -> Outcome:
    """Sends requests one by one, half over REST and half over gRPC.

    Args:
        grpc_target: "HOST:PORT".
        rest_target: "HOST:PORT".
        requests: how many.
        seed: the same seed sends the same requests.
    """
    rng = random.Random(seed)
    outcome = Outcome()
    connection = http.client.HTTPConnection(rest_target, timeout=_SECONDS)
    with grpc.insecure_channel(grpc_target) as channel:
        for _ in range(requests // 2):
            _send_rest(connection, *rest_request(rng), outcome)
            _send_grpc(channel, *grpc_request(rng), outcome)
    connection.close()
    return outcome


def rest_request(rng: random.Random) -> tuple[str, str, dict[str, str], bytes]:
    """(method, path, headers, body), each of them right more often than not."""
    method = "POST" if rng.random() < 0.8 else rng.choice(_HTTP_METHODS)
    headers = {"content-type": "application/json"}
    if rng.random() < 0.05:
        headers = rng.choice(_HEADERS)
    if rng.random() < 0.4:
        document = rng.choice(_DOCUMENTS)
        verb = "predict" if "examples" not in document else str(document["signature_name"])
    else:
        verb = rng.choice(("predict", "classify", "regress"))
        document = {"signature_name": rng.choice(_SIGNATURES)}
        for _ in range(rng.choice((1, 1, 2))):
            key = rng.choice(("instances", "inputs", "examples", "context"))
            document[key] = _json_value(rng, 0)
    path = f"/v1/models/toy{rng.choice(_VERSIONS)}:{verb}"
    if rng.random() < 0.1:
        path = rng.choice(_PATHS)
    body = json.dumps(document).encode()
    return method, path, headers, _damaged(rng, body, _JSON_TOKENS) if rng.random() < 0.5 else body


def grpc_request(rng: random.Random) -> tuple[str, bytes]:
    """(method, serialized message): a valid one, most often damaged, or noise."""
    method = rng.choice(list(_MESSAGES))
    if rng.random() < 0.1:
        return method, rng.randbytes(rng.randrange(64))
    message = rng.choice(_MESSAGES[method])
    return method, _damaged(rng, message, _PROTO_TOKENS) if rng.random() < 0.8 else message


def _send_rest(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    outcome: Outcome,
) -> None:
    sent = f"{method} {path} {headers} {body[:300]!r}"
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        outcome.violations.append(f"{sent}: no answer: {error!r}")
        connection.close()
        return
    outcome.statuses[f"HTTP {response.status}"] += 1
    said = answer.strip() or method == "HEAD"
    if response.status >= 300 and not (response.status in _HTTP_REFUSALS and said):
        outcome.violations.append(f"{sent}: HTTP {response.status} {answer[:300]!r}")


def _send_grpc(channel: grpc.Channel, method: str, message: bytes, outcome: Outcome) -> None:
    call = channel.unary_unary(method, _as_it_is, _as_it_is)
    try:
        call(message, timeout=_SECONDS)
        outcome.statuses["OK"] += 1
    except grpc.RpcError as error:
        code = error.code().name
        outcome.statuses[code] += 1
        allowed = _REFUSALS if _parses(method, message) else _REFUSALS | _NO_MESSAGE
        if code not in allowed or not error.details():
            outcome.violations.append(f"{method} {message[:300]!r}: {code} {error.details()!r}")


def _as_it_is(message: bytes) -> bytes:
    return message


def _parses(method: str, message: bytes) -> bool:
    try:
        _KINDS[method].FromString(message)
    except Exception:  # the error's type is another one in every protobuf
        return False
    return True


def _json_value(rng: random.Random, depth: int) -> object:
    """Any JSON, but most of all lists of what a signature could take."""
    if depth < 4 and rng.random() < 0.5 / (depth + 1) + 0.2 * (depth == 0):
        if rng.random() < 0.6:
            return [_json_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        keys = rng.sample(_KEYS, rng.randrange(4))
        return {key: _json_value(rng, depth + 1) for key in keys}
    return rng.choice(_LEAVES)


def _damaged(rng: random.Random, message: bytes, tokens: tuple[bytes, ...]) -> bytes:
    """The message with some bytes changed, cut out, repeated, put in, or its end cut off."""
    data = bytearray(message)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(data) + 1)
        to = min(len(data), at + rng.randrange(1, 9))
        change: Callable[[], object] = rng.choice(
            (
                lambda: data.__setitem__(slice(at, to), rng.randbytes(to - at)),  # noqa: B023
                lambda: data.__delitem__(slice(at, to)),  # noqa: B023
                lambda: data.__delitem__(slice(at, None)),  # noqa: B023
                lambda: data.__setitem__(slice(at, at), data[at:to] * 3),  # noqa: B023
                lambda: data.__setitem__(slice(at, at), rng.choice(tokens)),  # noqa: B023
            )
        )
        change()
    return bytes(data)


# What some signature takes, if it meets its verb and no damage.
_DOCUMENTS: tuple[dict[str, object], ...] = (
    {"signature_name": "serving_text", "instances": ["tiny", "é😀\x00"]},
    {"signature_name": "serving_text", "inputs": {"text": ["a long text", ""]}},
    {"signature_name": "echo", "inputs": {"data": [{"b64": "aGk="}]}},
    {"signature_name": "one_output", "instances": [1, 2.5, -1e300]},
    {"signature_name": "rows", "instances": [{"a": 0.5, "b": [1, 2]}, {"b": [3, 4], "a": 1}]},
    {"signature_name": "shapes", "inputs": {"scale": 2, "vector": [3, -4], "matrix": [[1.5, 2]]}},
    {"signature_name": "classify", "examples": [{"text": "tiny"}], "context": {"n": [1, 2]}},
    {"signature_name": "regress", "examples": [{"text": {"b64": "aGk="}}, {"text": ["tiny"]}]},
)
_HTTP_METHODS = ("GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW")
_VERSIONS = ("", "", "", "/versions/7", "/versions/99", "/labels/none", "/versions/-1")
_PATHS = (
    "/", "/v1", "/v1/models", "/v1/models/", "/v1/models/toy", "/v1/models/toy/metadata",
    "/v1/models/toy/versions/7", "/v1/models/toy/versions/" + "9" * 30, "/v1/models/%00:predict",
    "/v1/models/%ff%fe:predict", "/v1/models/toy:explain", "/v1/models/toy:predict/", "//v1/models",
    "/v1/models/../models/toy", "/v1/models/toy/labels/%2e%2e", "/v1/models/" + "n" * 3000,
    "/monitoring/prometheus/metrics", "/v1/models/toy:predict?x=1", "/v1/models/toy%3Apredict", "*",
)  # fmt: skip
_HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"content-encoding": "gzip"},
    {"content-encoding": "br"},
    {"content-type": "text/plain; charset=utf-16"},
    {"x-long": "y" * 5000},
)
_KEYS = ("text", "data", "x", "a", "b", "b64", "scale", "vector", "matrix", "examples", "")
_LEAVES: tuple[object, ...] = (
    "tiny", "", "é😀\x00", "x" * 1000, 0, 1, -1, 1.5, 1e300, 2**31, 2**63, 2**64, 10**400, -(10**40),
    float("nan"), float("inf"), True, False, None, {"b64": "aGk="}, {"b64": "?"}, {"b64": 1}, [1, 2],
    [1.5], [[1.0, 2.0]], ["a", "b"], [], {},
)  # fmt: skip
_JSON_TOKENS = (
    b"[" * 2000, b"{" * 50, b"]", b"}", b",", b'"', b"\xff\xfe", b"\xed\xa0\x80", b"\\ud800", b"null",
    b"1e999999", b"9" * 5000, b"-", b"NaN", b"\x00", b'{"b64":', b"\xef\xbb\xbf",
)  # fmt: skip
_PROTO_TOKENS = (
    b"\xff" * 10, b"\x80" * 9 + b"\x01", b"\x00", b"\x0a\x7f", b"\x12\xff\xff\xff\xff\x0f", b"\x08\x07",
    b"\x22\x08\x12\x06\x08\x80\x80\x80\x80\x10", b"toy", b"serving_default", b"\xed\xa0\x80",
)  # fmt: skip


def _predict(signature: str, **inputs: object) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "toy"
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request.SerializeToString()


def _example() -> tf.train.Example:
    example = tf.train.Example()
    example.features.feature["text"].bytes_list.value.append(b"tiny")
    return example


def _on_example(request: object, signature: str) -> bytes:
    request.model_spec.name = "toy"  # type: ignore[attr-defined]
    request.model_spec.signature_name = signature  # type: ignore[attr-defined]
    request.input.example_list.examples.append(_example())  # type: ignore[attr-defined]
    return request.SerializeToString()  # type: ignore[attr-defined]


def _multi_inference() -> bytes:
    request = inference_pb2.MultiInferenceRequest()
    for name in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{name}")
        task.model_spec.name, task.model_spec.signature_name = "toy", name
    request.input.example_list.examples.append(_example())
    return request.SerializeToString()


def _about_toy(request: object) -> bytes:
    request.model_spec.name = "toy"  # type: ignore[attr-defined]
    request.model_spec.version.value = 7  # type: ignore[attr-defined]
    return request.SerializeToString()  # type: ignore[attr-defined]


_PREDICTION, _MODEL = "/tensorflow.serving.PredictionService", "/tensorflow.serving.ModelService"

_KINDS = {
    f"{_PREDICTION}/Predict": predict_pb2.PredictRequest,
    f"{_PREDICTION}/Classify": classification_pb2.ClassificationRequest,
    f"{_PREDICTION}/Regress": regression_pb2.RegressionRequest,
    f"{_PREDICTION}/MultiInference": inference_pb2.MultiInferenceRequest,
    f"{_PREDICTION}/GetModelMetadata": get_model_metadata_pb2.GetModelMetadataRequest,
    f"{_MODEL}/GetModelStatus": get_model_status_pb2.GetModelStatusRequest,
}

_MESSAGES: dict[str, list[bytes]] = {
    f"{_PREDICTION}/Predict": [
        _predict("serving_text", text=["tiny", "a long text"]),
        _predict("serving_default", examples=[_example().SerializeToString()]),
        _predict("one_output", x=np.arange(4, dtype=np.float32)),
        _predict("shapes", scale=np.float32(2), vector=np.arange(3), matrix=np.ones([2, 2])),
        _predict("rows", a=np.zeros([2], np.float32), b=np.ones([2, 2], np.int32)),
    ],
    f"{_PREDICTION}/Classify": [
        _on_example(classification_pb2.ClassificationRequest(), "classify")
    ],
    f"{_PREDICTION}/Regress": [_on_example(regression_pb2.RegressionRequest(), "regress")],
    f"{_PREDICTION}/MultiInference": [_multi_inference()],
    f"{_PREDICTION}/GetModelMetadata": [
        _about_toy(get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"]))
    ],
    f"{_MODEL}/GetModelStatus": [_about_toy(get_model_status_pb2.GetModelStatusRequest())],
}


def resident_mib(pid: int) -> float:
    """A process's memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ProcessLookupError(f"process {pid} has no memory any more")


def _report(outcome: Outcome) -> int:
    for status, count in sorted(outcome.statuses.items()):
        print(f"{status:>22} {count:>8}")
    for violation in outcome.violations[:20]:
        print(f"VIOLATION {violation}")
    print(f"{sum(outcome.statuses.values())} answers, {len(outcome.violations)} violations")
    return len(outcome.violations)


def main() -> int:
    """Returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", help="HOST:GRPC_PORT,HOST:REST_PORT; default: start one")
    arguments = parser.parse_args()
    if arguments.target:
        outcome = fuzz(*arguments.target.split(","), arguments.requests, arguments.seed)
        return min(1, _report(outcome))
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "serving"))
    import toy_models

    with tempfile.TemporaryDirectory() as folder:
        toy_models.export_models(Path(folder), folder)
        with ServerProcess(Path(folder) / "toy", "toy") as server:
            targets = server.grpc_target, server.rest_target
            violations = _report(fuzz(*targets, arguments.requests // 5, arguments.seed))
            before = resident_mib(server.pid)
            rest = arguments.requests - arguments.requests // 5
            violations += _report(fuzz(*targets, rest, arguments.seed + 1))
            grown = resident_mib(server.pid) - before
    print(f"memory after the first fifth: {before:.0f} MiB, {grown:+.0f} MiB by the end")
    return int(violations > 0 or grown > 0.1 * before)


if __name__ == "__main__":
    sys.exit(main())
