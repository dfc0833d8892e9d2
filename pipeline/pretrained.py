"""Which pushed model of the pretraining line fine-tuning starts from."""

import json
from pathlib import Path

from pipeline.configs import PretrainedConfig, pushed_versions

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
        versions = pushed_versions(base / "serving" / wanted.pipeline)
        if not versions:
            raise PretrainedError(
                f"{base} holds no pushed model: run the pretraining pipeline {wanted.pipeline} first"
            )
        return versions[-1]
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
