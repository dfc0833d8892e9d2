"""The client, as a class and as a command, over both transports."""

import json
from concurrent import futures

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from typer.testing import CliRunner

from serving.client import Client, app
from serving.transports import ClientError

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


class _UnavailableTwice(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self):
        self.asked = 0

    def Predict(self, request, context):
        self.asked += 1
        if self.asked < 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return predict_pb2.PredictResponse()


def test_unavailable_is_asked_again():
    service = _UnavailableTwice()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with (
        Client(f"127.0.0.1:{port}", MODEL) as client,
        pytest.raises(ClientError, match="without classes, label, probabilities"),
    ):
        client.predict(["x"])
    server.stop(None)
    assert service.asked == 3


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


def test_command_refuses_texts_and_a_file_together(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("x")
    assert run("127.0.0.1:1", "rest", "--file", str(file), "y").exit_code == 2
