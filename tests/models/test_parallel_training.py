"""Two replicas, in one process or in two, train like one, in every mode."""

import shutil
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import training_processes
from train_process import train_all
from training_processes import exit_code, outcome, worker_environments

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

# Nothing comes out even: 100 examples in batches of 13, so of 9 at last, over 2 replicas and 2 parts.
EXACT = {
    "epochs": 7,
    "batch_size": 13,
    "early_stopping_patience": 7,
    "optimizer": {"learning_rate": 3e-3},
    "checkpoint": {"every_seconds": 1000, "keep": 7},
}
UPDATES = 56
SHORT = EXACT | {"epochs": 2, "batch_size": 30}  # of 59 examples, so 30 and 29
TRAININGS = {
    "plain": EXACT,
    "accumulation": SHORT | {"accumulation_steps": 2, "steps_per_call": 2},
    "xla": SHORT | {"xla": True},
    "mixed_bfloat16": SHORT | {"precision": "mixed_bfloat16"},
    "mixed_float16": SHORT
    | {
        "epochs": 3,  # the first updates overflow
        "precision": "mixed_float16",
        "xla": True,
        "accumulation_steps": 2,
        "steps_per_call": 2,
    },
}
# Rounding to 8 bits differs with the shape of the products. Where float16 overflows does, too: a half of the
# batch may do with a scale that the whole one has to halve first, and then makes one update more.
TOLERANCES = {"mixed_bfloat16": 1e-2}
REPEATABLE = [name for name in TRAININGS if name != "mixed_float16"]


def arguments(folder: Path, name: str, strategy: str, **more) -> dict:
    settings = TRAININGS[name] | {"strategy": strategy}
    return {
        "folder": str(folder / name),
        "training": settings,
        "dropout": 0.0,
        "examples": 100 if settings["epochs"] == EXACT["epochs"] else 59,
    } | more


def start(folder: Path, trainings: list[dict], environment: dict | None = None) -> BaseProcess:
    """Starts trainings, one after the other, in one process; its output goes to `folder`/log.txt."""
    arguments = {"trainings": trainings}
    return training_processes.start(train_all, arguments, folder / "log.txt", environment)


def end(processes: dict[Path, BaseProcess]) -> None:
    """Waits for all; where one failed, the others have nobody to wait for."""
    try:
        for folder, process in processes.items():
            assert exit_code(process) == 0, (folder / "log.txt").read_text()[-5000:]
    finally:
        for process in processes.values():
            process.kill()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """All trainings: on one device in `one`, under MirroredStrategy on two logical devices in `mirrored`, and
    in two processes, for which "auto" takes MultiWorkerMirroredStrategy, in `worker-0` and `worker-1`.
    """
    scratch = tmp_path_factory.mktemp("parallel")
    one, mirrored = scratch / "one", scratch / "mirrored"
    processes = {
        one: start(one, [arguments(one, name, "one_device") for name in TRAININGS]),
        mirrored: start(
            mirrored, [arguments(mirrored, name, "mirrored", devices=2) for name in TRAININGS]
        ),
    }
    for index, environment in enumerate(worker_environments(2)):
        folder = scratch / f"worker-{index}"
        trainings = [
            arguments(folder, name, "auto", checkpoints=str(scratch / "checkpoints" / name))
            for name in TRAININGS
        ]
        processes[folder] = start(folder, trainings, environment)
    end(processes)
    return scratch


@pytest.fixture(scope="module")
def one(scratch) -> Path:
    return scratch / "one"


@pytest.fixture(scope="module")
def mirrored(scratch) -> Path:
    return scratch / "mirrored"


@pytest.fixture(scope="module")
def workers(scratch) -> list[Path]:
    return [scratch / f"worker-{index}" for index in range(2)]


def assert_alike(one: Path, other: Path, tolerance: float) -> None:
    (result, weights), (other_result, other_weights) = outcome(one), outcome(other)
    steps, other_steps = np.array(result["steps"]), np.array(other_result["steps"])
    exactly = [0, 4]  # number and tokens
    np.testing.assert_array_equal(steps[:, exactly], other_steps[:, exactly])
    np.testing.assert_allclose(steps[:, 1:4], other_steps[:, 1:4], atol=tolerance, rtol=tolerance)
    for means, other_means in zip(result["epochs"], other_result["epochs"], strict=True):
        for split, other_split in zip(means, other_means, strict=True):
            assert split["loss"] == pytest.approx(other_split["loss"], abs=tolerance)
    for name, value in weights.items():
        np.testing.assert_allclose(value, other_weights[name], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", REPEATABLE)
def test_two_devices_train_like_one(one, mirrored, name):
    assert outcome(mirrored / name)[0]["replicas"] == 2
    assert_alike(one / name, mirrored / name, TOLERANCES.get(name, 1e-5))


@pytest.mark.parametrize("name", REPEATABLE)
def test_two_workers_train_like_one(one, workers, name):
    assert outcome(workers[0] / name)[0]["replicas"] == 2
    assert_alike(one / name, workers[0] / name, TOLERANCES.get(name, 1e-5))


def test_two_replicas_learn_in_float16(one, mirrored, workers):
    folders = [folder / "mixed_float16" for folder in (one, mirrored, workers[0])]
    losses = [[step[1] for step in outcome(folder)[0]["steps"]] for folder in folders]
    assert losses[1] == pytest.approx(losses[2], rel=1e-6)
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-3)
    assert all(curve[-1] < curve[0] - 0.01 for curve in losses)


@pytest.mark.parametrize("name", TRAININGS)
def test_both_workers_end_with_the_same_bits(workers, name):
    (result, weights), (other_result, other_weights) = (outcome(w / name) for w in workers)
    assert result["steps"] == other_result["steps"]
    assert result["epochs"] == other_result["epochs"]
    for key, value in weights.items():
        np.testing.assert_array_equal(value, other_weights[key])


def test_only_the_chief_writes(workers):
    assert [outcome(w / "plain")[0]["is_chief"] for w in workers] == [True, False]
    assert [(w / "plain" / "history.json").exists() for w in workers] == [True, False]
    checkpoints = [path.name for path in (workers[0].parent / "checkpoints" / "plain").iterdir()]
    assert sorted(checkpoints) == [f"step-{8 * i:010}-epoch-{i:04}" for i in range(1, 8)]


def test_the_trainings_are_long_enough_to_differ(one):
    for name in TRAININGS:
        steps = outcome(one / name)[0]["steps"]
        epochs = TRAININGS[name]["epochs"]
        assert len(steps) == (UPDATES if epochs == 7 else 2 * epochs)
    losses = [step[1] for step in outcome(one / "plain")[0]["steps"]]
    assert np.mean(losses[-8:]) < np.mean(losses[:8]) - 0.01


def test_one_device_goes_on_from_a_checkpoint_of_two_replicas(one, mirrored, scratch, tmp_path):
    written = {
        "mirrored": mirrored / "plain" / "checkpoints",
        "workers": scratch / "checkpoints" / "plain",
    }
    trainings = []
    for name, folder in written.items():
        checkpoints = tmp_path / name / "checkpoints"
        shutil.copytree(folder, checkpoints)
        for path in sorted(checkpoints.iterdir())[4:]:
            shutil.rmtree(path)
        trainings.append(
            arguments(tmp_path / name, "plain", "one_device", checkpoints=str(checkpoints))
        )
    end({tmp_path / "process": start(tmp_path / "process", trainings)})
    for name, folder in written.items():
        first = "step-0000000008-epoch-0001/state.json"  # with times: not written again
        resumed = tmp_path / name / "checkpoints" / first
        assert resumed.read_bytes() == (folder / first).read_bytes()
        assert_alike(one / "plain", tmp_path / name / "plain", 1e-5)
