"""Whole runs of the line: it learns, it caches, it refuses, it serves."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tensorflow as tf
from end_to_end_world import Recorder, make_config, make_rows, settings, write_csv

from models.preemption import EXIT_PREEMPTED
from pipeline.predict import newest_version, predict
from pipeline.run import new_run_id, run
from serving.client import Client
from serving.process import ServerProcess

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TRAINING_AND_AFTER = {"Trainer", "ServingValidator", "Evaluator", "Pusher"}


@pytest.fixture(scope="module")
def first(world):
    return run(make_config(world), new_run_id(), Recorder())


def states(summary: dict) -> set[str]:
    return {component["state"] for component in summary["components"].values()}


def run_command(config: Path, project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(config)]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)


def checkpoints(folder: Path) -> set[Path]:
    return set(folder.glob("runs/tiny/checkpoints/*/step-*/state.json"))


def versions(world: Path) -> list[str]:
    return sorted(path.name for path in (world / "runs/tiny/serving/tiny").iterdir())


def test_learns_and_is_pushed(world, first):
    assert first["status"] == "succeeded", first["error"] or first["blessing"]
    assert first["metrics"]["test"]["accuracy"] > 0.8  # chance is a third
    assert first["metrics"]["test"]["macro_f1"] > 0.8
    assert states(first) == {"ran"}
    assert (Path(first["pushed"]["path"]) / "saved_model.pb").is_file()
    assert first["rows"]["read"] == first["rows"]["kept"] == 400
    assert first["text"]["coverage"] > 0.99
    assert list(Path(first["artifacts"]["Trainer.model_run"][0]).glob("events.out.tfevents.*"))


def test_summary_is_on_disk(world, first):
    path = world / "runs/tiny" / first["run_id"] / "summary.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(first))


def test_served_answers_equal_those_of_the_pushed_model(world, first):
    texts = [row["text"] for row in make_rows(20, seed=7)] + ["", "Ünïcödé hëart"]
    expected = predict(make_config(world), texts)
    base = newest_version(make_config(world)).parent
    with ServerProcess(base, "tiny") as server:
        for transport, target in (("grpc", server.grpc_target), ("rest", server.rest_target)):
            with Client(target, "tiny", transport=transport) as client:
                answers = client.predict(texts)
            assert [a.label for a in answers] == [e["label"] for e in expected]
            assert [a.probability for a in answers] == pytest.approx(
                [e["probability"] for e in expected], abs=1e-5
            )
    right = [
        a.label == row["label"] for a, row in zip(answers[:20], make_rows(20, seed=7), strict=True)
    ]
    assert sum(right) > 16


def test_unchanged_config_is_all_cached_and_pushes_nothing(world, first):
    before = versions(world)
    again = run(make_config(world), new_run_id(), Recorder())
    assert states(again) == {"cached"}
    assert again["status"] == "succeeded"
    assert versions(world) == before
    assert again["metrics"] == first["metrics"]


def test_another_learning_rate_reruns_training_and_what_follows(world, first):
    listener = Recorder()
    config = make_config(world, training={"epochs": 6, "optimizer": {"learning_rate": 4e-3}})
    run(config, new_run_id(), listener)
    ran = {node for node, state in listener.states.items() if state == "ran"}
    assert ran == TRAINING_AND_AFTER


def test_a_bad_model_is_refused(world, first):
    before = versions(world)
    untrained = {"epochs": 1, "optimizer": {"learning_rate": 1e-9}}
    gate = {"min_accuracy": 0.8, "slices": ["label"], "slice_min_accuracy": {"label": 0.5}}
    summary = run(make_config(world, training=untrained, gate=gate), new_run_id(), Recorder())
    assert summary["status"] == "not_blessed"
    assert summary["pushed"] is None
    assert versions(world) == before
    reasons = "\n".join(summary["blessing"]["reasons"])
    assert "accuracy on all test examples is" in reasons
    assert "asked at least 0.8" in reasons
    assert "accuracy on label=" in reasons
    assert "against the baseline" in reasons


def test_a_model_worse_than_the_blessed_one_is_refused_by_that_alone(world, first):
    untrained = {"epochs": 1, "optimizer": {"learning_rate": 1e-9}}
    summary = run(
        make_config(world, training=untrained, gate={"min_accuracy": 0.0}), new_run_id(), Recorder()
    )
    assert summary["status"] == "not_blessed"
    [reason] = summary["blessing"]["reasons"]
    assert "against the baseline" in reason


def test_bad_rows_stop_the_line_and_are_kept(tmp_path, world):
    (tmp_path / "data").mkdir()
    rows = make_rows(100)
    for row in rows[:20]:
        row["text"] = ""
    write_csv(tmp_path / "data" / "rows.csv", rows)
    (tmp_path / "vocab.txt").write_text((world / "vocab.txt").read_text())
    summary = run(make_config(tmp_path), new_run_id(), Recorder())
    assert summary["status"] == "failed"
    assert summary["error"]["component"] == "DataValidator"
    assert "20 of 100 rows are bad" in summary["error"]["message"]
    assert "empty_text" in summary["error"]["message"]
    [folder] = summary["artifacts"]["TextExampleGen.quarantine"]
    lines = [
        line for p in Path(folder).glob("rejected-*.jsonl") for line in p.read_text().splitlines()
    ]
    assert len(lines) == 20
    assert "Trainer" not in summary["components"]


def test_same_seed_gives_the_same_model(world, first, tmp_path):
    elsewhere = make_config(world, root=str(tmp_path))
    again = run(elsewhere, new_run_id(), Recorder())
    assert again["metrics"]["train"] == first["metrics"]["train"]
    texts = tf.constant([row["text"] for row in make_rows(5, seed=3)])
    one, other = (
        tf.saved_model.load(s["pushed"]["path"]).signatures["serving_text"](text=texts)[
            "probabilities"
        ]
        for s in (first, again)
    )
    tf.debugging.assert_equal(one, other)


def test_a_run_that_was_preempted_and_killed_ends_as_if_it_had_not_been(world, first, tmp_path):
    config = settings(world, root=str(tmp_path / "runs"))
    config["training"] |= {"checkpoint": {"every_seconds": 0}}
    (tmp_path / "tiny.yaml").write_text(json.dumps(config))
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(tmp_path / "tiny.yaml")]
    for number, code in ((signal.SIGTERM, EXIT_PREEMPTED), (signal.SIGKILL, -signal.SIGKILL)):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        before = checkpoints(tmp_path)
        while process.poll() is None and not checkpoints(tmp_path) - before:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate()
        assert process.returncode == code, errors
    completed = run_command(tmp_path / "tiny.yaml", ROOT)
    assert completed.returncode == 0, completed.stderr
    assert "going on after update" in completed.stderr
    newest = max((tmp_path / "runs/tiny").glob("*/summary.json"))
    assert json.loads(newest.read_text())["metrics"]["train"] == first["metrics"]["train"]
    assert not checkpoints(tmp_path)


def test_an_edit_of_the_trainers_code_reruns_it_and_nothing_before(world, first, tmp_path):
    """In a copy of the project, whose packages the runs import; the runs' cache is shared."""
    project = tmp_path / "project"
    for package in ("components", "models", "pipeline", "serving"):
        shutil.copytree(
            ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    with (project / "components/trainer/run_fn.py").open("a") as file:
        file.write("\n# an edit\n")
    (tmp_path / "tiny.yaml").write_text(json.dumps(settings(world)))
    completed = run_command(tmp_path / "tiny.yaml", project)
    assert completed.returncode == 0, completed.stderr
    newest = max((world / "runs/tiny").glob("*/summary.json"))
    components = json.loads(newest.read_text())["components"]
    ran = {name for name, component in components.items() if component["state"] == "ran"}
    assert "Trainer" in ran
    assert not ran & {"ImportSchemaGen", "TextExampleGen", "StatisticsGen", "Transform"}


def test_command_line_tells_by_its_exit_code_that_a_model_was_refused(world, first, tmp_path):
    gate = {"min_accuracy": 1.0, "min_macro_f1": 1.0, "max_accuracy_drop": 1.0}
    training = {"epochs": 1, "optimizer": {"learning_rate": 1e-9}}
    (tmp_path / "tiny.yaml").write_text(json.dumps(settings(world, gate=gate, training=training)))
    completed = run_command(tmp_path / "tiny.yaml", ROOT)
    assert completed.returncode == 3
    assert "not blessed, not pushed" in completed.stderr
    assert "accuracy on all test examples is" in completed.stderr
