"""A development server in a process of its own, for the time of a `with` block."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

_PROJECT_ROOT = Path(__file__).resolve().parent.parent
_GRPC_READY = re.compile(rb"Running gRPC ModelServer at (\S+) \.\.\.")
_REST_READY = re.compile(rb"Exporting HTTP/REST API at:(\S+) \.\.\.")
_POLL_SECONDS = 0.05
_STOP_SECONDS = 15.0
_LOG_TAIL = 4000


class ServerFailed(RuntimeError):
    """The server process died or was not ready in time; the message ends with its log."""


class ServerProcess:
    """Starts `python -m serving.server` on free loopback ports; stops it on leaving the block.

    ```python
    with ServerProcess("serving_model", "pubmed") as server:
        Client(server.grpc_target, "pubmed").predict(["..."])
    ```

    Args:
        model_base_path: folder with one folder a version.
        model_name: the name to serve it under.
        ready_seconds: how long the server may take until it answers.
        flags: further flags of the server, by name without dashes.

    Attributes:
        grpc_target: "127.0.0.1:PORT" once entered.
        rest_target: "127.0.0.1:PORT" once entered.
    """

    def __init__(
        self,
        model_base_path: str | os.PathLike,
        model_name: str = "default",
        ready_seconds: float = 60.0,
        flags: Mapping[str, object] | None = None,
    ):
        self.grpc_target = ""
        self.rest_target = ""
        self._ready_seconds = ready_seconds
        self._flags = {
            "model_base_path": os.fspath(model_base_path),
            "model_name": model_name,
            "port": 0,
            **(flags or {}),
        }
        self._process: subprocess.Popen[bytes]  # from __enter__ on
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  read after the process has ended

    def __enter__(self) -> "ServerProcess":
        """Starts the server and waits until it answers.

        Raises:
            ServerFailed: if it dies first or takes longer than `ready_seconds`.
        """
        flags = {"rest_api_port": free_port(), **self._flags}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "serving.server", *(f"--{k}={v}" for k, v in flags.items())],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": _python_path()},
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The server's process id, once entered."""
        return self._process.pid

    def wait(self, seconds: float) -> int:
        """Waits until the server has ended; returns its exit code.

        Raises:
            subprocess.TimeoutExpired: if it still runs after `seconds`.
        """
        return self._process.wait(seconds)

    def log(self) -> str:
        """The end of what the server has written to stdout and stderr."""
        size = os.fstat(self._log.fileno()).st_size
        start = max(0, size - _LOG_TAIL)
        # pread: the child writes through the same file offset.
        return os.pread(self._log.fileno(), size - start, start).decode("utf-8", "replace")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self._ready_seconds
        while not (self.grpc_target and self.rest_target):
            if self._process.poll() is not None:
                raise ServerFailed(
                    f"The model server ended with code {self._process.returncode} before it was "
                    f"ready. Its log ends:\n{self.log()}"
                )
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"The model server was not ready after {self._ready_seconds:g} s. "
                    f"Its log ends:\n{self.log()}"
                )
            time.sleep(_POLL_SECONDS)
            written = os.pread(self._log.fileno(), 1 << 20, 0)
            if (grpc := _GRPC_READY.search(written)) and (rest := _REST_READY.search(written)):
                self.grpc_target, self.rest_target = grpc[1].decode(), rest[1].decode()

    def _stop(self) -> None:
        """SIGTERM, then SIGKILL for a server that does not go."""
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port() -> int:
    """A loopback TCP port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _python_path() -> str:
    return os.pathsep.join([str(_PROJECT_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
