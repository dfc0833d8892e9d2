"""The server as a process, and its life: starting, swapping, stopping."""

import errno
import os
import shutil
import signal
import socket
import threading
import time
from concurrent import futures

import httpx
import pytest
import toy_models

from serving.flags import ServerFlags
from serving.process import ServerFailed, ServerProcess
from serving.server import serving

TEXT = {"signature_name": "serving_text", "instances": ["tiny"]}


def wait_for(condition):
    for _ in range(1500):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail(f"not so after 30 s: {condition}")


def state_of(target, version):
    response = target.get(f"/v1/models/toy/versions/{version}")
    if response.status_code == 404:
        return None
    return response.json()["model_version_status"][0]["state"]


QUICK = {"model_name": "toy", "file_system_poll_wait_seconds": 0.05, "max_num_load_retries": 0}


@pytest.fixture
def push(models_folder, tmp_path):
    """Adds a version that calls a short text "short" or, if long, "long"."""

    def push(version, long=False):
        beside = tmp_path / f"beside-{version}"
        shutil.copytree(models_folder / "pair" / ("2" if long else "1"), beside)
        beside.rename(tmp_path / str(version))

    push(1)
    return push


def test_versions_are_swapped_and_broken_ones_refused_while_requests_are_answered(
    tmp_path, push, serve
):
    with serve(model_base_path=str(tmp_path), **QUICK) as target:

        def label():
            answer = target.post("/v1/models/toy:predict", json=TEXT)
            assert answer.status_code == 200, answer.text
            return answer.json()["predictions"][0]["label"]

        assert label() == "short"
        push(2, long=True)
        wait_for(lambda: label() == "long")
        (tmp_path / "3").mkdir()
        wait_for(lambda: state_of(target, 3) == "END")
        wait_for(lambda: state_of(target, 1) == "END")
        versions = target.get("/v1/models/toy").json()["model_version_status"]
        assert [v["version"] for v in versions] == ["3", "2", "1"]
        assert [v["state"] for v in versions] == ["END", "AVAILABLE", "END"]
        assert versions[0]["status"]["error_code"] == "NOT_FOUND"
        assert "Could not find SavedModel" in versions[0]["status"]["error_message"]
        assert label() == "long"


def test_ten_swaps_under_load_fail_no_request(tmp_path, push, serve):
    stop = threading.Event()

    def keep_asking(target):
        labels = []
        with httpx.Client(base_url=target.rest, timeout=30) as client:
            while not stop.wait(0.005):  # the server shares this process's interpreter
                answer = client.post("/v1/models/toy:predict", json=TEXT)
                assert answer.status_code == 200, answer.text
                labels.append(answer.json()["predictions"][0]["label"])
        return labels

    with (
        serve(model_base_path=str(tmp_path), **QUICK) as target,
        futures.ThreadPoolExecutor(4) as pool,
    ):
        clients = [pool.submit(keep_asking, target) for _ in range(4)]
        try:
            for version in range(2, 12):
                push(version, long=version % 2 == 0)
                wait_for(lambda: state_of(target, version) == "AVAILABLE")  # noqa: B023  now
        finally:
            stop.set()
        for client in clients:
            labels = client.result()
            assert labels[0] == "short"
            assert {"short", "long"} == set(labels)


def test_a_signal_lets_the_request_under_way_end(models_folder):
    slow = {"signature_name": "slow", "inputs": [10_000]}
    with (
        ServerProcess(models_folder / "toy", "toy") as server,
        futures.ThreadPoolExecutor(1) as pool,
    ):
        url = f"http://{server.rest_target}/v1/models/toy:predict"
        under_way = pool.submit(httpx.post, url, json=slow, timeout=60)
        while not under_way.running():
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(30) == 0
        assert under_way.result().json() == {"outputs": [10_000.0]}
        assert "Stopping" in server.log()


def test_it_can_be_stopped_while_it_waits_for_a_model(tmp_path):
    stop = threading.Event()
    stop.set()
    with serving(ServerFlags(str(tmp_path), port=0), stop) as frontend:
        assert frontend is None


def test_a_model_that_does_not_load_ends_it_with_the_reason(tmp_path):
    (tmp_path / "1").mkdir()
    with (
        pytest.raises(ServerFailed, match=r"(?s)ended with code 1.*Could not find SavedModel"),
        ServerProcess(tmp_path, flags={"max_num_load_retries": 0}),
    ):
        pass


def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path, serve):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(OSError, match=rf"can't listen on 127\.0\.0\.1:{port}"),
            serve(model_base_path=str(tmp_path), rest_api_port=port),
        ):
            pass


def test_a_grpc_port_in_use_is_an_error_not_a_share(model_base, addresses, serve):
    port = int(addresses[0].rsplit(":", 1)[1])
    with (
        pytest.raises(OSError, match="--port: can't listen"),
        serve(model_base_path=str(model_base), port=port),
    ):
        pass


def test_a_server_never_ready_is_given_up(tmp_path):
    with (
        pytest.raises(ServerFailed, match=r"was not ready after 0\.2 s"),
        ServerProcess(tmp_path, ready_seconds=0.2),
    ):
        pass


def test_it_listens_on_loopback_only(addresses):
    for address in addresses:
        with socket.socket() as elsewhere:
            port = int(address.rsplit(":", 1)[1])
            assert elsewhere.connect_ex(("127.0.0.2", port)) == errno.ECONNREFUSED


def test_brackets_without_end_are_refused(target):
    response = target.post(f"/v1/models/{toy_models.TOY}:predict", content="[" * 100_000)
    assert response.status_code == 400
    assert "JSON Parse error" in response.json()["error"]
