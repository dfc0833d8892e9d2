"""Handing the training over to a custom job of Vertex AI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from google_cloud import Vertex, serve

from pipeline.kubeflow_config import KubeflowConfig

pytestmark = pytest.mark.timeout(900)  # it imports Vertex AI's client in a new process

ROOT = Path(__file__).resolve().parents[2]
REGION = "europe-west4"
SECTION = {
    "image": "europe-docker.pkg.dev/project/sciformer:1",
    "pipeline_root": "gs://bucket/runs",
    "data": "/gcs/bucket/data",
    "serving": "/gcs/bucket/serving",
    "checkpoints": "/gcs/bucket/checkpoints",
    "workers": {
        "count": 4,
        "vertex": {"project": "project", "region": REGION, "machine_type": "g2-standard-8"},
    },
    "cluster": {"service_account": "trainer@project.example"},
    "steps": {
        "Trainer": {
            "accelerator": "NVIDIA_L4",
            "accelerator_count": 2,
            "retries": 1,
            "timeout_seconds": 3600,
        }
    },
}
ARGUMENTS = ["--executor_class_path", "x.Y", "--json_serialized_invocation_args", "{}"]
# What the step runs, twice; a failure is told as a container's log would have it.
STEPS = """
import sys
from kubeflow.vertex_job import JobFailed, main
main(sys.argv[1:])
try:
    main(sys.argv[1:])
except JobFailed as error:
    print(error)
"""


def test_the_step_runs_it(compiled):
    changes = {key: SECTION[key] for key in ("workers", "steps", "checkpoints")}
    spec, _ = compiled(**changes)
    container = spec["deploymentSpec"]["executors"]["Trainer_executor"]["container"]
    assert container["command"] == ["python", "-m", "kubeflow.vertex_job"]
    flag, section, *others = container["args"]
    assert flag == "--kubeflow_section"
    assert KubeflowConfig.model_validate_json(section).workers.vertex.project == "project"
    assert others[0] == "--executor_class_path"
    assert "resources" not in container  # they are the workers'


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Two runs of the step, of which the second fails: what Vertex got, and what was printed."""
    vertex = Vertex(["", "worker 1 died"])
    settings = KubeflowConfig.model_validate(SECTION)
    command = [sys.executable, "-c", STEPS, "--kubeflow_section", settings.model_dump_json()]
    folder = tmp_path_factory.mktemp("vertex")
    with serve(vertex, f"{REGION}-aiplatform.googleapis.com", folder) as environment:
        done = subprocess.run(
            [*command, *ARGUMENTS],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    return vertex.jobs, done.stdout


def test_a_chief_and_workers_run_the_steps_command(ran):
    [(parent, job), _] = ran[0]
    assert parent == f"projects/project/locations/{REGION}"
    chief, workers = job.job_spec.worker_pool_specs
    assert (chief.replica_count, workers.replica_count) == (1, 3)
    for pool in (chief, workers):
        assert pool.container_spec.image_uri == SECTION["image"]
        assert list(pool.container_spec.command) == ["python", "-m", "pipeline.container"]
        assert list(pool.container_spec.args) == ARGUMENTS
        assert pool.machine_spec.machine_type == "g2-standard-8"
        assert pool.machine_spec.accelerator_type.name == "NVIDIA_L4"
        assert pool.machine_spec.accelerator_count == 2
    assert job.job_spec.service_account == "trainer@project.example"
    assert job.job_spec.scheduling.timeout.total_seconds() == 3600
    assert job.job_spec.scheduling.restart_job_on_worker_restart


def test_a_failed_job_fails_the_step(ran):
    assert ran[1].strip() == (
        f"projects/project/locations/{REGION}/customJobs/2: worker 1 died; see gcloud ai custom-jobs "
        f"stream-logs 2 --project=project --region={REGION}"
    )
