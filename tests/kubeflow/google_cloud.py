"""Stands in for Vertex AI's job service; the real client talks to it over TLS, with credentials."""

import contextlib
import datetime
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.aiplatform_v1.types import (
    CreateCustomJobRequest,
    CustomJob,
    GetCustomJobRequest,
    JobState,
)
from google.rpc import status_pb2

SERVICE = "google.cloud.aiplatform.v1.JobService"


class Vertex:
    """A job service where each job is over at once.

    Attributes:
        jobs: that were created, with their parents.
        errors: what becomes of each, in their order; "" is success.
    """

    def __init__(self, errors: list[str]):
        self.jobs: list[tuple[str, CustomJob]] = []
        self.errors = errors

    def create(self, request: CreateCustomJobRequest, context) -> CustomJob:
        assert dict(context.invocation_metadata())["authorization"].startswith("Bearer ")
        self.jobs.append((request.parent, request.custom_job))
        request.custom_job.name = f"{request.parent}/customJobs/{len(self.jobs)}"
        return request.custom_job

    def get(self, request, context) -> CustomJob:
        _, job = self.jobs[-1]
        error = self.errors[len(self.jobs) - 1]
        job.state = JobState.JOB_STATE_FAILED if error else JobState.JOB_STATE_SUCCEEDED
        job.error = status_pb2.Status(message=error)
        return job


@contextlib.contextmanager
def serve(vertex: Vertex, host: str, folder: Path) -> Iterator[dict[str, str]]:
    """Serves as a host on this machine; gives the environment in which a client finds it."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    certificate = _certificate(key, host)
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers([_handlers(vertex)])
    credentials = grpc.ssl_server_credentials([(private, certificate)])
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    proxy = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _tunnel_to(port))
    proxy.daemon_threads = True
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    account = {
        "type": "service_account",
        "client_email": "trainer@project.example",
        "private_key": private.decode(),
        "token_uri": "https://nowhere.example/token",
        "project_id": "project",
    }
    (folder / "account.json").write_text(json.dumps(account))
    (folder / "root.pem").write_bytes(certificate)
    try:
        yield {
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "account.json"),
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(folder / "root.pem"),
            "grpc_proxy": f"http://127.0.0.1:{proxy.server_address[1]}",
            "no_proxy": "",
        }
    finally:
        proxy.shutdown()
        server.stop(None)


def _handlers(vertex: Vertex) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            name: grpc.unary_unary_rpc_method_handler(
                answer, request.deserialize, CustomJob.serialize
            )
            for name, answer, request in (
                ("CreateCustomJob", vertex.create, CreateCustomJobRequest),
                ("GetCustomJob", vertex.get, GetCustomJobRequest),
            )
        },
    )


def _certificate(key: rsa.RSAPrivateKey, host: str) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.timezone.utc)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def _tunnel_to(port: int) -> type[socketserver.BaseRequestHandler]:
    """An HTTP proxy (CONNECT) that takes every host for one port of this machine."""

    class Tunnel(socketserver.BaseRequestHandler):
        def handle(self):
            said = b""
            while b"\r\n\r\n" not in said:
                said += self.request.recv(4096)
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            with socket.create_connection(("127.0.0.1", port)) as server:
                back = threading.Thread(target=_copy, args=(server, self.request), daemon=True)
                back.start()
                _copy(self.request, server)

    return Tunnel


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):  # one of the two has hung up
        while data := source.recv(65536):
            target.sendall(data)
