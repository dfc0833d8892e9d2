"""Compiles a line to the pipeline format of Kubeflow Pipelines v2."""

import json
from pathlib import Path
from typing import Any

import yaml
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from kubeflow import parameters, steps, training_job
from kubeflow.places import cluster_inputs, cluster_pretrain_inputs, kubeflow_section
from models.whole_file import write_whole_file
from pipeline.baseline import BASELINE
from pipeline.configs import PipelineConfig
from pipeline.earlier_data import EARLIER_DATA
from pipeline.finetune import create_finetune_pipeline
from pipeline.pretrain import create_pretrain_pipeline
from pipeline.pretrain_config import PretrainConfig
from pipeline.warm_start import WARM_START

_COMMAND = ["python", "-m", "pipeline.container"]
_UNCACHED = {BASELINE, EARLIER_DATA, WARM_START}  # what they find is not told by their inputs


def compile_line(config: PipelineConfig | PretrainConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Builds the graph and compiles it; nothing is read but the project's own code.

    Args:
        config: with its section `kubeflow`.

    Returns:
        A PipelineJob, whose `pipelineSpec` is what Kubeflow Pipelines runs, and a PlatformSpec with what only
        Kubernetes knows; both as JSON, and as the protos of the package `kfp_pipeline_spec`.

    Raises:
        pipeline.config_loader.ConfigError: the section is missing, or does not fit.
    """
    settings = kubeflow_section(config)
    images = {step: own.image for step, own in settings.steps.items() if own.image}
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            display_name=config.name,
            default_image={"default_image_path": settings.image, **images},
            default_commands=_COMMAND,
            use_pipeline_spec_2_1=settings.spec == "2.1",
        )
    )
    job = runner.run(_pipeline(config), write_out=False)
    spec = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = settings.pipeline_root
    parameters.expose(spec, settings.parameters)
    uncached = set(_UNCACHED)
    if config.data.reader.spans:
        uncached.add(_without_driver(spec))
    steps.configure(spec, settings, uncached)
    if settings.workers:
        training_job.hand_over(spec, settings)
    return job, steps.platform_spec(spec, settings)


def _without_driver(spec: dict[str, Any]) -> str:
    """Takes away the hook for TFX's driver of ExampleGen, which knows single spans only; returns its step.

    The executor then finds the window's spans itself, each time it is called.
    """
    [(label, executor)] = [
        (label, executor)
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "lifecycle" in executor.get("container", {})
    ]
    del executor["container"]["lifecycle"]
    return next(
        name
        for name, task in spec["root"]["dag"]["tasks"].items()
        if spec["components"][task["componentRef"]["name"]]["executorLabel"] == label
    )


def _pipeline(config: PipelineConfig | PretrainConfig) -> Pipeline:
    """The graph, under a name that Kubeflow Pipelines takes: letters, digits and dashes."""
    settings = kubeflow_section(config)
    places = (settings.pipeline_root, settings.serving, settings.checkpoints)
    changes = {"name": config.name.replace("_", "-"), "beam_args": settings.all_beam_args}
    if isinstance(config, PretrainConfig):
        inputs = cluster_pretrain_inputs(config)
        return create_pretrain_pipeline(config.model_copy(update=changes), inputs, *places)
    return create_finetune_pipeline(
        config.model_copy(update=changes), cluster_inputs(config), *places
    )


def write_ir(job: dict[str, Any], platform: dict[str, Any], path: Path) -> None:
    """Writes what `compile_line` gave: YAML for Kubeflow Pipelines, JSON (a PipelineJob) for Vertex."""
    if path.suffix == ".json":
        text = json.dumps(job, indent=1, sort_keys=True) + "\n"
    else:
        documents = [job["pipelineSpec"], *([platform] if platform else [])]
        text = yaml.safe_dump_all(documents, sort_keys=True)
    write_whole_file(path, text)
