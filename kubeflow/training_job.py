"""Training by several workers: the manifest of a TFJob, and the step that waits for it.

The Trainer's container runs this module instead of `pipeline.container` if the config asks for workers. It
copies the step's inputs to a folder that the workers see too, creates a TFJob whose workers all run the very
command that the step would have run, waits, and copies the outputs back. The Training Operator gives each
worker TF_CONFIG, from which `models.strategy` makes a MultiWorkerMirroredStrategy (strategy "auto" or
"multi_worker"); the first worker writes the model.
"""

import argparse
import json
import shutil
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from pipeline.container import localize
from pipeline.kubeflow_config import KubeflowConfig

GROUP, VERSION, PLURAL = "kubeflow.org", "v1", "tfjobs"
STEP = "Trainer"
_CONTAINER = "tensorflow"  # the name that the operator looks for
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_POLL_SECONDS = 10.0


class JobFailed(Exception):
    """The operator has ended the job."""


def hand_over(spec: dict[str, Any], settings: KubeflowConfig) -> None:
    """Lets the Trainer of a PipelineSpec (as JSON) run this module, or that for Vertex, in place.

    Its pod only waits: it gets no accelerator, which is the workers'.
    """
    assert settings.workers is not None  # kubeflow.compile asks
    module = "vertex_job" if settings.workers.vertex else "training_job"
    label = spec["components"][STEP]["executorLabel"]
    container = spec["deploymentSpec"]["executors"][label]["container"]
    container["command"] = ["python", "-m", f"kubeflow.{module}"]
    container["args"] = ["--kubeflow_section", settings.model_dump_json(), *container["args"]]
    container.pop("resources", None)


def manifest(settings: KubeflowConfig, name: str, arguments: list[str]) -> dict[str, Any]:
    """A TFJob, as JSON.

    Args:
        settings: the config's section, with `workers`.
        name: of the job: lower case letters, digits and dashes.
        arguments: of `pipeline.container`, which every worker runs.
    """
    step, workers = settings.of_step(STEP), settings.workers
    assert workers is not None  # who asks for a job has workers
    limits: dict[str, str] = {}
    if step.cpu:
        limits["cpu"] = f"{step.cpu:g}"
    if step.memory_gb:
        limits["memory"] = f"{step.memory_gb:g}G"
    if step.accelerator:
        limits[step.accelerator] = str(step.accelerator_count)
    container = {
        "name": _CONTAINER,
        "image": step.image or settings.image,
        "command": ["python", "-m", "pipeline.container"],
        "args": arguments,
        "resources": {"limits": limits},
        "volumeMounts": [
            {"name": volume.claim, "mountPath": volume.path} for volume in settings.volumes
        ],
    }
    pod: dict[str, Any] = {
        "containers": [container],
        "volumes": [
            {"name": claim, "persistentVolumeClaim": {"claimName": claim}}
            for claim in sorted({volume.claim for volume in settings.volumes})
        ],
        "nodeSelector": step.node_selector,
        "tolerations": [one.model_dump(exclude_none=True) for one in step.tolerations],
        "imagePullSecrets": [{"name": secret} for secret in settings.image_pull_secrets],
    }
    if settings.cluster.service_account:
        pod["serviceAccountName"] = settings.cluster.service_account
    policy: dict[str, Any] = {"cleanPodPolicy": "None", "backoffLimit": step.retries}
    if step.timeout_seconds:
        policy["activeDeadlineSeconds"] = step.timeout_seconds
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "TFJob",
        "metadata": {"name": name},
        "spec": {
            "runPolicy": policy,
            "successPolicy": "AllWorkers",
            "tfReplicaSpecs": {
                "Worker": {
                    "replicas": workers.count,
                    "restartPolicy": "OnFailure",  # a preempted worker goes on from its checkpoint
                    "template": {"spec": pod},
                }
            },
        },
    }


def staged(executor_input: dict[str, Any], shared: Path) -> dict[str, Any]:
    """The ExecutorInput of the workers: inputs copied to the shared folder, outputs to be written there.

    Args:
        executor_input: of the step, with local paths.
        shared: a new folder that the workers see.
    """
    inputs = {
        key: {"artifacts": [{**one, "uri": str(shared / "in" / key)} for one in of["artifacts"]]}
        for key, of in executor_input["inputs"]["artifacts"].items()
    }
    for key, of in executor_input["inputs"]["artifacts"].items():
        shutil.copytree(of["artifacts"][0]["uri"], shared / "in" / key)
    outputs = {
        key: {"artifacts": [{**one, "uri": str(shared / "out" / key)} for one in of["artifacts"]]}
        for key, of in executor_input["outputs"]["artifacts"].items()
    }
    return {
        "inputs": {**executor_input["inputs"], "artifacts": inputs},
        "outputs": {"artifacts": outputs, "outputFile": str(shared / "out" / "output.json")},
    }


def collect(executor_input: dict[str, Any], original: dict[str, Any], shared: Path) -> None:
    """Copies what the workers wrote to where the step should have written it.

    Args:
        executor_input: of the step, with local paths.
        original: the same with the URIs that Kubeflow Pipelines gave.
        shared: the folder of `staged`.
    """
    output = json.loads((shared / "out" / "output.json").read_text())
    for key, of in executor_input["outputs"]["artifacts"].items():
        shutil.copytree(shared / "out" / key, of["artifacts"][0]["uri"], dirs_exist_ok=True)
        for one in output.get("artifacts", {}).get(key, {}).get("artifacts", ()):
            one["uri"] = original["outputs"]["artifacts"][key]["artifacts"][0]["uri"]
    target = Path(executor_input["outputs"]["outputFile"])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(output))


def run_job(body: dict[str, Any], namespace: str, poll_seconds: float = _POLL_SECONDS) -> None:
    """Creates a job and waits for its end; the cluster is that of kubernetes' current configuration.

    Raises:
        JobFailed: it failed.
    """
    from kubernetes import client

    api = client.CustomObjectsApi()
    where = (GROUP, VERSION, namespace, PLURAL)
    name = body["metadata"]["name"]
    api.create_namespaced_custom_object(*where, body)
    while True:
        status = api.get_namespaced_custom_object_status(*where, name).get("status", {})
        for condition in status.get("conditions", ()):
            if condition["status"] == "True" and condition["type"] == "Succeeded":
                return
            if condition["status"] == "True" and condition["type"] == "Failed":
                raise JobFailed(
                    f"TFJob {namespace}/{name}: {condition.get('message', 'no message')}; see "
                    f"kubectl -n {namespace} logs -l training.kubeflow.org/job-name={name}"
                )
        time.sleep(poll_seconds)


def main(arguments: list[str]) -> None:
    """The Trainer's step: arguments are those of `pipeline.container`, and `--kubeflow_section`."""
    from kubernetes import config

    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--kubeflow_section", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    args, others = parser.parse_known_args(arguments)
    settings = KubeflowConfig.model_validate_json(args.kubeflow_section)
    workers = settings.workers
    assert workers is not None  # kubeflow.compile puts this module there only then
    assert workers.shared is not None
    config.load_config()  # that of the pod the step runs in, on a cluster
    original = json.loads(args.json_serialized_invocation_args)
    executor_input = localize(original)
    name = f"sciformer-trainer-{uuid.uuid4().hex[:8]}"
    shared = Path(workers.shared, name)
    workers_input = json.dumps(staged(executor_input, shared))
    body = manifest(settings, name, [*others, "--json_serialized_invocation_args", workers_input])
    run_job(body, workers.namespace or _NAMESPACE_FILE.read_text().strip())
    collect(executor_input, original, shared)
    shutil.rmtree(shared)


if __name__ == "__main__":
    main(sys.argv[1:])
