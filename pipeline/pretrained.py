"""Which pushed model of the pretraining line fine-tuning starts from."""

import json
from pathlib import Path

from pipeline.configs import PretrainedConfig

LATEST = "latest"


class PretrainedError(Exception):
    """There is no such pushed model."""


def pushed_model(wanted: PretrainedConfig) -> Path:
    """The Hugging Face folder of the latest blessed run, or of the run with the given id.

    Raises:
        PretrainedError: no such run, or its model was not blessed.
    """
    base = Path(wanted.root, wanted.pipeline).resolve()
    if wanted.run == LATEST:
        versions = [p for p in (base / "serving" / wanted.pipeline).glob("*") if p.name.isdigit()]
        if not versions:
            raise PretrainedError(
                f"{base} holds no pushed model: run the pretraining pipeline {wanted.pipeline} first"
            )
        return max(versions, key=lambda path: int(path.name))
    path = base / wanted.run / "summary.json"
    if not path.is_file():
        known = sorted(path.parent.name for path in base.glob("*/summary.json"))[-5:]
        raise PretrainedError(
            f"{base} holds no run {wanted.run!r}"
            + (f"; the latest are {', '.join(known)}" if known else "")
        )
    summary = json.loads(path.read_text())
    if not summary["pushed"]:
        raise PretrainedError(f"the run {wanted.run} pushed nothing: its model was not blessed")
    return Path(summary["pushed"]["path"])
