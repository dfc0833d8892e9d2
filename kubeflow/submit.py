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


def schedule_on_kubeflow(
    path: Path,
    settings: KubeflowConfig,
    name: str,
    parameters: Mapping[str, Any],
    every: str | int,
) -> str:
    """Has Kubeflow Pipelines start a run again and again; returns the recurring run's id.

    One run at a time, and only the latest of those that were missed: a window of spans holds what they would
    have read.

    Args:
        path: of the compiled pipeline, as YAML.
        settings: the config's section.
        name: of the recurring run; its runs are numbered.
        parameters: that are set for each run; the others have their defaults.
        every: a cron expression of six fields, the first of them seconds; or seconds between two runs.
    """
    from kfp.client import Client

    cluster = settings.cluster
    client = Client(host=cluster.host)
    experiment = client.create_experiment(cluster.experiment, namespace=cluster.namespace)
    started = client.create_recurring_run(
        experiment.experiment_id,
        name,
        pipeline_package_path=str(path),
        params=dict(parameters),
        cron_expression=every if isinstance(every, str) else None,
        interval_second=every if isinstance(every, int) else None,
        max_concurrency=1,
        no_catchup=True,
        pipeline_root=settings.pipeline_root,
        service_account=cluster.service_account,
    )
    return started.recurring_run_id


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
