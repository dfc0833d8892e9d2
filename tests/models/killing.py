"""Kills a real training again and again and lets it go on each time.

`python tests/models/killing.py --kills 20` compares the end with that of a training nobody killed, bit by
bit.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from training_processes import outcome

SCRIPT = Path(__file__).with_name("train_process.py")
TRAINING = {
    "epochs": 8,
    "batch_size": 8,
    "early_stopping_patience": 8,
    "optimizer": {"learning_rate": 3e-3},
    "checkpoint": {"every_seconds": 0, "keep": 3},
}


def start(folder: Path, **arguments: object) -> subprocess.Popen:
    """Starts a training; its output goes to `folder`/log.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {"folder": str(folder), "training": TRAINING} | arguments
    with open(folder / "log.txt", "ab") as log:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), json.dumps(arguments)], stdout=log, stderr=log
        )


def assert_same(one: Path, other: Path) -> None:
    """Every loss, gradient norm, metric and weight is equal to the last bit."""
    (result, weights), (other_result, other_weights) = outcome(one), outcome(other)
    assert result == other_result
    for name, value in weights.items():
        assert np.array_equal(value, other_weights[name]), name


def wait_for_checkpoint(process: subprocess.Popen, folder: Path, seconds: float = 120) -> None:
    """Waits until a training writes a checkpoint that was not there before, or has ended."""
    before = set(folder.glob("checkpoints/step-*"))
    deadline = time.monotonic() + seconds
    while process.poll() is None and not set(folder.glob("checkpoints/step-*")) - before:
        if time.monotonic() > deadline:
            process.kill()
            raise TimeoutError((folder / "log.txt").read_text())
        time.sleep(0.005)


def kill_repeatedly(folder: Path, kills: int, seed: int) -> int:
    """Lets one training be killed at random moments after it went on, then lets it end.

    Returns:
        How many times it was killed; fewer than asked if it ended before.
    """
    rng = random.Random(seed)
    for killed in range(kills):
        process = start(folder)
        wait_for_checkpoint(process, folder)
        try:
            process.wait(rng.uniform(0, 0.4))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            return killed
    assert start(folder).wait() == 0, (folder / "log.txt").read_text()
    return kills


def main() -> None:
    """Repeats until the training was killed as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        undisturbed = Path(scratch, "undisturbed")
        assert start(undisturbed).wait() == 0, (undisturbed / "log.txt").read_text()
        killed = rounds = 0
        while killed < arguments.kills:
            folder = Path(scratch, str(rounds))
            killed += kill_repeatedly(folder, arguments.kills - killed, arguments.seed + rounds)
            assert_same(undisturbed, folder)
            rounds += 1
            print(f"killed {killed} times in {rounds} trainings, all equal to the last bit")


if __name__ == "__main__":
    main()
