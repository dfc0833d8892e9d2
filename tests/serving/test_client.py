"""The client, as a class and as a command, over both transports."""

import contextlib
import http.server
import json
import threading
from concurrent import futures
from typing import ClassVar

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from typer.testing import CliRunner

from serving.client import Client, app
from serving.transports import ClientError, GrpcTransport, RestTransport

MODEL = "toy"


@pytest.fixture(params=["grpc", "rest"])
def transport(request):
    return request.param


@pytest.fixture
def address(addresses, transport, target):
    return addresses[("grpc", "rest").index(transport)]


def run(address, transport, *arguments, stdin=None):
    rest = ["--rest"] if transport == "rest" else []
    return CliRunner().invoke(
        app, ["--target", address, "--model", MODEL, *rest, *arguments], input=stdin
    )


def test_predictions_come_in_order_with_every_score(address, transport):
    texts = ["tiny", "", "much longer than that 🧬", *(f"text {i}" for i in range(100))]
    with Client(address, MODEL, transport) as client:
        predictions = client.predict(texts)
    assert [p.text for p in predictions] == texts
    assert [p.label for p in predictions[:3]] == ["short", "short", "long"]
    first = predictions[0]
    assert list(first.scores) == ["short", "long"]
    assert first.probability == max(first.scores.values()) == first.scores["short"]
    assert sum(first.scores.values()) == pytest.approx(1)


def test_nothing_asked_nothing_answered(address, transport):
    with Client(address, MODEL, transport) as client:
        assert client.predict([]) == []


def test_an_only_output_has_its_name(address, transport):
    """REST leaves it out of the answer."""
    make = {"grpc": GrpcTransport, "rest": RestTransport}[transport]
    with contextlib.closing(make(address, MODEL, 60.0)) as asked:
        answer = asked.ask("one_output", {"x": np.array([1.0, 2.5], np.float32)})
    assert {name: values.tolist() for name, values in answer.items()} == {"y": [1.0, 2.5]}


def test_the_servers_refusal_is_the_error(address, transport):
    with Client(address, "nobody", transport) as client, pytest.raises(ClientError) as caught:
        client.predict(["x"])
    assert "Servable not found for request: Latest(nobody)" in str(caught.value)
    assert address in str(caught.value)


def test_a_server_that_is_not_there_is_named(transport):
    with (
        Client("127.0.0.1:1", MODEL, transport, deadline_seconds=3) as client,
        pytest.raises(ClientError, match=r"127\.0\.0\.1:1"),
    ):
        client.predict(["x"])


def test_an_unknown_transport_is_refused():
    with pytest.raises(ValueError, match="neither 'grpc' nor 'rest'"):
        Client("127.0.0.1:1", MODEL, "carrier pigeon")


class _Busy(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Refuses so many requests with a status, then answers nothing."""

    def __init__(self, code, times):
        self.asked, self._code, self._times = 0, code, times

    def Predict(self, request, context):
        self.asked += 1
        if self.asked <= self._times:
            context.abort(self._code, "not yet")
        return predict_pb2.PredictResponse()


@contextlib.contextmanager
def busy(code, times):
    service = _Busy(code, times)
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield service, f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_who_has_its_hands_full_is_asked_again(code):
    with busy(grpc.StatusCode[code], 2) as (service, address):
        with (
            Client(address, MODEL) as client,
            pytest.raises(ClientError, match="without classes, label, probabilities"),
        ):
            client.predict(["x"])
        assert service.asked == 3


def test_a_refusal_is_final():
    with busy(grpc.StatusCode.INVALID_ARGUMENT, 9) as (service, address):
        with Client(address, MODEL) as client, pytest.raises(ClientError, match="not yet"):
            client.predict(["x"])
        assert service.asked == 1


def test_retries_end_at_the_deadline_with_the_servers_words():
    with busy(grpc.StatusCode.UNAVAILABLE, 10**9) as (service, address):
        with (
            Client(address, MODEL, deadline_seconds=0.5) as client,
            pytest.raises(ClientError, match="UNAVAILABLE: not yet"),
        ):
            client.predict(["x"])
        assert service.asked > 1


class _BusyHttp(http.server.BaseHTTPRequestHandler):
    statuses: ClassVar[list[int]] = []

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        status = self.statuses.pop(0)
        body = b'{"outputs": {}}' if status == 200 else b'{"error": "not yet"}'
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ([429, 503, 200], "without classes, label, probabilities"),
        ([400, 200], "HTTP 400: not yet"),
        ([503] * 1000, "HTTP 503: not yet"),
    ],
)
def test_busy_over_rest(statuses, words):
    _BusyHttp.statuses = list(statuses)
    with http.server.HTTPServer(("127.0.0.1", 0), _BusyHttp) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        with (
            Client(address, MODEL, "rest", deadline_seconds=0.5) as client,
            pytest.raises(ClientError, match=words),
        ):
            client.predict(["x"])
        server.shutdown()
    asked = len(statuses) - len(_BusyHttp.statuses)
    assert asked == {429: 3, 400: 1}.get(statuses[0], asked)
    assert asked > 1 or statuses[0] == 400


def test_command_prints_a_table_of_texts(address, transport):
    result = run(address, transport, "tiny [b]text[/b]")
    assert result.exit_code == 0, result.output
    assert "tiny [b]text[/b]" in result.output
    assert "long" in result.output


def test_command_reads_lines_and_writes_json_lines(address, transport, tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("tiny\r\n\nmuch longer than that é\n", encoding="utf-8")
    for result in (
        run(address, transport, "--jsonl", "--file", str(file)),
        run(address, transport, "--jsonl", stdin=file.read_text(encoding="utf-8")),
    ):
        assert result.exit_code == 0, result.output
        lines = [json.loads(line) for line in result.output.splitlines()]
        assert [line["text"] for line in lines] == ["tiny", "much longer than that é"]
        assert [line["label"] for line in lines] == ["short", "long"]


def test_command_says_what_went_wrong_and_fails(transport):
    result = run("127.0.0.1:1", transport, "x")
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    assert "Traceback" not in result.output


def test_batch_size_is_texts_a_request(address, transport, tmp_path):
    result = run(address, transport, "--batch-size", "2", "--jsonl", "a", "b", "c")
    assert [json.loads(line)["text"] for line in result.output.splitlines()] == ["a", "b", "c"]
    with pytest.raises(ValueError, match="batch_size"):
        Client(address, MODEL, transport, batch_size=0)


def test_command_refuses_texts_and_a_file_together(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("x")
    assert run("127.0.0.1:1", "rest", "--file", str(file), "y").exit_code == 2
