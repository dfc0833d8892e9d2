"""Which pushed model of the pretraining line fine-tuning starts from."""

import json
from pathlib import Path

from pipeline.configs import PretrainedConfig

LATEST = "latest"


class PretrainedError(Exception):
    """There is no such pushed model."""


def pushed_model(wanted: PretrainedConfig) -> Path:
    """The Hugging Face folder of the stable version, or of the run with the given id.

    Raises:
        PretrainedError: no such run, its model was not blessed, or is not kept any more.
    """
    from components.pusher.store import (
        Store,  # with TensorFlow, which most configs need not wait for
    )

    base = Path(wanted.root, wanted.pipeline).resolve()
    store = Store(str(base / "serving" / wanted.pipeline))
    if wanted.run == LATEST:
        stable = store.state().stable
        if stable is None:
            raise PretrainedError(
                f"{base} holds no pushed model: run the pretraining pipeline {wanted.pipeline} first"
            )
        return Path(store.path(stable))
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
    version = int(summary["pushed"]["version"])
    if version not in store.versions():
        raise PretrainedError(
            f"version {version}, which the run {wanted.run} pushed, is not in {store.base} any more: "
            "push.keep says how many are kept"
        )
    return Path(store.path(version))
