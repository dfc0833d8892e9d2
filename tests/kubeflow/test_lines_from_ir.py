"""Whole lines from their compiled form: what a cluster would run, on this machine."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from end_to_end_world import VOCABULARY, Recorder, make_rows, settings, write_csv
from test_pretrain_line import pretrain_settings, write_documents
from tfx.dsl.compiler.compiler import Compiler

from components.pusher.store import Store
from kubeflow.compile import compile_line, write_ir
from kubeflow.local.executor import LocalExecutor, StepFailed
from kubeflow.local.ir import fill_parameters, read_ir
from kubeflow.local.preload import modules_of
from kubeflow.local.processes import Forked
from pipeline.configs import PipelineConfig
from pipeline.local_runner import LocalRunner
from pipeline.pretrain_config import PretrainConfig
from pipeline.run import local_pipeline, new_run_id

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
MAKERS = {"ImportSchemaGen", "TextExampleGen", "Transform", "Trainer"}
TEXTS = [row["text"] for row in make_rows(20, seed=5)] + ["", "Ünïcödé hëart"]


def section(folder: Path, name: str, **changes: object) -> dict:
    return {
        "image": "registry.example/sciformer:1",
        "pipeline_root": str(folder / name / "root"),
        "data": str(folder / "data"),
        "vocabulary": str(folder / "vocab.txt"),
        "serving": str(folder / name / "serving"),
        "checkpoints": str(folder / name / "checkpoints"),
    } | changes


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    (folder / "data").mkdir()
    write_csv(folder / "data" / "rows.csv", make_rows(400))
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return folder


def run_ir(config, folder: Path, run_id: str = "r", **parameters: str) -> dict:
    """Compiles to a file, and runs what is in the file."""
    path = folder / f"{config.name}.yaml"
    write_ir(*compile_line(config), path)
    ir = read_ir(path)
    executor = LocalExecutor(ir, Path(ir.root), Forked(ROOT, modules_of(ir)))
    return executor.run(run_id, fill_parameters(ir, parameters))


def states(runs: dict) -> dict[str, str]:
    return {name: run.state for name, run in runs.items()}


@pytest.fixture(scope="module")
def config(world):
    return PipelineConfig.model_validate(settings(world, kubeflow=section(world, "tiny")))


@pytest.fixture(scope="module")
def first(config, world):
    return run_ir(config, world)


def pushed_versions(serving: Path) -> list[Path]:
    store = Store(str(serving))
    return [Path(store.path(version)) for version in store.versions()]


def probabilities(model: Path) -> tf.Tensor:
    signature = tf.saved_model.load(str(model)).signatures["serving_text"]
    return signature(text=tf.constant(TEXTS))["probabilities"]


def test_the_line_ends_in_a_pushed_model(world, first):
    assert set(states(first).values()) == {"ran"}
    [pushed] = first["Pusher"].outputs["pushed_model"]
    assert pushed["metadata"]["pushed"] == 1
    [version] = pushed_versions(world / "tiny" / "serving")
    assert pushed["metadata"]["pushed_destination"] == str(version)
    assert probabilities(version).shape == (len(TEXTS), 3)
    assert first["Baseline"].outputs["model"][0]["metadata"].get("pushed_version") is None


def test_the_model_is_that_of_a_local_run_bit_for_bit(config, world, first):
    """Of the local graph only what the model is made of is run, without the checks of the data."""
    graph = Compiler().compile(local_pipeline(config)[0])
    for node in list(graph.nodes):
        if node.pipeline_node.node_info.id not in MAKERS:
            graph.nodes.remove(node)
    runner = LocalRunner(new_run_id(), Recorder())
    runner.run_with_ir(graph)
    assert runner.runs[-1].node == "Trainer", runner.runs[-1].error
    [model] = runner.runs[-1].outputs["model"]
    [version] = pushed_versions(world / "tiny" / "serving")
    tf.debugging.assert_equal(
        probabilities(Path(model.uri, "Format-Serving")), probabilities(version)
    )


def test_an_unchanged_run_pushes_nothing_new(config, world, first):
    """What is pushed already is looked at anew in each run, so the Pusher is not taken from the cache."""
    runs = run_ir(config, world, "unchanged")
    assert (states(runs)["Trainer"], states(runs)["Pusher"]) == ("cached", "ran")
    [before], [now] = (run["Pusher"].outputs["pushed_model"] for run in (first, runs))
    for key in ("pushed", "pushed_version", "pushed_destination"):
        assert now["metadata"][key] == before["metadata"][key]
    [_] = pushed_versions(world / "tiny" / "serving")


def test_a_run_with_other_parameters_trains_anew_and_does_not_push(config, world, first):
    parameters = {"training_epochs": "1", "training_optimizer_learning_rate": "1e-9"}
    runs = run_ir(config, world, "untrained", **parameters)
    assert [name for name, state in states(runs).items() if state == "ran"] == [
        "EarlierData",
        "DataValidator",
        "Trainer",
        "Baseline",
        "ServingValidator",
        "Evaluator",
        "ModelCard",
        "Pusher",
    ]
    [earlier] = runs["EarlierData"].outputs["earlier_statistics"]
    assert not earlier["metadata"].get("pushed_version")  # it has learned from the same data
    [blessing] = runs["Evaluator"].outputs["blessing"]
    assert blessing["metadata"]["blessed"] == 0
    assert "latest blessed model" in blessing["metadata"]["reasons"]
    [baseline] = runs["Baseline"].outputs["model"]
    [version] = pushed_versions(world / "tiny" / "serving")
    assert baseline["metadata"]["pushed_version"] == version.name
    [pushed] = runs["Pusher"].outputs["pushed_model"]
    assert pushed["metadata"]["pushed"] == 0
    [trained] = runs["Trainer"].outputs["model"]
    metrics = json.loads(Path(trained["uri"], "training_metrics.json").read_text())
    assert len(metrics["epochs"]) == 1


def test_data_unlike_those_of_the_pushed_model_stop_the_line(world, first):
    (world / "drifted").mkdir()
    rows = [row for row in make_rows(400, seed=1) if row["label"] != "skin"]
    write_csv(world / "drifted" / "rows.csv", rows)
    [version] = pushed_versions(world / "tiny" / "serving")
    limits = {"drift": "stop", "max_label_skew": 1}
    places = section(world, "tiny", data=str(world / "drifted"))
    config = PipelineConfig.model_validate(settings(world, kubeflow=places, validation=limits))
    with pytest.raises(StepFailed, match=r"drift: label 'skin' has a share of 0\.0%"):
        run_ir(config, world, "drifted")
    assert pushed_versions(world / "tiny" / "serving") == [version]


def test_pretrain_then_fine_tune(world):
    write_documents(world / "documents")
    places = section(world, "tiny_pretrain", data=str(world / "documents"))
    del places["vocabulary"]
    pretrain = PretrainConfig.model_validate(pretrain_settings(world, kubeflow=places))
    assert set(states(run_ir(pretrain, world)).values()) == {"ran"}
    [backbone] = pushed_versions(world / "tiny_pretrain" / "serving")
    model = {"pretrained": {"pipeline": "tiny_pretrain", "root": "elsewhere"}, "max_length": 64}
    places = section(world, "tiny_after", weights=str(backbone), spec="2.0")
    del places["vocabulary"]
    briefly = {"training": {"epochs": 1}, "gate": {"min_accuracy": 0.0}}
    after = settings(world, name="tiny_after", model=model, kubeflow=places, **briefly)
    runs = run_ir(PipelineConfig.model_validate(after), world)
    assert set(states(runs).values()) == {"ran"}
    [pushed] = runs["Pusher"].outputs["pushed_model"]
    assert pushed["metadata"]["pushed"] == 1
