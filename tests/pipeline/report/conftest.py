"""A finished run."""

import json
from pathlib import Path

import pytest
from small_verdict import HOSTILE, World, make_verdict

from components.evaluator.verdict import Verdict
from pipeline.report.page import render
from pipeline.report.run_record import RunRecord

RUN_ID = "20261125T131032.738Z"


def make_history() -> dict:
    """As models.history.History writes it; a skipped update has no gradient norm."""
    step = {"learning_rate": 1e-4, "tokens": 10, "positions": 12, "seconds": 0.1, "skipped": False}
    steps = [
        step | {"step": i + 1, "loss": 1 / (i + 1), "gradient_norm": None if i == 3 else 1.0}
        for i in range(20)
    ]
    epochs = [
        {
            "epoch": i + 1,
            "seconds": 2.0,
            "train_seconds": 1.5,
            "train": {"loss": 1 / (i + 1), "accuracy": 0.8},
            "eval": {"loss": 0.5, "accuracy": 0.7},
            "skipped": 0,
        }
        for i in range(2)
    ]
    return {"epochs": epochs, "steps": steps}


def make_summary(**changes: object) -> dict:
    return {
        "pipeline": "notes",
        "run_id": RUN_ID,
        "status": "succeeded",
        "error": None,
        "seconds": 277.5,
        "components": {
            "TextExampleGen": {"state": "cached", "seconds": 0.1},
            "Trainer": {"state": "ran", "seconds": 227.3},
        },
        "rows": {
            "read": 487,
            "kept": 480,
            "quarantined": 4,
            "filtered": 3,
            "kept_by_split": {"train": 300, "eval": 60, "test": 120},
            "quarantined_by_reason": {"empty_text": 4},
            "filtered_by_reason": {"no_label": 3},
        },
        "text": {"coverage": 0.98, "token_chars": 4.5, "tokens_mean": 40.5, "tokens_max": 64},
        "vocabulary": None,
        "pretrain_examples": None,
        "tuning": None,
        "metrics": {"eval": {"loss": 0.5, "accuracy": 0.7}},
        "blessing": {"blessed": True, "reasons": []},
        "pushed": {"version": "17", "path": "/serving/notes/17", "label": "stable"},
        "hashes": {"config": "c0ffee", "data": "d", "vocabulary": "v", "weights": None},
        "inputs": {
            "data": "/data",
            "schema": "/schema/0/schema.pbtxt",
            "vocabulary": "/vocab.txt",
            "vocabulary_hash": "v",
            "weights": None,
            "weights_hash": None,
        },
        "artifacts": {},
        "environment": {"python": "3.10.13", "cpus": 2, "tfx": "1.16.0"},
    } | changes


@pytest.fixture(scope="session")
def world() -> World:
    return World()


def write_run_folder(
    folder: Path, verdict: Verdict | None = None, history: dict | None = None, **changes: object
) -> Path:
    """Writes a run's folder as pipeline.run does; a verdict and a history go into artifacts."""
    folder.mkdir(parents=True)
    artifacts = {}
    if verdict:
        (folder / "evaluation").mkdir()
        verdict.write(folder / "evaluation")
        artifacts["Evaluator.evaluation"] = [str(folder / "evaluation")]
    if history:
        (folder / "model_run").mkdir()
        (folder / "model_run/history.json").write_text(json.dumps(history))
        artifacts["Trainer.model_run"] = [str(folder / "model_run")]
    summary = make_summary(artifacts=artifacts) | changes
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.json").write_text(json.dumps({"name": "notes", "note": HOSTILE}))
    return folder


@pytest.fixture
def write_run(tmp_path):
    def write(*parts: object, **changes: object) -> Path:
        return write_run_folder(tmp_path / "runs/notes" / RUN_ID, *parts, **changes)

    return write


@pytest.fixture(scope="session")
def good(world, tmp_path_factory) -> Path:
    """The folder of a run whose model was pushed; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / RUN_ID
    return write_run_folder(folder, make_verdict(world, threshold=0.3), make_history())


@pytest.fixture(scope="session")
def good_page(good) -> str:
    """Its report."""
    return render(RunRecord.read(good))
