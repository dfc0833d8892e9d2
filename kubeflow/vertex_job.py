"""Training by several workers on Vertex AI: a custom job, and the step that waits for it.

The Trainer's container runs this module instead of `pipeline.container` if the config asks for workers on
Vertex. All workers run the very command that the step would have run: there `pipeline.container` finds and
leaves artifacts below /gcs, which Vertex mounts in steps and workers alike. Vertex gives each worker
TF_CONFIG, with a "chief" and "worker"s, from which `models.strategy` makes a MultiWorkerMirroredStrategy
(strategy "auto" or "multi_worker"); the chief writes the model and the step's output file.

TFX's own Trainer for Vertex (`tfx.extensions.google_cloud_ai_platform.Trainer`) has another entry point,
which knows no parameters of the run and no /gcs, and wants the job among the settings of the training. Its
client, which creates the job and asks for its state, is used here.
"""

import argparse
import sys
import time
import uuid
from typing import Any

from tfx.extensions.google_cloud_ai_platform.training_clients import VertexJobClient

from kubeflow.training_job import STEP, JobFailed
from pipeline.kubeflow_config import KubeflowConfig

_POLL_SECONDS = 30.0


def custom_job(settings: KubeflowConfig, name: str, arguments: list[str]) -> dict[str, Any]:
    """A CustomJob, as the fields of `google.cloud.aiplatform.gapic.CustomJob`.

    Args:
        settings: the config's section, with `workers.vertex`.
        name: that people see.
        arguments: of `pipeline.container`, which every worker runs.
    """
    step, workers = settings.of_step(STEP), settings.workers
    assert workers is not None  # who asks for a job has them,
    assert workers.vertex is not None  # and Vertex
    machine: dict[str, Any] = {"machine_type": workers.vertex.machine_type}
    if step.accelerator:
        machine["accelerator_type"] = step.accelerator
        machine["accelerator_count"] = step.accelerator_count
    pool = {
        "machine_spec": machine,
        "container_spec": {
            "image_uri": step.image or settings.image,
            "command": ["python", "-m", "pipeline.container"],
            "args": arguments,
        },
    }
    scheduling: dict[str, Any] = {"restart_job_on_worker_restart": step.retries > 0}
    if step.timeout_seconds:
        scheduling["timeout"] = {"seconds": step.timeout_seconds}
    job: dict[str, Any] = {
        # The first pool is the chief's.
        "worker_pool_specs": [{**pool, "replica_count": n} for n in (1, workers.count - 1)],
        "scheduling": scheduling,
    }
    if settings.cluster.service_account:
        job["service_account"] = settings.cluster.service_account
    return {"display_name": name, "job_spec": job}


def run_job(job: dict[str, Any], project: str, region: str) -> None:
    """Creates a job and waits for its end, as whom Google's default credentials say.

    Raises:
        JobFailed: it failed or was cancelled.
        google.api_core.exceptions.GoogleAPIError: Vertex refuses it, or cannot be reached for long.
    """
    client = VertexJobClient(region)
    client.launch_job(project, job)
    while (found := client.get_job()).state not in client.JOB_STATES_COMPLETED:
        time.sleep(_POLL_SECONDS)
    if found.state in client.JOB_STATES_FAILED:
        raise JobFailed(
            f"{found.name}: {found.error.message or found.state.name}; see gcloud ai custom-jobs "
            f"stream-logs {found.name.rpartition('/')[2]} --project={project} --region={region}"
        )


def main(arguments: list[str]) -> None:
    """The Trainer's step: arguments are those of `pipeline.container`, and `--kubeflow_section`."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--kubeflow_section", required=True)
    args, others = parser.parse_known_args(arguments)
    settings = KubeflowConfig.model_validate_json(args.kubeflow_section)
    assert settings.workers is not None  # kubeflow.compile puts this module there only then
    assert settings.workers.vertex is not None
    vertex = settings.workers.vertex
    name = f"sciformer-trainer-{uuid.uuid4().hex[:8]}"
    run_job(custom_job(settings, name, others), vertex.project, vertex.region)


if __name__ == "__main__":
    main(sys.argv[1:])
