"""What made a run's model."""

import json
from pathlib import Path
from typing import Any


class LineageError(Exception):
    """There is no such run."""


def lineage_text(run: str, root: Path) -> str:
    """Explains a run by its summary and config.

    Args:
        run: run id, or path of the run's folder or summary.
        root: folder of all runs, searched for a run id.

    Raises:
        LineageError: no run of that name, or one without a summary.
    """
    path = _find(run, root)
    summary = json.loads(path.read_text())
    inputs, hashes = summary["inputs"], summary["hashes"]
    pushed = summary["pushed"]
    lines = [
        f"run         {summary['run_id']} of {summary['pipeline']}: {summary['status']}",
        f"config      {hashes['config'][:16]}  {path.parent / 'config.json'}",
        f"data        {hashes['data']}  {inputs['data']}",
        *_spans(summary),
        f"schema      {Path(inputs['schema']).parent.name}  {inputs['schema']}",
        f"vocabulary  {inputs['vocabulary_hash']}  {inputs['vocabulary']}",
        f"weights     {inputs['weights_hash']}  {inputs['weights']}"
        if inputs["weights"]
        else "weights     random, from training.seed",
        *_warm_start(summary),
        *_tuned(summary),
        f"pushed      version {pushed['version']}  {pushed['path']}"
        if pushed
        else "pushed      nothing",
        "artifacts",
    ]
    states = summary["components"]
    for name, uris in summary["artifacts"].items():
        state = states[name.partition(".")[0]]["state"]
        lines += [f"  {name:<32} {state:<7} {uri}" for uri in uris]
    lines.append("environment " + ", ".join(f"{k} {v}" for k, v in summary["environment"].items()))
    return "\n".join(lines)


def _spans(summary: dict[str, Any]) -> list[str]:
    spans = summary.get("spans")
    return [f"spans       {', '.join(map(str, spans))}"] if spans else []


def _warm_start(summary: dict[str, Any]) -> list[str]:
    """The pushed model that the training went on from, or why it did not."""
    found = summary.get("warm_start") or {}
    if found.get("model"):
        classes = [
            f"{name}: {', '.join(found[name])}" for name in ("new", "vanished") if found[name]
        ]
        return [f"warm start  {found['model']}" + (f"  ({'; '.join(classes)})" if classes else "")]
    return [f"warm start  no: {found['reason']}"] if found.get("reason") else []


def _tuned(summary: dict[str, Any]) -> list[str]:
    """The training settings that the Tuner chose, if there was one."""
    tuning = summary.get("tuning")
    if not tuning:
        return []
    values = ", ".join(f"{key}={value}" for key, value in tuning["values"].items())
    return [f"tuned       {values}  (best of {tuning['trials']} trials)"]


def _find(run: str, root: Path) -> Path:
    given = Path(run)
    candidates = [given, given / "summary.json", *sorted(root.glob(f"*/{run}/summary.json"))]
    found = [path for path in candidates if path.is_file()]
    if not found:
        known = sorted(path.parent.name for path in root.glob("*/*/summary.json"))[-5:]
        raise LineageError(
            f"no run {run!r} under {root}"
            + (f"; the latest are {', '.join(known)}" if known else "; there is none")
        )
    return found[0]
