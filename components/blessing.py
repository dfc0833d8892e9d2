"""A gate's decision, where TFX's Pusher and Resolver look for it."""

import os

from tfx import types
from tfx.components.evaluator import constants
from tfx.dsl.io import fileio


def write_blessing(
    blessing: types.Artifact, model: types.Artifact, is_blessed: bool, text: str = ""
) -> None:
    """Says in a ModelBlessing artifact, as TFX's Evaluator does, what was decided.

    Args:
        blessing: the artifact.
        model: what it is about.
        is_blessed: whether it may be pushed.
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
