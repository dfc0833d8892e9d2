"""Closed-loop clients: each keeps its connection and sends its next request when the last is answered.

`python -m benchmarks.serving_load.clients TEXTS` is the process that has them, so that what they cost is
seen apart from what the server costs. TEXTS is a JSON list. It reads a JSON object a line from standard
input, with the fields of `Order`, and answers each with one of `Measured`.
"""

import contextlib
import dataclasses
import http.client
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

Ask = Callable[[int], None]
_SECONDS = 60.0  # without an answer, a request has failed


@dataclasses.dataclass(frozen=True)
class Order:
    """What to do.

    Attributes:
        kind: a key of `CONNECTIONS`.
        target: "HOST:PORT".
        clients: how many at once.
        seconds: that are measured.
        warm_up_seconds: before them.
    """

    kind: str
    target: str
    clients: int
    seconds: float
    warm_up_seconds: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """How it went; a request counts if it was answered in the time measured.

    That time lasts until one request at least was answered.

    Attributes:
        requests: how many were answered.
        seconds: in this time.
        latencies: p50, p95, p99 in milliseconds.
        client_cpu_ms: processor time of the clients, a request.
        sent: all requests, those before and after the time measured included.
    """

    requests: int
    seconds: float
    latencies: tuple[float, float, float]
    client_cpu_ms: float
    sent: int


class LoadFailed(RuntimeError):
    """A request was not answered as it should be."""


def measure(order: Order, texts: Sequence[str]) -> Measured:
    """Sends requests of one text each.

    Raises:
        LoadFailed: with the first request that failed.
    """
    with contextlib.ExitStack() as stack:
        connect = CONNECTIONS[order.kind]
        asks = [stack.enter_context(connect(order.target, texts)) for _ in range(order.clients)]
        return _load(asks, len(texts), order)


def _load(asks: Sequence[Ask], texts: int, order: Order) -> Measured:
    begin = time.monotonic() + order.warm_up_seconds
    end = begin + order.seconds
    latencies: list[float] = []
    sent: list[int] = []  # a text each; one thread may append while another does
    last = [end]
    failed: list[Exception] = []

    def ask_until_the_end(ask: Ask, turn: int) -> None:
        try:
            while ((start := time.monotonic()) < end or not latencies) and not failed:
                ask(turn % texts)
                sent.append(turn % texts)
                turn += 1
                if begin <= (now := time.monotonic()) and (now < end or not latencies):
                    latencies.append(now - start)
                    last[0] = now
        except Exception as error:  # told by whoever waits for the threads
            failed.append(error)

    threads = [
        threading.Thread(
            # Each begins elsewhere, so that they do not all send the same text.
            target=ask_until_the_end, args=[ask, number * texts // len(asks)], daemon=True
        )
        for number, ask in enumerate(asks)
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    time.sleep(max(0.0, begin - time.monotonic()))
    cpu, counted_before = time.process_time(), len(sent)
    for thread in threads:
        thread.join()
    cpu = time.process_time() - cpu
    if failed:
        raise LoadFailed(f"{order.kind} {order.target}: {failed[0]}") from failed[0]
    return Measured(
        len(latencies),
        max(order.seconds, last[0] - begin),
        percentiles(latencies),
        1e3 * cpu / max(1, len(sent) - counted_before),
        len(sent),
    )


def percentiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and p99 by nearest rank, in milliseconds."""
    ascending = sorted(seconds)
    p50, p95, p99 = (1e3 * ascending[math.ceil(q * len(ascending)) - 1] for q in (0.5, 0.95, 0.99))
    return p50, p95, p99


@contextlib.contextmanager
def _http(target: str, path: str, bodies: Sequence[bytes]) -> Iterator[Ask]:
    connection = http.client.HTTPConnection(target, timeout=_SECONDS)
    headers = {"content-type": "application/json"}

    def ask(number: int) -> None:
        connection.request("POST", path, bodies[number], headers)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise LoadFailed(f"HTTP {response.status} {answer[:300]!r}")

    with contextlib.closing(connection):
        yield ask


def _rest(target: str, texts: Sequence[str]) -> contextlib.AbstractContextManager[Ask]:
    bodies = [
        json.dumps({"signature_name": "serving_text", "instances": [text]}).encode()
        for text in texts
    ]
    return _http(target, f"/v1/models/{MODEL}:predict", bodies)


def _pipeline(target: str, texts: Sequence[str]) -> contextlib.AbstractContextManager[Ask]:
    return _http(target, "/predict", [json.dumps({"text": text}).encode() for text in texts])


@contextlib.contextmanager
def _grpc(target: str, texts: Sequence[str]) -> Iterator[Ask]:
    # Here, as they need TensorFlow.
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    requests = []
    for text in texts:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = MODEL, "serving_text"
        request.inputs["text"].dtype = tf.string.as_datatype_enum
        request.inputs["text"].tensor_shape.dim.add(size=1)
        request.inputs["text"].string_val.append(text.encode())
        requests.append(request)
    # Else all clients of the process would share one connection.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(target, options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        yield lambda number: stub.Predict(requests[number], timeout=_SECONDS)


MODEL = "model"  # the name it is served under
CONNECTIONS = {"grpc": _grpc, "rest": _rest, "pipeline": _pipeline}


def main(texts_file: str) -> None:
    """Answers orders until standard input ends."""
    texts = json.loads(Path(texts_file).read_text(encoding="utf-8"))
    for line in sys.stdin:
        measured = measure(Order(**json.loads(line)), texts)
        print(json.dumps(dataclasses.asdict(measured)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
