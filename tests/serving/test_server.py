"""The server as a process: starting, stopping, swapping, and what it does not have."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from serving.process import ServerFailed, ServerProcess


def wait_for(condition):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"not so after 30 s: {condition}")


def test_versions_are_swapped_and_broken_ones_refused_while_requests_are_answered(tmp_path, toy):
    toy(tmp_path, 1)
    with ServerProcess(tmp_path, "toy", flags={"max_num_load_retries": 0}) as server:
        url = f"http://{server.rest_target}/v1/models/toy"

        def label():
            body = {"signature_name": "serving_text", "instances": ["tiny"]}
            answer = httpx.post(f"{url}:predict", json=body)
            assert answer.status_code == 200, answer.text
            return answer.json()["predictions"][0]["label"]

        assert label() == "short"
        toy(tmp_path, 2, offset=100.0)
        wait_for(lambda: label() == "long")
        (tmp_path / "3").mkdir()
        wait_for(lambda: httpx.get(f"{url}/versions/3").status_code == 200)
        wait_for(
            lambda: (
                httpx.get(f"{url}/versions/3").json()["model_version_status"][0]["state"] == "END"
            )
        )
        versions = httpx.get(url).json()["model_version_status"]
        assert [v["version"] for v in versions] == ["3", "2", "1"]
        assert [v["state"] for v in versions] == ["END", "AVAILABLE", "END"]
        assert versions[0]["status"]["error_code"] == "NOT_FOUND"
        assert "Could not find SavedModel" in versions[0]["status"]["error_message"]
        assert label() == "long"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(model_base, number):
    server = ServerProcess(model_base, "toy")
    with server:
        os.kill(server.pid, number)
        assert server.wait(30) == 0
        assert "Stopping" in server.log()


def test_a_signal_stops_it_while_it_waits_for_a_model(tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-m", "serving.server", "--port=0", f"--model_base_path={tmp_path}"],
        stderr=subprocess.PIPE,
    )
    for line in server.stderr:
        if b"No versions of servable default found" in line:
            break
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=30)
    assert server.returncode == 0


def test_a_model_that_does_not_load_ends_it_with_the_reason(tmp_path):
    (tmp_path / "1").mkdir()
    with (
        pytest.raises(ServerFailed, match=r"(?s)ended with code 1.*Could not find SavedModel"),
        ServerProcess(tmp_path, flags={"max_num_load_retries": 0}),
    ):
        pass


def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServerFailed, match=rf"can't listen on 127\.0\.0\.1:{port}"),
            ServerProcess(tmp_path, flags={"rest_api_port": port}),
        ):
            pass


def test_a_grpc_port_in_use_is_an_error_not_a_share(model_base, addresses):
    port = addresses[0].rsplit(":", 1)[1]
    with (
        pytest.raises(ServerFailed, match=r"(?s)ended with code 1.*--port: can't listen"),
        ServerProcess(model_base, "toy", flags={"port": port}),
    ):
        pass


def test_a_server_never_ready_is_given_up(tmp_path):
    with (
        pytest.raises(ServerFailed, match=r"was not ready after 0\.2 s"),
        ServerProcess(tmp_path, ready_seconds=0.2),
    ):
        pass


def test_it_listens_on_loopback_only(addresses):
    port = int(addresses[1].rsplit(":", 1)[1])
    with socket.socket() as elsewhere:
        assert elsewhere.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_brackets_without_end_are_refused(target):
    response = target.post("/v1/models/toy:predict", content="[" * 100_000)
    assert response.status_code == 400
    assert "JSON Parse error" in response.json()["error"]
