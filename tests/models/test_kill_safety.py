"""A training that is killed or preempted ends with the same bits as one that is not."""

from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from killing import assert_same, kill_repeatedly, start, train_to_the_end, wait_for_checkpoint
from training_processes import exit_code, outcome, worker_environments

from models.preemption import EXIT_PREEMPTED

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    train_to_the_end(folder)
    return folder


def test_killed_at_random_moments_it_ends_with_the_same_bits(undisturbed, tmp_path):
    killed = trainings = 0
    while killed < 5:
        folder = tmp_path / str(trainings)
        killed += kill_repeatedly(folder, 5 - killed, seed=trainings)
        assert_same(undisturbed, folder)
        trainings += 1


def test_a_broken_checkpoint_costs_only_the_way_from_the_one_before(undisturbed, tmp_path):
    process = start(tmp_path)
    while process.is_alive() and len(list(tmp_path.glob("checkpoints/*/state.json"))) < 2:
        wait_for_checkpoint(process, tmp_path)
    process.kill()
    process.join()
    newest = max(tmp_path.glob("checkpoints/*/state.json")).parent
    [data] = newest.glob("tensors.data-*")
    data.write_bytes(data.read_bytes()[:-100])
    train_to_the_end(tmp_path)
    assert (
        f"checkpoint {newest} is broken, taking the one before"
        in (tmp_path / "log.txt").read_text()
    )
    assert_same(undisturbed, tmp_path)


def test_sigterm_saves_and_ends_with_its_own_exit_code(undisturbed, tmp_path):
    process = start(tmp_path)
    wait_for_checkpoint(process, tmp_path)
    process.terminate()
    assert exit_code(process) == EXIT_PREEMPTED
    assert "Start the same run again to go on" in (tmp_path / "log.txt").read_text()
    assert not (tmp_path / "result.json").exists()
    train_to_the_end(tmp_path)
    assert_same(undisturbed, tmp_path)


def start_workers(folder: Path) -> list[BaseProcess]:
    return [
        start(folder / f"worker-{index}", environment, checkpoints=str(folder / "checkpoints"))
        for index, environment in enumerate(worker_environments(2))
    ]


def test_sigterm_to_one_worker_ends_all_and_they_go_on_together(tmp_path):
    straight, interrupted = tmp_path / "straight", tmp_path / "interrupted"
    assert [exit_code(process) for process in start_workers(straight)] == [0, 0]
    workers = start_workers(interrupted)
    wait_for_checkpoint(workers[0], interrupted)
    workers[1].terminate()
    assert [exit_code(process) for process in workers] == [EXIT_PREEMPTED] * 2
    assert [exit_code(process) for process in start_workers(interrupted)] == [0, 0]
    for index in range(2):
        assert_same(straight / f"worker-{index}", interrupted / f"worker-{index}")
    chief, other = (outcome(interrupted / f"worker-{index}")[0] for index in range(2))
    assert chief == other | {"is_chief": True}
