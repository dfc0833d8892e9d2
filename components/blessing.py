"""A gate's decision, where TFX's Pusher and Resolver look for it, and which bytes it is about."""

import os
from collections.abc import Mapping

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.io import fileio
from tfx.utils import path_utils

from components import manifest
from components.artifact_file import write_artifact_file

JUDGE_PROPERTY = "judge"


def blessed_files(model: types.Artifact) -> dict[str, str]:
    """The manifest of what would be pushed of a model; taken before the model is looked at.

    Args:
        model: a Model artifact.
    """
    return manifest.measure(path_utils.serving_model_path(model.uri))


def write_blessing(
    blessing: types.Artifact,
    model: types.Artifact,
    is_blessed: bool,
    files: Mapping[str, str],
    judge: str,
    text: str = "",
) -> None:
    """Says in a ModelBlessing artifact, as TFX's Evaluator does, what was decided.

    Args:
        blessing: the artifact.
        model: what it is about.
        is_blessed: whether it may be pushed.
        files: see `blessed_files`.
        judge: who decided.
        text: of the file that says so by its name.
    """
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    value = constants.BLESSED_VALUE if is_blessed else constants.NOT_BLESSED_VALUE
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
    name = constants.BLESSED_FILE_NAME if is_blessed else constants.NOT_BLESSED_FILE_NAME
    fileio.makedirs(blessing.uri)
    with fileio.open(os.path.join(blessing.uri, name), "w") as file:
        file.write(text)
    record_files(blessing, files, judge)


def record_files(blessing: types.Artifact, files: Mapping[str, str], judge: str) -> None:
    """Writes into a blessing, of a gate or of a serving check, which bytes it is about, and whose it is."""
    fileio.makedirs(blessing.uri)
    path = os.path.join(blessing.uri, manifest.MANIFEST_FILE)
    write_artifact_file(path, manifest.to_text(files))
    blessing.set_string_custom_property(JUDGE_PROPERTY, judge)


def recorded_files(blessing: types.Artifact) -> dict[str, str] | None:
    """The inverse of `record_files`; None if nothing was recorded.

    Raises:
        ValueError: the record can't be read.
    """
    path = os.path.join(blessing.uri, manifest.MANIFEST_FILE)
    if not fileio.exists(path):
        return None
    with fileio.open(path) as file:
        text = file.read()
    try:
        return manifest.from_text(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
