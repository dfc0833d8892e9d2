"""Kills a real training again and again and lets it go on each time.

`python tests/models/killing.py --kills 20` compares the end with that of a training nobody killed, bit by
bit.
"""

import argparse
import random
import signal
import tempfile
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import training_processes
from train_process import train
from training_processes import exit_code, outcome

TRAINING = {
    "epochs": 5,
    "batch_size": 8,
    "early_stopping_patience": 5,
    "optimizer": {"learning_rate": 3e-3},
    "checkpoint": {"every_seconds": 0, "keep": 3},
}


def start(
    folder: Path, environment: Mapping[str, str] | None = None, **arguments: object
) -> BaseProcess:
    """Starts a training; its output goes to `folder`/log.txt."""
    arguments = {"folder": str(folder), "training": TRAINING} | arguments
    return training_processes.start(train, arguments, folder / "log.txt", environment)


def train_to_the_end(folder: Path) -> None:
    """Trains, or goes on."""
    assert exit_code(start(folder)) == 0, (folder / "log.txt").read_text()


def assert_same(one: Path, other: Path) -> None:
    """Every loss, gradient norm, metric and weight is equal to the last bit."""
    (result, weights), (other_result, other_weights) = outcome(one), outcome(other)
    assert result == other_result
    for name, value in weights.items():
        assert np.array_equal(value, other_weights[name]), name


def wait_for_checkpoint(process: BaseProcess, folder: Path, seconds: float = 120) -> None:
    """Waits until a training writes a checkpoint that was not there before, or has ended."""
    before = set(folder.glob("checkpoints/step-*"))
    deadline = time.monotonic() + seconds
    while process.is_alive() and not set(folder.glob("checkpoints/step-*")) - before:
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
        process.join(rng.uniform(0, 0.3))
        process.kill()
        if exit_code(process) != -signal.SIGKILL:
            return killed
    train_to_the_end(folder)
    return kills


def main() -> None:
    """Repeats until the training was killed as often as asked."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        undisturbed = Path(scratch, "undisturbed")
        train_to_the_end(undisturbed)
        killed = rounds = 0
        while killed < arguments.kills:
            folder = Path(scratch, str(rounds))
            killed += kill_repeatedly(folder, arguments.kills - killed, arguments.seed + rounds)
            assert_same(undisturbed, folder)
            rounds += 1
            print(f"killed {killed} times in {rounds} trainings, all equal to the last bit")


if __name__ == "__main__":
    main()
