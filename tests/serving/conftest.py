"""Servers for the tests, and where the conformance suite finds its own.

The suite runs against the development server, started here, or against any server that is told:

    python -m pytest tests/serving/conformance --target HOST:GRPC_PORT,HOST:REST_PORT

where that server serves what `tests/serving/toy_models.py` writes.
"""

import contextlib
import dataclasses
import threading
import time

import grpc
import httpx
import pytest
import toy_models
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.flags import ServerFlags
from serving.process import free_port
from serving.server import serving


def pytest_addoption(parser):
    parser.addoption(
        "--target",
        help="HOST:GRPC_PORT,HOST:REST_PORT of a server with the models of toy_models.py",
    )


@dataclasses.dataclass(frozen=True)
class Target:
    """A server, and stubs for it."""

    grpc_target: str
    rest: str
    prediction: prediction_service_pb2_grpc.PredictionServiceStub
    model: model_service_pb2_grpc.ModelServiceStub

    def get(self, path):
        return httpx.get(f"{self.rest}{path}", timeout=30)

    def post(self, path, **kwargs):
        return httpx.post(f"{self.rest}{path}", timeout=30, **kwargs)


@contextlib.contextmanager
def asking(grpc_target, rest_target):
    with grpc.insecure_channel(grpc_target) as channel:
        yield Target(
            grpc_target,
            f"http://{rest_target}",
            prediction_service_pb2_grpc.PredictionServiceStub(channel),
            model_service_pb2_grpc.ModelServiceStub(channel),
        )


@contextlib.contextmanager
def serve_here(**flags):
    """The development server in this process, on free ports."""
    rest_port = free_port()
    settings = {"port": 0, "rest_api_port": rest_port, **flags}
    with (
        serving(ServerFlags(**settings), threading.Event()) as frontend,
        asking(f"127.0.0.1:{frontend.grpc_port}", f"127.0.0.1:{rest_port}") as target,
    ):
        yield target


@pytest.fixture(scope="session")
def serve():
    """A context manager that serves in this process."""
    return serve_here


@pytest.fixture(scope="session")
def models_folder(tmp_path_factory):
    """A folder with the suite's models."""
    folder = tmp_path_factory.mktemp("models")
    toy_models.export_models(folder, str(folder))
    return folder


@pytest.fixture(scope="session")
def target(request):
    """The server under test, once it serves."""
    told = request.config.getoption("--target", default=None)
    if told:
        with asking(*told.split(",")) as target:
            _wait_until_served(target)
            yield target
        return
    folder = request.getfixturevalue("models_folder")
    with serve_here(
        model_config_file=str(folder / "models.config"),
        monitoring_config_file=str(folder / "monitoring.config"),
        allow_version_labels_for_unavailable_models=True,
    ) as target:
        yield target


def _wait_until_served(target):
    for _ in range(120):
        with contextlib.suppress(httpx.HTTPError):
            if target.get(f"/v1/models/{toy_models.TOY}/metadata").status_code == 200:
                return
        time.sleep(0.5)
    pytest.fail(f"{target.rest} does not serve {toy_models.TOY}")


@pytest.fixture(scope="session")
def addresses(target):
    """(gRPC, REST) addresses of the server under test."""
    return target.grpc_target, target.rest.removeprefix("http://")


@pytest.fixture(scope="session")
def model_base(models_folder):
    """A model folder with one version."""
    return models_folder / toy_models.TOY


@pytest.fixture(scope="session")
def toy():
    """The export function, for tests that make versions of their own."""
    return toy_models.export_toy
