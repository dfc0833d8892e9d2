"""The separate process that serves the candidate: tensorflow/serving in docker, or our own."""

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator

import docker
from absl import logging
from tfx.components.infra_validator import serving_bins
from tfx.components.infra_validator.model_server_runners import local_docker_runner
from tfx.proto import infra_validator_pb2

from serving.process import ServerFailed, ServerProcess

_REST_PORT = "8501/tcp"  # of the tensorflow/serving image
_LOG_TAIL = 4000
_POLL_SECONDS = 1


@dataclasses.dataclass(frozen=True)
class Endpoints:
    """Where the candidate answers.

    Attributes:
        description: which server, for the report.
        grpc_target: "HOST:PORT".
        rest_target: "HOST:PORT".
    """

    description: str
    grpc_target: str
    rest_target: str


@contextlib.contextmanager
def serve(
    model_path: str,
    serving_binary: serving_bins.ServingBinary,
    serving_spec: infra_validator_pb2.ServingSpec,
    loading_seconds: float,
) -> Iterator[Endpoints]:
    """Serves the model for the time of a `with` block.

    Args:
        model_path: `<base path>/<model name>/<version>`, holding saved_model.pb.
        serving_binary: the image to run where a docker daemon answers.
        serving_spec: with the model's name and how to reach the docker daemon.
        loading_seconds: how long the server may take until it answers.

    Raises:
        ServerFailed: if no server answered in time; the message ends with the server's log.
    """
    try:
        runner = _DockerServer(model_path, serving_binary, serving_spec)
    except docker.errors.DockerException as error:
        logging.info("No docker daemon (%s): validating with the development server.", error)
        with ServerProcess(
            os.path.dirname(model_path),
            serving_spec.model_name,
            loading_seconds,
            flags={"max_num_load_retries": 0, "file_system_poll_wait_seconds": 0},
        ) as server:
            yield Endpoints("development server", server.grpc_target, server.rest_target)
        return
    try:
        runner.start_and_wait(loading_seconds)
        yield Endpoints(
            f"docker {serving_binary.image}", runner.GetEndpoint(), runner.rest_endpoint()
        )
    finally:
        runner.Stop()


class _DockerServer(local_docker_runner.LocalDockerRunner):
    """TFX's runner, which publishes all of the image's ports but tells only gRPC's."""

    def start_and_wait(self, loading_seconds: float) -> None:
        deadline = time.time() + loading_seconds
        try:
            self.Start()
            self.WaitUntilRunning(deadline)
            client = self._serving_binary.MakeClient(self.GetEndpoint())
            client.WaitUntilModelLoaded(deadline, polling_interval_sec=_POLL_SECONDS)
        except Exception as error:
            log = (self.GetLogs() or "(no log)")[-_LOG_TAIL:]
            raise ServerFailed(f"{self!r} did not serve: {error}. Its log ends:\n{log}") from error

    def rest_endpoint(self) -> str:
        host = self.GetEndpoint().rsplit(":", 1)[0]
        return f"{host}:{self._container.ports[_REST_PORT][0]['HostPort']}"
