"""What tests share that run `train_process.py`: addresses of workers, and what a training left."""

import json
import socket
from pathlib import Path

import numpy as np


def worker_configs(count: int) -> list[str]:
    """The TF_CONFIG of each of some workers on free ports of the loopback interface."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    workers = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    cluster = {"worker": workers}
    return [
        json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        for index in range(count)
    ]


def outcome(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """What a finished training left: curve and metrics, and weights."""
    result = json.loads((folder / "result.json").read_text())
    with np.load(folder / "weights.npz") as weights:
        return result, dict(weights)
