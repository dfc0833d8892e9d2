"""Hands a compiled pipeline to Kubeflow Pipelines or to Vertex."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.kubeflow_config import KubeflowConfig


def submit_to_kubeflow(
    path: Path, settings: KubeflowConfig, run: str, parameters: Mapping[str, Any]
) -> str:
    """Starts a run on Kubeflow Pipelines; returns its id.

    Args:
        path: of the compiled pipeline, as YAML.
        settings: the config's section.
        run: its name.
        parameters: that are set for it; the others have their defaults.
    """
    from kfp.client import Client

    cluster = settings.cluster
    client = Client(host=cluster.host)
    started = client.create_run_from_pipeline_package(
        str(path),
        arguments=dict(parameters),
        run_name=run,
        experiment_name=cluster.experiment,
        namespace=cluster.namespace,
        pipeline_root=settings.pipeline_root,
        service_account=cluster.service_account,
    )
    return started.run_id


def submit_to_vertex(
    path: Path,
    settings: KubeflowConfig,
    run: str,
    parameters: Mapping[str, Any],
    project: str,
    region: str,
) -> str:
    """Starts a run on Vertex AI Pipelines; returns its name.

    Args:
        path: of the compiled pipeline, as JSON.
        settings: the config's section.
        run: its name.
        parameters: that are set for it.
        project: of Google's cloud.
        region: of it.
    """
    from google.cloud import aiplatform

    job = aiplatform.PipelineJob(
        display_name=run,
        template_path=str(path),
        pipeline_root=settings.pipeline_root,
        parameter_values=dict(parameters),
        project=project,
        location=region,
    )
    job.submit(service_account=settings.cluster.service_account)
    return job.resource_name
