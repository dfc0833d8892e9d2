"""The processes that take part, for the time of a `with` block."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from serving.process import free_port

_ROOT = Path(__file__).parents[2]
_READY_SECONDS = 300.0


class ProcessFailed(RuntimeError):
    """A process ended before its time; the message has the end of what it said."""


class Process:
    """A process whose standard error is kept for when it fails.

    Args:
        command: what to run.
        folder: where.
    """

    def __init__(self, command: Sequence[object], folder: Path = _ROOT):
        self._command = [str(part) for part in command]
        self._folder = folder
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  read after the process has ended
        self._process: subprocess.Popen[str]

    def __enter__(self) -> Any:
        self._process = subprocess.Popen(
            self._command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"},
        )
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.terminate()
        self._process.wait()

    @property
    def pid(self) -> int:
        """The process's id, once entered."""
        return self._process.pid

    def failed(self) -> ProcessFailed:
        """The error that says how the process ended."""
        self._process.terminate()
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read().decode("utf-8", "replace")[-3000:]
        return ProcessFailed(f"{' '.join(self._command)} ended with code {code}\n{said}")


class Worker(Process):
    """A process that answers a line of JSON with a line of JSON."""

    def ask(self, **order: object) -> dict[str, Any]:
        """One order, and what came of it.

        Raises:
            ProcessFailed: instead of an answer.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except OSError:
            line = ""
        if not line:
            raise self.failed()
        return json.loads(line)


class Pipeline(Process):
    """A Hugging Face pipeline behind FastAPI (benchmarks/huggingface/serve.py).

    Args:
        python: of the peer's environment.
        arguments: what serve.py is told, besides its port.

    Attributes:
        target: "127.0.0.1:PORT".
    """

    def __init__(self, python: Path, arguments: Sequence[object]):
        port = free_port()
        self.target = f"127.0.0.1:{port}"
        super().__init__([python, "-m", "benchmarks.huggingface.serve", *arguments, "--port", port])

    def __enter__(self) -> "Pipeline":
        """Starts it and waits until it answers.

        Raises:
            ProcessFailed: it ended, or took too long.
        """
        super().__enter__()
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if httpx.post(f"http://{self.target}/predict", json={"text": "Ready?"}).is_success:
                    return self
            except httpx.TransportError:
                time.sleep(0.2)
        raise self.failed()


def cpu_seconds(pid: int) -> float:
    """Processor time that a process, which has no children, has taken until now."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clients(texts: Path) -> Worker:
    """The process of `clients.py`."""
    return Worker([sys.executable, "-m", "benchmarks.serving_load.clients", texts])


def in_process(version: Path, texts: Path) -> Worker:
    """The process of `in_process.py`."""
    return Worker([sys.executable, "-m", "benchmarks.serving_load.in_process", version, texts])
