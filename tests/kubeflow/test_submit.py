"""What the client sends, to a server that answers as the API of Kubeflow Pipelines does."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from kubeflow.runner import app


@pytest.fixture
def api(serve_json):
    """The server's address, and the requests it got: method, path, JSON."""
    requests: list[tuple[str, str, dict]] = []

    def get(path: str) -> dict:
        requests.append(("GET", path, {}))
        if path.startswith("/apis/v2beta1/experiments"):
            return {"experiments": [], "total_size": 0}
        return {"multi_user": False}

    def post(path: str, body: dict) -> dict:
        requests.append(("POST", path, body))
        kinds = {"experiments": "experiment_id", "recurringruns": "recurring_run_id"}
        name = kinds.get(path.rpartition("/")[2], "run_id")
        return {name: f"the-{name}", "display_name": body["display_name"]}

    return serve_json(get, post), requests


@pytest.fixture
def config_file(finetune_config, api, tmp_path) -> Path:
    cluster = {"host": api[0], "service_account": "runner", "experiment": "papers"}
    config = finetune_config(cluster=cluster, steps={"Trainer": {"node_selector": {"a": "b"}}})
    path = tmp_path / "tiny.yaml"
    path.write_text(config.model_dump_json())
    return path


def test_a_run_is_created(api, config_file):
    command = ["submit", "-c", str(config_file), "--name", "mine", "-p", "training_epochs=9"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "run the-run_id" in result.output.splitlines()
    [experiment] = [body for _, path, body in api[1] if path.endswith("/experiments") and body]
    assert experiment["display_name"] == "papers"
    [run] = [body for _, path, body in api[1] if path.endswith("/runs") and body]
    assert run["display_name"] == "mine"
    assert run["experiment_id"] == "the-experiment_id"
    assert run["service_account"] == "runner"
    assert run["runtime_config"] == {
        "parameters": {"training_epochs": 9},
        "pipeline_root": "gs://bucket/runs",
    }
    spec = run["pipeline_spec"]
    spec = spec.get("pipeline_spec", spec)
    assert "Trainer" in spec["root"]["dag"]["tasks"]
    assert '"nodeSelector"' in json.dumps(run["pipeline_spec"])


def test_an_unknown_parameter_is_refused_before_anything_is_sent(api, config_file):
    result = CliRunner().invoke(app, ["submit", "-c", str(config_file), "-p", "epochs=9"])
    assert result.exit_code == 2
    assert "the pipeline has no parameter epochs; there is data, training_epochs" in result.output
    assert api[1] == []


@pytest.mark.parametrize(
    ("every", "trigger"),
    [
        ("0 0 6 * * *", {"cron_schedule": {"cron": "0 0 6 * * *"}}),
        ("12h", {"periodic_schedule": {"interval_second": "43200"}}),
    ],
)
def test_runs_are_scheduled(api, config_file, every, trigger):
    command = ["submit", "-c", str(config_file), "--every", every, "-p", "training_epochs=9"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert "recurring run the-recurring_run_id" in result.output.splitlines()
    [run] = [body for _, path, body in api[1] if path.endswith("/recurringruns") and body]
    assert run["display_name"] == "tiny"
    assert run["experiment_id"] == "the-experiment_id"
    assert run["service_account"] == "runner"
    assert (run["max_concurrency"], run["no_catchup"]) == (1, True)
    assert run["mode"] == "ENABLE"
    said = {key: value for key, value in run["trigger"].items() if value}
    assert {k: {n: str(v) for n, v in of.items()} for k, of in said.items()} == trigger
    assert run["runtime_config"]["parameters"] == {"training_epochs": 9}
    spec = run["pipeline_spec"]
    assert "Trainer" in spec.get("pipeline_spec", spec)["root"]["dag"]["tasks"]


@pytest.mark.parametrize("every", ["daily", "0 6 * * *", "0h"])
def test_what_is_no_schedule_is_refused(api, config_file, every):
    result = CliRunner().invoke(app, ["submit", "-c", str(config_file), "--every", every])
    assert result.exit_code == 2
    assert "expected six cron fields" in result.output
    assert api[1] == []


def test_spec_2_0_is_not_for_kubeflow(config_file, api):
    result = CliRunner().invoke(
        app, ["submit", "-c", str(config_file), "-s", "kubeflow.spec='2.0'"]
    )
    assert result.exit_code == 2
    assert "Kubeflow Pipelines runs spec 2.1" in result.output


def test_compile_writes_a_file(config_file, tmp_path):
    path = tmp_path / "out.yaml"
    result = CliRunner().invoke(app, ["compile", "-c", str(config_file), "-o", str(path)])
    assert result.exit_code == 0, result.output
    assert "parameters: data, training_epochs" in result.output
    spec, platform = yaml.safe_load_all(path.read_text())
    assert spec["pipelineInfo"]["name"] == "tiny"
    assert "kubernetes" in platform["platforms"]


def test_a_method_is_two_pipelines(tmp_path):
    path = tmp_path / "method.yaml"
    path.write_text(
        (Path(__file__).resolve().parents[2] / "configs/pubmed_method.yaml").read_text()
    )
    result = CliRunner().invoke(app, ["compile", "-c", str(path)])
    assert result.exit_code == 2
    assert "give each line a config of its own" in result.output
