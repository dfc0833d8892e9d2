"""One run from a config to a summary."""

import dataclasses
import datetime
import json
import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tfx.orchestration.metadata import sqlite_metadata_connection_config
from tfx.orchestration.pipeline import Pipeline

from models.preemption import Preempted
from models.whole_file import write_whole_file
from pipeline import results
from pipeline.config_loader import config_hash
from pipeline.configs import PipelineConfig, local_paths
from pipeline.finetune import create_finetune_pipeline
from pipeline.inputs import Inputs, PretrainInputs, find_inputs, find_pretrain_inputs
from pipeline.local_runner import FAILED, Listener, LocalRunner, NodeRun
from pipeline.pretrain import create_pretrain_pipeline
from pipeline.pretrain_config import PretrainConfig
from pipeline.report.page import write_report
from pipeline.report.run_record import CONFIG_FILE, SUMMARY_FILE, RunRecord
from pipeline.versions import standing

logger = logging.getLogger("sciformer.run")

SUCCEEDED, NOT_BLESSED, PREEMPTED = "succeeded", "not_blessed", "preempted"
_PACKAGES = ("tfx", "tensorflow", "keras", "apache-beam", "tensorflow-text")


def new_run_id() -> str:
    """A sortable name for a run: UTC time to the millisecond."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"


def run(config: PipelineConfig | PretrainConfig, run_id: str, listener: Listener) -> dict[str, Any]:
    """Runs a line and writes `summary.json` and `report.html` into `<root>/<name>/<run id>/`.

    Args:
        config: the settings.
        run_id: see `new_run_id`.
        listener: is told of each component.

    Returns:
        The summary; `status` is "succeeded", "not_blessed", "failed", or "preempted" if the training was
        asked to end by SIGTERM and has saved itself.

    Raises:
        pipeline.inputs.InputError: a path of the config does not exist.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    pipeline, inputs = local_pipeline(config)
    folder = local_paths(config)["runs"] / run_id
    folder.mkdir(parents=True, exist_ok=True)
    runner = LocalRunner(run_id, listener)
    runner.run(pipeline)
    summary = _summarise(config, inputs, run_id, runner.runs)
    _write(folder / CONFIG_FILE, config.model_dump(mode="json"))
    _write(folder / SUMMARY_FILE, summary)
    _report(folder)
    return summary


def local_pipeline(
    config: PipelineConfig | PretrainConfig,
) -> tuple[Pipeline, Inputs | PretrainInputs]:
    """The graph of a run on this machine, and what it reads; all it writes is under `config.root`.

    Raises:
        pipeline.inputs.InputError: a path of the config does not exist.
        pipeline.datasets.fetch.DatasetError: a named data set could not be fetched.
    """
    paths = local_paths(config)
    places = (
        str(paths["artifacts"]),
        str(paths["serving"]),
        str(paths["checkpoints"]),
        sqlite_metadata_connection_config(str(paths["metadata"])),
    )
    if isinstance(config, PretrainConfig):
        found = find_pretrain_inputs(config)
        return create_pretrain_pipeline(config, found, *places), found
    inputs = find_inputs(config)
    return create_finetune_pipeline(config, inputs, *places), inputs


def _report(folder: Path) -> None:
    """Writes the report; what the run has come to stands, whether that works or not."""
    try:
        write_report(RunRecord.read(folder))
    except Exception:
        logger.exception("%s: the report could not be written", folder)


def _summarise(
    config: PipelineConfig | PretrainConfig,
    inputs: Inputs | PretrainInputs,
    run_id: str,
    runs: list[NodeRun],
) -> dict[str, Any]:
    failed = next((node for node in runs if node.state == FAILED), None)
    blessing = results.blessing(runs)
    status = SUCCEEDED if blessing and blessing["blessed"] else NOT_BLESSED
    return {
        "pipeline": config.name,
        "run_id": run_id,
        "status": _failure(failed) if failed else status,
        "error": {"component": failed.node, "message": str(failed.error)} if failed else None,
        "seconds": sum(node.seconds for node in runs),
        "components": {
            node.node: {"state": node.state, "seconds": round(node.seconds, 2)} for node in runs
        },
        "rows": results.rows(runs),
        "spans": results.spans(runs),
        "audit": results.audit(runs),
        "drift": results.drift(runs),
        "text": results.text_statistics(runs),
        "vocabulary": results.vocabulary(runs),
        "pretrain_examples": results.pretrain_examples(runs),
        "tuning": results.tuning(runs),
        "warm_start": results.warm_start(runs),
        "metrics": results.metrics(runs),
        "blessing": blessing,
        "pushed": _pushed(config, runs),
        "hashes": {
            "config": config_hash(config),
            "data": _data_fingerprint(runs),
            "vocabulary": inputs.vocabulary_hash,
            "weights": inputs.weights_hash,
        },
        "inputs": dataclasses.asdict(inputs),
        "artifacts": {
            f"{node.node}.{key}": [artifact.uri for artifact in artifacts]
            for node in runs
            for key, artifacts in node.outputs.items()
        },
        "environment": {
            "python": platform.python_version(),
            "cpus": os.cpu_count(),
            **{package: version(package) for package in _PACKAGES},
        },
    }


def _pushed(config: PipelineConfig | PretrainConfig, runs: list[NodeRun]) -> dict[str, Any] | None:
    """The pushed version, and what it is now: an earlier run may have pushed it, in the same bytes."""
    pushed = results.pushed(runs)
    return standing(config, pushed) if pushed else None


def _failure(node: NodeRun) -> str:
    return PREEMPTED if isinstance(node.error, Preempted) else FAILED


def _data_fingerprint(runs: list[NodeRun]) -> str | None:
    """TFX's own fingerprint of the input files (number, bytes, checksums of their times)."""
    for node in runs:
        for artifact in node.outputs.get("examples", []):
            if value := artifact.custom_properties["input_fingerprint"].string_value:
                return value
    return None


def _write(path: Path, content: dict[str, Any]) -> None:
    write_whole_file(path, json.dumps(content, indent=1) + "\n")
