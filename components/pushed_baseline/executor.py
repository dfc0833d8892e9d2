"""Copies the stable version, or the one before if the candidate is that."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components import manifest
from components.pusher.store import Store

VERSION_PROPERTY = "pushed_version"


class Executor(base_executor.BaseExecutor):
    """Writes `model`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the version that is stable, or was last before it, and is not the candidate.

        Args:
            input_dict: `candidate`, one Model, or nothing.
            output_dict: `model`, which gets the copy, and its version as the property `pushed_version`;
                nothing if there is none.
            exec_properties: `base_directory`, the Pusher's.
        """
        candidates = input_dict.get("candidate") or []
        model = artifact_utils.get_single_instance(output_dict["model"])
        version = latest_other(
            Store(exec_properties["base_directory"]),
            [Path(path_utils.serving_model_path(candidate.uri)) for candidate in candidates],
        )
        if version:
            shutil.copytree(version, path_utils.serving_model_dir(model.uri), dirs_exist_ok=True)
            model.set_string_custom_property(VERSION_PROPERTY, version.name)


def latest_other(store: Store, candidates: Sequence[Path]) -> Path | None:
    """The folder of the latest stable version that does not hold a candidate's files.

    What was rolled back, or is still on trial, is nothing to be measured by.
    """
    stables = store.state().stables
    measured = [manifest.measure(str(candidate)) for candidate in candidates if stables]
    for version in reversed(stables):
        pushed = _files(store, version)
        if not any(files.items() <= pushed.items() for files in measured):
            return Path(store.path(version))
    return None


def _files(store: Store, version: int) -> dict[str, str]:
    """The SHA-256 of each file of a version, by path.

    As they were pushed, which is the question here: a version whose files were damaged since is still the
    candidate's, and nothing to measure it by. Read is only what has no manifest, or a broken one.
    """
    try:
        pushed = store.pushed_files(version)
    except ValueError:
        pushed = None
    return manifest.measure(store.path(version)) if pushed is None else pushed
