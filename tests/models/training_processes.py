"""What tests share that train in processes of their own: starting them, and what a training left."""

import json
import multiprocessing
import os
import socket
from collections.abc import Callable, Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

PRELOADED = ["models.classifier", "models.training"]  # found if this is run in the checkout
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(PRELOADED)


def start(
    target: Callable[..., None],
    arguments: Mapping[str, object],
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> BaseProcess:
    """Calls `target(**arguments)` in a new process, whose output is added to `log`.

    The process is forked from a server that has imported TensorFlow and done nothing else, because importing
    it takes as long as most of these trainings.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    process = _SERVER.Process(
        target=_call, args=(target, arguments, str(log), environment or {}), daemon=True
    )
    process.start()
    return process


def _call(
    target: Callable[..., None],
    arguments: Mapping[str, object],
    log: str,
    environment: Mapping[str, str],
) -> None:
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.environ.update(environment)
    target(**arguments)


def exit_code(process: BaseProcess, seconds: float | None = None) -> int | None:
    """How a process ended, as the negative number of the signal that killed it; None if it did not."""
    process.join(seconds)
    return process.exitcode


def worker_environments(count: int) -> list[dict[str, str]]:
    """The environment of each of some workers on free ports of the loopback interface."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    cluster = {"worker": workers}
    return [
        {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})}
        for index in range(count)
    ]


def outcome(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What a finished training left: curve and metrics, and weights."""
    result = json.loads((folder / "result.json").read_text())
    with np.load(folder / "weights.npz") as weights:
        return result, dict(weights)
