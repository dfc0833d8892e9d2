"""What clients reach: gRPC and REST, in one event loop in a thread of its own."""

import asyncio
import dataclasses
import logging
import socket
import threading
from typing import Any

import grpc
import uvicorn
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving import grpc_services
from serving.errors import invalid_argument
from serving.metrics import Metrics
from serving.model_manager import ModelManager
from serving.rest_api import Limits, create_app
from serving.runner import Runner
from serving.undecodable import RefuseUndecodable

_log = logging.getLogger("serving.server")

_GRACE_SECONDS = 10  # for requests under way when the server is asked to stop
_MAX_INT32 = 2**31 - 1


@dataclasses.dataclass(frozen=True)
class Listening:
    """Where, and how.

    Attributes:
        address: for gRPC.
        port: for gRPC; 0 takes a free one.
        rest_socket: for REST; None exports none.
        ssl: an SSLConfig message for gRPC; None means no TLS.
        health: whether gRPC's health service is exported.
        metrics_path: on the REST port; None exports none.
    """

    address: str
    port: int
    rest_socket: socket.socket | None
    ssl: Any
    health: bool
    metrics_path: str | None


class Frontend:
    """Listens for the time of a `with` block, then lets the requests under way end.

    Args:
        manager: the models.
        runner: runs them.
        metrics: counts requests.
        limits: of a request.
        listening: ports and protocols.

    Attributes:
        grpc_port: the port for gRPC, once entered.
    """

    def __init__(
        self,
        manager: ModelManager,
        runner: Runner,
        metrics: Metrics,
        limits: Limits,
        listening: Listening,
    ):
        self.grpc_port = 0
        self._manager = manager
        self._runner = runner
        self._metrics = metrics
        self._limits = limits
        self._listening = listening
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="frontend", daemon=True)

    def __enter__(self) -> "Frontend":
        """Listens.

        Raises:
            OSError: if the gRPC port is taken.
            ServingError: if TLS or the health service can't be had.
        """
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._end_loop()

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        self._grpc = await self._grpc_server()
        self.grpc_port = self._bind_grpc()
        await self._grpc.start()
        listening = self._listening
        _log.info("Running gRPC ModelServer at %s:%s ...", listening.address, self.grpc_port)
        self._rest: uvicorn.Server | None = None
        if listening.rest_socket is not None:
            self._rest = self._rest_server()
            self._rest_task = asyncio.create_task(self._rest.serve([listening.rest_socket]))
            # The socket listens already: a request sent now waits there for uvicorn.
            host, port = listening.rest_socket.getsockname()[:2]
            _log.info("Exporting HTTP/REST API at:%s:%s ...", host, port)

    async def _stop(self) -> None:
        ending = [self._grpc.stop(_GRACE_SECONDS)]
        if self._rest is not None:
            self._rest.should_exit = True
            ending.append(self._rest_task)
        await asyncio.gather(*ending)

    async def _grpc_server(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            interceptors=[RefuseUndecodable()],
            options=[
                ("grpc.max_receive_message_length", min(self._limits.max_bytes, _MAX_INT32)),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # or two servers would share a port and its requests
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            grpc_services.PredictionService(self._manager, self._runner, self._metrics), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            grpc_services.ModelService(self._manager), server
        )
        if self._listening.health:
            await _add_health(server)
        return server

    def _bind_grpc(self) -> int:
        address = f"{self._listening.address}:{self._listening.port}"
        try:
            if self._listening.ssl is None:
                return self._grpc.add_insecure_port(address)
            return self._grpc.add_secure_port(address, _credentials(self._listening.ssl))
        except RuntimeError as error:
            raise OSError(f"--port: can't listen on {address}; give a free port") from error

    def _rest_server(self) -> uvicorn.Server:
        app = create_app(
            self._manager, self._runner, self._metrics, self._limits, self._listening.metrics_path
        )
        return uvicorn.Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )


def _credentials(ssl: Any) -> grpc.ServerCredentials:
    if not ssl.server_key or not ssl.server_cert:
        raise invalid_argument("--ssl_config_file: server_key and server_cert are both needed")
    if ssl.client_verify and not ssl.custom_ca:
        raise invalid_argument("--ssl_config_file: client_verify needs custom_ca, to verify with")
    return grpc.ssl_server_credentials(
        [(ssl.server_key.encode(), ssl.server_cert.encode())],
        root_certificates=ssl.custom_ca.encode() or None,
        require_client_auth=ssl.client_verify,
    )


async def _add_health(server: grpc.aio.Server) -> None:
    try:
        from grpc_health.v1 import health, health_pb2, health_pb2_grpc
    except ImportError as error:
        raise invalid_argument(
            "--enable_grpc_healthcheck_service needs the package grpcio-health-checking, which is "
            "not installed; REST's /v1/models/NAME tells the state of a model without it"
        ) from error
    servicer = health.aio.HealthServicer()
    for service in ("ModelService", "PredictionService"):
        await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
