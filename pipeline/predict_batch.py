"""Answers for many texts at once: runs the batch line and puts what it made into a folder."""

import itertools
import json
import shutil
from pathlib import Path
from typing import Any, cast, get_args

from tfx.orchestration.metadata import sqlite_metadata_connection_config

from components.example_gen import quarantine
from components.prediction_writer.artifact import PREFIX, Format, read_keys
from models.whole_file import write_whole_file
from pipeline.batch import create_batch_pipeline
from pipeline.batch_input import BatchInput
from pipeline.batch_model import BatchModel
from pipeline.config_loader import config_hash
from pipeline.configs import PipelineConfig, local_paths, short_path
from pipeline.local_runner import FAILED, Listener, LocalRunner, NodeRun
from pipeline.report.run_record import SUMMARY_FILE


class BatchError(Exception):
    """A step of the batch line failed, or its answers have no place to go."""


def read_format(name: str) -> Format:
    """The format of that name.

    Raises:
        BatchError: there is none.
    """
    if name not in get_args(Format):
        raise BatchError(f"no format {name!r}: --format is one of {', '.join(get_args(Format))}")
    return cast(Format, name)


def check_output(output: Path) -> None:
    """Looks whether a folder can be written.

    Raises:
        BatchError: there is something already.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise BatchError(f"{output} exists already: remove it, or give another --output")


def predict_batch(
    config: PipelineConfig,
    texts: BatchInput,
    model: BatchModel,
    output: Path,
    listener: Listener,
    run_id: str,
    file_format: Format = "jsonl",
    batch_size: int = 64,
) -> dict[str, Any]:
    """Asks a model about texts.

    Args:
        config: of the model's line; intermediate results are kept in `<root>/<name>/batch/`.
        texts: what is asked about.
        model: which is asked.
        output: gets `predictions/`, `quarantine/` and `summary.json`; is written beside and renamed.
        listener: is told of each component.
        run_id: the run's name in MLMD.
        file_format: of the predictions.
        batch_size: texts that are asked about at once.

    Returns:
        What `summary.json` holds.

    Raises:
        BatchError: a component failed, or `output` is there already.
    """
    check_output(output)
    base = local_paths(config)["runs"] / "batch"
    runner = LocalRunner(run_id, listener)
    runner.run(
        create_batch_pipeline(
            config,
            texts,
            model,
            batch_size,
            file_format,
            str(base / "artifacts"),
            sqlite_metadata_connection_config(str(base / "metadata.sqlite")),
        )
    )
    if (last := runner.runs[-1]).state == FAILED:
        raise BatchError(f"{last.node} failed: {last.error}")
    reader, inferrer, writer = (run for run in runner.runs if "quarantine" in run.outputs)
    rows = _counts(reader, inferrer, writer)
    repeated = read_keys(_uri(writer, "predictions"))
    summary = {
        "run_id": run_id,
        "input": {"folder": texts.folder, "pattern": texts.reader.pattern},
        "format": file_format,
        "task": model.task,
        "model": {"path": str(model.path), "version": model.version, "sha256": model.sha256},
        "config_sha256": config_hash(config),
        "batch_size": batch_size,
        "rows": rows,
        "repeated_keys": repeated.model_dump(),
    }
    _publish(output, [reader, inferrer, writer], summary)
    return summary


def outcome(summary: dict[str, Any], output: Path) -> list[str]:
    """What a person is told at the end, a line each."""
    rows, repeated, model = summary["rows"], summary["repeated_keys"], summary["model"]
    parts = [
        f"{rows['in']} rows in = {rows['out']} out",
        _part("quarantined", rows["quarantined"]),
    ]
    if rows["filtered"]:
        parts.append(_part("filtered", rows["filtered"]))
    lines = [
        " + ".join(parts),
        f"model: version {model['version']}, sha256 {model['sha256'][:16]}…",
        f"predictions: {short_path(output.resolve() / 'predictions')}",
    ]
    if repeated["keys"]:
        lines.insert(1, f"{repeated['rows']} rows share {repeated['keys']} keys; all are kept")
    return lines


def _part(name: str, reasons: dict[str, int]) -> str:
    each = ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items()))
    return f"{sum(reasons.values())} {name}" + (f" ({each})" if each else "")


def _counts(reader: NodeRun, inferrer: NodeRun, writer: NodeRun) -> dict[str, Any]:
    """The counts of the three steps as one: `in` = `out` + `quarantined` + `filtered`, the latter by reason.

    Each step's own counts add up, or it would have failed.

    Raises:
        BatchError: a step did not get what the one before it has kept.
    """
    steps = [quarantine.read_counts(_uri(run, "quarantine")) for run in (reader, inferrer, writer)]
    for before, after in itertools.pairwise(steps):
        if before.kept != after.read:
            raise BatchError(f"a step kept {before.kept} rows, but the next one read {after.read}")
    quarantined = {reason: n for step in steps for reason, n in step.quarantined_by_reason.items()}
    return {
        "in": steps[0].read,
        "out": steps[-1].kept,
        "quarantined": quarantined,
        "filtered": steps[0].filtered_by_reason,
    }


def _publish(output: Path, steps: list[NodeRun], summary: dict[str, Any]) -> None:
    """Copies what was made beside the output's place, then renames."""
    part = output.with_name(f".{output.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    (part / "predictions").mkdir(parents=True)
    (part / "quarantine").mkdir()
    for file in sorted(Path(_uri(steps[-1], "predictions")).glob(f"{PREFIX}-*")):
        shutil.copyfile(file, part / "predictions" / file.name)
    with (part / "quarantine" / "rejected.jsonl").open("w", encoding="utf-8") as rejected:
        for step in steps:
            for line in quarantine.rejected_lines(_uri(step, "quarantine")):
                rejected.write(line + "\n")
    write_whole_file(part / SUMMARY_FILE, json.dumps(summary, indent=1, ensure_ascii=False) + "\n")
    part.rename(output)


def _uri(run: NodeRun, key: str) -> str:
    [artifact] = run.outputs[key]
    return artifact.uri
