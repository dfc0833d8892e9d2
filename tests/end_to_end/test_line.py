"""Whole runs of the line: it learns, it caches, it refuses, it serves."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import nbformat
import numpy as np
import pytest
import tensorflow as tf
import ways_in
from end_to_end_world import (
    ROOT,
    Recorder,
    make_config,
    make_rows,
    settings,
    start_command,
    write_csv,
)
from nbclient import NotebookClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from training_processes import exit_code

from components.pusher.store import Store
from components.serving_validator.questions import HOSTILE_TEXTS
from models.classifier import TextClassifier
from models.preemption import EXIT_PREEMPTED
from pipeline.commands.options import EXIT_NOT_BLESSED
from pipeline.predict import predict, stable_version
from pipeline.run import new_run_id, run
from serving.client import Client
from serving.process import ServerProcess

pytestmark = pytest.mark.slow

TRAINING_AND_AFTER = {"Trainer", "ServingValidator", "Evaluator", "ModelCard", "Pusher"}
UNTRAINED = {"epochs": 1, "optimizer": {"learning_rate": 1e-9}}


@pytest.fixture(scope="module")
def first(world):
    return run(make_config(world), new_run_id(), Recorder())


@pytest.fixture(scope="module")
def untrained(world, first):
    """The summary of a run whose model has learnt nothing, and who listened."""
    listener = Recorder()
    gate = {"min_accuracy": 0.8, "slices": ["label"], "slice_min_accuracy": {"label": 0.5}}
    config = make_config(world, training=UNTRAINED, gate=gate)
    return run(config, new_run_id(), listener), listener


def states(summary: dict) -> set[str]:
    return {component["state"] for component in summary["components"].values()}


def newest_summary(folder: Path) -> dict:
    return json.loads(max(folder.glob("*/summary.json")).read_text())


def checkpoints(folder: Path) -> set[Path]:
    return set(folder.glob("runs/tiny/checkpoints/*/step-*/state.json"))


def versions(world: Path) -> list[str]:
    return list(map(str, Store(str(world / "runs/tiny/serving/tiny")).versions()))


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


def test_a_report_says_whether_and_why(world, first, untrained):
    good, bad = (
        (world / "runs/tiny" / summary["run_id"] / "report.html").read_text()
        for summary in (first, untrained[0])
    )
    assert "<strong>Yes.</strong>" in good
    assert first["pushed"]["path"] in good
    assert "<strong>No.</strong>" in bad
    assert "No. tiny, run" in bad  # the title
    for page in (good, bad):
        for part in ("slices", "confusion", "calibration", "examples", "training", "lineage"):
            assert f'<section id="{part}">' in page
        assert "Not shown" not in page  # everything could be read
        assert "TF-IDF + linear SVM" in page
        assert "different texts" in page  # the audit's


def test_the_model_card_lies_beside_the_model(first, untrained):
    folder = Path(first["pushed"]["path"], "assets.extra")
    card = json.loads((folder / "model_card.json").read_text())
    accuracy = card["quantitative_analysis"]["performance_metrics"][0]
    assert accuracy["value"] == pytest.approx(first["metrics"]["test"]["accuracy"])
    assert card["model_details"]["version"]["name"] == first["run_id"]
    assert "**Blessed**" in (folder / "model_card.md").read_text()
    [refused] = untrained[0]["artifacts"]["ModelCard.model_card"]
    assert "**Not blessed:**" in Path(refused, "model_card.md").read_text()


def test_the_notebook_shows_a_runs_data_and_evaluation(world, first, monkeypatch):
    monkeypatch.setenv("SCIFORMER_RUN", str(world / "runs/tiny" / first["run_id"]))
    notebook = nbformat.read(ROOT / "docs/evaluation.ipynb", as_version=4)
    NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(ROOT)}}).execute()
    shown = [
        output.data
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type in ("display_data", "execute_result")
    ]
    assert any("facets-overview" in data.get("text/html", "") for data in shown)  # TFDV's view
    widgets = [
        data["text/plain"] for data in shown if "application/vnd.jupyter.widget-view+json" in data
    ]
    assert [text.partition("(")[0] for text in widgets] == ["SlicingMetricsViewer", "PlotViewer"]
    tables = [data["text/plain"] for data in shown]
    assert any("label=heart" in table for table in tables)


def test_served_answers_equal_those_of_the_pushed_model(world, first):
    texts = [row["text"] for row in make_rows(20, seed=7)] + ["", "Ünïcödé hëart"]
    expected = predict(make_config(world), texts)
    base = stable_version(make_config(world)).parent
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


UNICODE = [
    *HOSTILE_TEXTS,  # among them nothing, white space, a very long text, and control characters
    "He\u0301a\u0308rt hëärt HÉART",
    "心臓の脈 — 心 臓",
    "قلب مريض \u202eheart\u202c",
    "лёгкие лeгкие",
    "\U0001f600heart\u200d\U0001f600 👩🏽\u200d🔬",
    "\x00heart\x01 lung\x7f\u200b\ufeff",
    "skin " * 62 + "lung heart",  # as long as the model reads, and a word more
]


def test_every_way_in_gives_the_trained_answers(first, tmp_path):
    """Keras, SavedModel, gRPC, REST, TFMA and BulkInferrer, in requests of 1 to 64 rows."""
    [uri] = first["artifacts"]["Trainer.model"]
    model = Path(first["pushed"]["path"])
    texts = UNICODE + [row["text"] for row in make_rows(127 - len(UNICODE), seed=5)]
    examples = ways_in.examples_of(texts, "heart")
    classifier = TextClassifier.load(Path(uri, "classifier"))
    ids = classifier.tokenizer(tf.constant(texts)).to_tensor().numpy()
    probabilities = classifier.probabilities(texts)
    scores = [dict(zip(classifier.classes, row, strict=True)) for row in probabilities.tolist()]
    with ways_in.served(model) as server:
        found_probabilities = {
            "SavedModel": ways_in.saved_model(model, "serving_text", "text", texts),
            "gRPC": server.grpc_predict("serving_text", "text", texts),
            "gRPC, examples": server.grpc_predict("serving_default", "examples", examples),
            "REST": server.rest_predict("serving_text", "text", texts),
            "REST, examples": server.rest_predict("serving_default", "examples", examples),
        }
        found_scores = {
            "gRPC Classify": server.grpc_classify(examples),
            "MultiInference": server.multi_inference(examples),
            "REST classify": server.rest_classify(texts),
        }
        found_ids = {
            "SavedModel": ways_in.saved_model(model, "transform_features", "examples", examples),
            "gRPC": server.grpc_predict("transform_features", "examples", examples),
            "REST": server.rest_predict("transform_features", "examples", examples),
        }
        embeddings = [
            server.grpc_predict("embed", "text", texts)["embedding"],
            server.rest_predict("embed", "text", texts),
        ]
    analysed = ways_in.analysed(model, examples, tmp_path)
    found_probabilities["TFMA"] = found_ids["TFMA"] = analysed
    found_probabilities["BulkInferrer"] = [
        {"probabilities": row["scores"]}  # of serving_default, tfx_bsl cannot read `label`
        for row in ways_in.bulk_inferred(uri, "classify", examples, tmp_path / "answers")
    ]
    found_ids["BulkInferrer"] = ways_in.bulk_inferred(
        uri, "transform_features", examples, tmp_path / "ids"
    )
    assert len(np.unique(ids)) > 25  # not all is [UNK]
    assert {len(row) for row in classifier.tokenizer(tf.constant(texts)).to_list()} >= {2, 64}
    for way, answers in found_ids.items():
        found = ways_in.column(answers, "token_ids")
        np.testing.assert_array_equal(found, ids[:, : found.shape[1]], err_msg=way)
        assert not ids[:, found.shape[1] :].any(), way
    for way, answers in found_probabilities.items():
        found = ways_in.column(answers, "probabilities")
        np.testing.assert_allclose(found, probabilities, rtol=0, atol=1e-5, err_msg=way)
    for way, rows in found_scores.items():
        assert [list(row) for row in rows] == [classifier.classes] * len(texts), way
        assert rows == [pytest.approx(row, rel=0, abs=1e-5) for row in scores], way
    for found in embeddings:
        np.testing.assert_allclose(found, classifier.embeddings(texts), rtol=0, atol=1e-5)


def test_unchanged_config_is_all_cached_and_pushes_nothing(world, first):
    before = versions(world)
    again = run(make_config(world), new_run_id(), Recorder())
    assert states(again) == {"cached"}
    assert again["status"] == "succeeded"
    assert versions(world) == before
    assert again["metrics"] == first["metrics"]
    assert again["pushed"] == first["pushed"]
    assert first["pushed"]["label"] == "stable"


def test_other_training_reruns_it_and_what_follows(untrained):
    _, listener = untrained
    ran = {node for node, state in listener.states.items() if state == "ran"}
    assert ran == TRAINING_AND_AFTER


def test_a_bad_model_is_refused(world, first, untrained):
    summary, _ = untrained
    assert summary["status"] == "not_blessed"
    assert summary["pushed"] is None
    assert versions(world) == [Path(first["pushed"]["path"]).name]
    reasons = "\n".join(summary["blessing"]["reasons"])
    assert "accuracy on all test examples is" in reasons
    assert "asked at least 0.8" in reasons
    assert "accuracy on label=" in reasons
    assert "below that of the latest blessed model" in reasons
    failed = summary["blessing"]["failed"]
    assert {rule["name"] for rule in failed} == {
        "min_accuracy",
        "slice_min_accuracy",
        "against_blessed",
    }
    assert all(
        len(rule["worst"]) == min(20, rule["examples"]) for rule in failed if rule["slice"] == ""
    )


def test_a_model_worse_than_the_blessed_one_is_refused_by_that_alone(world, untrained):
    config = make_config(world, training=UNTRAINED, gate={"min_accuracy": 0.0, "slices": []})
    summary = run(config, new_run_id(), Recorder())
    assert summary["status"] == "not_blessed"
    [reason] = summary["blessing"]["reasons"]
    assert "below that of the latest blessed model" in reason


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
    report = (tmp_path / "runs/tiny" / summary["run_id"] / "report.html").read_text()
    assert "DataValidator failed" in report
    assert folder in report


def test_a_run_that_was_preempted_and_killed_ends_as_if_it_had_not_been(world, first, tmp_path):
    config = settings(world, root=str(tmp_path / "runs"))
    config["training"] |= {"checkpoint": {"every_seconds": 0}, "wandb_project": "tests"}
    (tmp_path / "runs/tiny").mkdir(parents=True)  # what comes before the training is cached
    shutil.copy(world / "runs/tiny/metadata.sqlite", tmp_path / "runs/tiny")

    def start() -> BaseProcess:
        return start_command(config, tmp_path, WANDB_MODE="offline")

    log = tmp_path / "log.txt"
    for number, code in ((signal.SIGTERM, EXIT_PREEMPTED), (signal.SIGKILL, -signal.SIGKILL)):
        before = checkpoints(tmp_path)
        process = start()
        while process.is_alive() and not checkpoints(tmp_path) - before:
            time.sleep(0.01)
        os.kill(process.pid, number)
        assert exit_code(process) == code, log.read_text()
    assert exit_code(start()) == 0, log.read_text()
    assert "going on after update" in log.read_text()
    summary = newest_summary(tmp_path / "runs/tiny")
    assert summary["metrics"]["train"] == first["metrics"]["train"]
    texts = tf.constant([row["text"] for row in make_rows(5, seed=3)])
    one, other = (
        tf.saved_model.load(s["pushed"]["path"]).signatures["serving_text"](text=texts)[
            "probabilities"
        ]
        for s in (first, summary)
    )
    tf.debugging.assert_equal(one, other)
    assert not checkpoints(tmp_path)

    # TFX gives each attempt a folder of its own, and removes that of one that SIGTERM ended. The last one's
    # curve is whole, and it is the run that the killed one was.
    [folder] = summary["artifacts"]["Trainer.model_run"]
    losses, means = (
        EventAccumulator(folder).Reload().Scalars(tag) for tag in ("train/loss", "eval/loss")
    )
    epochs = json.loads(Path(folder, "history.json").read_text())["epochs"]
    assert losses[0].step == 1
    assert losses[-1].step == means[-1].step
    assert [mean.value for mean in means] == pytest.approx([e["eval"]["loss"] for e in epochs])
    attempts = list(tmp_path.glob("runs/tiny/artifacts/Trainer/model_run/*/wandb/*/run-*.wandb"))
    assert len(attempts) == 2
    assert len({path.name for path in attempts}) == 1


def test_an_edit_of_the_trainers_code_reruns_it_and_nothing_before(world, first, tmp_path):
    """In a copy of the project, whose packages the runs import; the runs' cache is shared."""
    project = tmp_path / "project"
    for package in ("components", "models", "pipeline", "serving"):
        shutil.copytree(
            ROOT / package, project / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    with (project / "components/trainer/run_fn.py").open("a") as file:
        file.write('\n\ndef run_fn(fn_args):\n    raise RuntimeError("the edit is seen")\n')
    (tmp_path / "tiny.yaml").write_text(json.dumps(settings(world)))
    command = [sys.executable, "-m", "pipeline", "run", "--config", str(tmp_path / "tiny.yaml")]
    completed = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert completed.returncode == 1, completed.stderr
    summary = newest_summary(world / "runs/tiny")
    assert "the edit is seen" in summary["error"]["message"]
    cached = {"ImportSchemaGen", "TextExampleGen", "StatisticsGen", "Transform"}
    assert {summary["components"][name]["state"] for name in cached} == {"cached"}
    assert summary["components"]["Trainer"]["state"] == "failed"


def test_command_line_tells_by_its_exit_code_that_a_model_was_refused(world, untrained, tmp_path):
    gate = {"min_accuracy": 1.0, "min_macro_f1": 1.0}
    process = start_command(settings(world, gate=gate, training=UNTRAINED), tmp_path)
    assert exit_code(process) == EXIT_NOT_BLESSED
    log = (tmp_path / "log.txt").read_text()
    assert "not blessed, not pushed" in log
    assert "accuracy on all test examples is" in log
    assert "accuracy: worst examples" in log
