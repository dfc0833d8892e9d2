"""What the load benchmark counts, against servers whose answers and waits are known."""

import http.server
import json
import os
import sys
import threading
import time

import pytest
import toy_models
from rich.console import Console

from benchmarks.serving_load import processes
from benchmarks.serving_load.__main__ import IN_PROCESS, PEER, Turn, json_rows, table
from benchmarks.serving_load.clients import MODEL, LoadFailed, Order, percentiles
from benchmarks.serving_load.clients import measure as ask
from benchmarks.serving_load.in_process import measure as run_in_process
from serving.flags import ServerFlags
from serving.servable import Servable
from serving.server import serving

TEXTS = ["heart failure", "the lung", "Ωmega"]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers after 10 ms, to /predict only; remembers what it was asked, and over which connection."""

    protocol_version = "HTTP/1.1"
    asked: list = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.asked.append((self.path, body, self.client_address))
        time.sleep(0.01)
        self.send_response(200 if self.path == "/predict" else 429)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{listening.server_port}"
        listening.shutdown()


def test_each_client_keeps_a_connection_and_asks_for_every_text(server):
    measured = ask(Order("pipeline", server, 3, seconds=1.0, warm_up_seconds=0.1), TEXTS)
    assert len({connection for *_, connection in Handler.asked}) == 3
    assert {body["text"] for _, body, _ in Handler.asked} == set(TEXTS)
    assert 0 < measured.requests <= measured.sent
    assert measured.sent == len(Handler.asked)
    assert measured.seconds >= 1.0
    p50, p95, p99 = measured.latencies
    assert 10 <= p50 <= p95 <= p99
    assert measured.client_cpu_ms > 0


def test_rest_asks_the_signature_of_texts(server):
    with pytest.raises(LoadFailed, match=r"rest 127.0.0.1:\d+: HTTP 429 b'\[\]'"):
        ask(Order("rest", server, 1, 0.2, 0.0), TEXTS)
    path, body, _ = Handler.asked[0]
    assert path == "/v1/models/model:predict"
    assert body == {"signature_name": "serving_text", "instances": ["heart failure"]}


def test_nobody_listens():
    with pytest.raises(LoadFailed, match="refused"):
        ask(Order("pipeline", f"127.0.0.1:{processes.free_port()}", 2, 0.2, 0.0), TEXTS)


def test_percentiles_are_answers_that_were_there():
    assert percentiles([0.001 * i for i in range(1, 101)]) == pytest.approx((50, 95, 99))
    assert percentiles([0.5]) == (500, 500, 500)


def test_a_worker_answers_lines_and_a_dead_one_is_named():
    program = (
        "import sys\nprint(sys.stdin.readline().upper(), end='', flush=True)\nsys.exit('no more')"
    )
    with processes.Worker([sys.executable, "-c", program]) as worker:
        assert worker.ask(rows=3) == {"ROWS": 3}
        with pytest.raises(processes.ProcessFailed, match=r"(?s)ended with code 1.*no more"):
            worker.ask(rows=3)


def test_the_server_and_the_model_in_process_are_asked(tmp_path):
    rest_port = processes.free_port()
    version = toy_models.export_toy(tmp_path / "model", 1)
    flags = ServerFlags(
        model_base_path=str(version.parent), model_name=MODEL, port=0, rest_api_port=rest_port
    )
    with serving(flags, threading.Event()) as frontend:
        for kind, port in (("grpc", frontend.grpc_port), ("rest", rest_port)):
            measured = ask(Order(kind, f"127.0.0.1:{port}", 2, 0.3, 0.1), TEXTS)
            assert measured.requests > 0
    servable = Servable("model", 1, version)
    result = run_in_process(servable, [b"a", b"b", b"c"], 2, 2, seconds=0.2, warm_up_seconds=0.1)
    assert result["texts"] > 0
    assert result["texts"] % 2 == 0
    assert result["cpu_ms"] > 0


def test_processor_time_of_a_process():
    before = processes.cpu_seconds(os.getpid())
    assert before > 0.1
    assert before <= time.process_time() + 0.02  # counted in hundredths


def test_rows_compare_with_the_peer_and_with_no_server():
    turns = {
        "gRPC": [Turn(20.0, 26.0, (1, 2, 100), 0.5), Turn(40.0, 26.0, (1, 2, 100), 0.5)],
        "REST": [Turn(22.0, 27.0, (1, 2, 120), 0.2), Turn(44.0, 27.0, (1, 2, 120), 0.2)],
        PEER: [Turn(33.0, 52.0, (1, 2, 200), 0.2), Turn(66.0, 52.0, (1, 2, 200), 0.2)],
        IN_PROCESS: [Turn(19.0, 25.0), Turn(38.0, 25.0)],
    }
    ratios = {row["work"]: row["ratio"] for row in json_rows(32, turns)}
    assert len(ratios) == 12
    assert ratios["32 clients, gRPC, a request beside Hugging Face"] == pytest.approx(1.65)
    assert ratios["32 clients, gRPC, p99 beside Hugging Face"] == pytest.approx(2.0)
    assert ratios["32 clients, REST, a request beside Hugging Face"] == pytest.approx(1.5)
    assert ratios["32 clients, gRPC, a request beside in process"] == pytest.approx(0.95)
    assert ratios["32 clients, gRPC, processor time beside Hugging Face"] == pytest.approx(2.0)

    console = Console(record=True, width=120)
    console.print(table(32, turns))
    printed = console.export_text()
    assert "37.5 (25.0 – 50.0)" in printed  # ours, gRPC
    assert "39.5 (26.3 – 52.6)" in printed  # in process
