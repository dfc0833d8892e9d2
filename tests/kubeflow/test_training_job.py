"""Handing the training over to workers."""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from kubernetes import client, config

from kubeflow import training_job
from pipeline.kubeflow_config import KubeflowConfig

SECTION = {
    "image": "registry.example/sciformer:1",
    "pipeline_root": "gs://bucket/runs",
    "data": "/mnt/data",
    "serving": "/mnt/serving",
    "checkpoints": "/mnt/checkpoints",
    "volumes": [{"claim": "sciformer", "path": "/mnt"}],
    "workers": {"count": 3, "shared": "/mnt/handover", "namespace": "team"},
    "cluster": {"service_account": "runner"},
    "image_pull_secrets": ["registry"],
    "steps": {
        "Trainer": {
            "cpu": 4,
            "memory_gb": 7.5,
            "accelerator": "nvidia.com/gpu",
            "node_selector": {"gpu": "l4"},
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "retries": 2,
            "timeout_seconds": 60,
        }
    },
}


@pytest.fixture(scope="module")
def settings():
    return KubeflowConfig.model_validate(SECTION)


def test_the_manifest(settings):
    job = training_job.manifest(settings, "train-1", ["--executor_class_path", "x.Y"])
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "TFJob")
    worker = job["spec"]["tfReplicaSpecs"]["Worker"]
    assert worker["replicas"] == 3
    [container] = worker["template"]["spec"]["containers"]
    assert container["name"] == "tensorflow"  # the operator gives TF_CONFIG to no other
    assert container["command"] == ["python", "-m", "pipeline.container"]
    assert container["resources"]["limits"] == {
        "cpu": "4",
        "memory": "7.5G",
        "nvidia.com/gpu": "1",
    }
    assert job["spec"]["runPolicy"] == {
        "cleanPodPolicy": "None",
        "backoffLimit": 2,
        "activeDeadlineSeconds": 60,
    }


def test_its_pods_are_valid(settings):
    """Against Kubernetes' own schema; that of TFJob is not at hand."""
    job = training_job.manifest(settings, "train-1", [])
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "worker-0"},
        "spec": job["spec"]["tfReplicaSpecs"]["Worker"]["template"]["spec"],
    }
    kubernetes_validate.validate(pod, "1.30", strict=True)


def test_the_step_runs_it(compiled):
    changes = {key: SECTION[key] for key in ("volumes", "workers", "steps")}
    spec, _ = compiled(**changes)
    container = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    assert container["command"] == ["python", "-m", "kubeflow.training_job"]
    flag, section, *others = container["args"]
    assert flag == "--kubeflow_section"
    assert KubeflowConfig.model_validate_json(section).workers.count == 3
    assert others[0] == "--executor_class_path"
    assert "resources" not in container  # they are the workers'


@pytest.fixture
def executor_input(tmp_path):
    (tmp_path / "examples" / "Split-train").mkdir(parents=True)
    (tmp_path / "examples" / "Split-train" / "rows").write_text("rows")
    (tmp_path / "model").mkdir()

    def artifact(key: str) -> dict:
        return {"artifacts": [{"name": key, "uri": str(tmp_path / key), "metadata": {"a": 1}}]}

    return {
        "inputs": {"artifacts": {"examples": artifact("examples")}, "parameterValues": {"p": 1}},
        "outputs": {
            "artifacts": {"model": artifact("model")},
            "outputFile": str(tmp_path / "said" / "output.json"),
        },
    }


def test_files_go_to_the_workers_and_come_back(executor_input, tmp_path):
    shared = tmp_path / "shared" / "job"
    there = training_job.staged(executor_input, shared)
    [examples] = there["inputs"]["artifacts"]["examples"]["artifacts"]
    assert Path(examples["uri"], "Split-train", "rows").read_text() == "rows"
    assert there["inputs"]["parameterValues"] == {"p": 1}
    [model] = there["outputs"]["artifacts"]["model"]["artifacts"]
    assert Path(model["uri"]).is_relative_to(shared)

    Path(model["uri"], "Format-Serving").mkdir(parents=True)
    Path(model["uri"], "Format-Serving", "saved_model.pb").write_text("model")
    said = {"artifacts": {"model": {"artifacts": [{"uri": model["uri"], "metadata": {"b": 2}}]}}}
    Path(there["outputs"]["outputFile"]).write_text(json.dumps(said))
    original = json.loads(json.dumps(executor_input))
    original["outputs"]["artifacts"]["model"]["artifacts"][0]["uri"] = "gs://bucket/model"
    training_job.collect(executor_input, original, shared)
    assert (tmp_path / "model" / "Format-Serving" / "saved_model.pb").read_text() == "model"
    said["artifacts"]["model"]["artifacts"][0]["uri"] = "gs://bucket/model"
    assert json.loads((tmp_path / "said" / "output.json").read_text()) == said


@pytest.fixture
def operator(serve_json, tmp_path):
    """A function of the states that a job goes through: an API server that keeps one job; the jobs it got."""

    def start(*states: str) -> list[dict]:
        jobs: list[dict] = []
        waiting = list(states)

        def post(path: str, body: dict) -> dict:
            assert path == "/apis/kubeflow.org/v1/namespaces/team/tfjobs"
            jobs.append(body)
            return body

        def get(path: str) -> dict:
            name = jobs[-1]["metadata"]["name"]
            assert path == f"/apis/kubeflow.org/v1/namespaces/team/tfjobs/{name}/status"
            condition = {"type": waiting.pop(0), "status": "True", "message": "worker 1 died"}
            return {**jobs[-1], "status": {"conditions": [condition]}}

        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
            "clusters": [{"name": "here", "cluster": {"server": serve_json(get, post)}}],
            "users": [{"name": "me", "user": {}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(kubeconfig))
        config.load_kube_config(str(path))
        return jobs

    yield start
    client.Configuration.set_default(None)


def test_a_job_is_created_and_waited_for(settings, operator):
    jobs = operator("Created", "Running", "Succeeded")
    body = training_job.manifest(settings, "train-1", [])
    training_job.run_job(body, "team", poll_seconds=0)
    assert jobs == [json.loads(json.dumps(body))]


def test_a_failed_job_fails_the_step(settings, operator):
    operator("Running", "Failed")
    body = training_job.manifest(settings, "train-1", [])
    with pytest.raises(training_job.JobFailed, match=r"team/train-1: worker 1 died; see kubectl"):
        training_job.run_job(body, "team", poll_seconds=0)
