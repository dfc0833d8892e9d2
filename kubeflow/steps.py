"""What each step gets: resources, accelerators, retries, cache, and what only Kubernetes knows."""

from typing import Any

from pipeline.config_loader import ConfigError
from pipeline.kubeflow_config import KubeflowConfig, StepConfig


def configure(spec: dict[str, Any], settings: KubeflowConfig, uncached: set[str]) -> None:
    """Writes resources, retries and caching into a PipelineSpec (as JSON), in place.

    Args:
        spec: the pipeline.
        settings: the config's section.
        uncached: steps that are never left out, whatever the section says.

    Raises:
        pipeline.config_loader.ConfigError: the section names a step that the pipeline does not have.
    """
    tasks = spec["root"]["dag"]["tasks"]
    for name in settings.steps:
        if name not in tasks:
            raise ConfigError(
                [f"kubeflow.steps.{name}: no such step; there is {', '.join(sorted(tasks))}"]
            )
    for name, task in tasks.items():
        step = settings.of_step(name)
        if step.cache and name not in uncached:
            task["cachingOptions"] = {"enableCache": True}
        else:
            task.pop("cachingOptions", None)
        if step.retries:
            task["retryPolicy"] = {
                "maxRetryCount": step.retries,
                "backoffDuration": f"{step.retry_seconds}s",
                "backoffFactor": 2.0,
            }
        if resources := _resources(step):
            _executor(spec, task)["container"]["resources"] = resources


def platform_spec(spec: dict[str, Any], settings: KubeflowConfig) -> dict[str, Any]:
    """The PlatformSpec (as JSON): for each step a KubernetesExecutorConfig of kfp-kubernetes."""
    executors = {}
    for name, task in spec["root"]["dag"]["tasks"].items():
        if config := _kubernetes(settings.of_step(name), settings):
            executors[spec["components"][task["componentRef"]["name"]]["executorLabel"]] = config
    if not executors:
        return {}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _executor(spec: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
    return spec["deploymentSpec"]["executors"][label]


def _resources(step: StepConfig) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if step.cpu:
        resources["cpuLimit"] = step.cpu
    if step.memory_gb:
        resources["memoryLimit"] = step.memory_gb
    if step.accelerator:
        # The count is an int64, which is a string in protobuf's JSON.
        resources["accelerator"] = {"type": step.accelerator, "count": str(step.accelerator_count)}
    return resources


def _kubernetes(step: StepConfig, settings: KubeflowConfig) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if step.node_selector:
        config["nodeSelector"] = {"labels": step.node_selector}
    if step.tolerations:
        config["tolerations"] = [
            toleration.model_dump(exclude_none=True) for toleration in step.tolerations
        ]
    if settings.volumes:
        config["pvcMount"] = [
            {"constant": volume.claim, "mountPath": volume.path} for volume in settings.volumes
        ]
    if settings.image_pull_secrets:
        config["imagePullSecret"] = [{"secretName": name} for name in settings.image_pull_secrets]
    if step.timeout_seconds:
        config["activeDeadlineSeconds"] = str(step.timeout_seconds)
    return config
