"""Pusher's work: model and card become a version in one step."""

import os
import time
from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import PUSH_DESTINATION_KEY, PUSHED_MODEL_KEY
from tfx.utils import io_utils, proto_utils

from components.model_card.artifact import CARD_FOLDER, JSON_FILE, MARKDOWN_FILE

MODEL_CARD_KEY = "model_card"


class Executor(tfx_executor.Executor):
    """TFX's executor, which judges and marks; the copying is ours.

    TFX copies file by file into the version's folder, `saved_model.pb` last. Here a version is copied beside,
    into a folder that no server takes for a version, and renamed when it is whole.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a model that is blessed, with its card in `assets.extra/`.

        Args:
            input_dict: the stock Pusher's, and `model_card`.
            output_dict: `pushed_model`, as the stock Pusher writes it.
            exec_properties: the stock Pusher's.
        """
        pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
        base = destination.filesystem.base_directory
        card = artifact_utils.get_single_uri(input_dict[MODEL_CARD_KEY])
        version = _next_version(base)
        part, path = os.path.join(base, f".{version}.part"), os.path.join(base, str(version))
        io_utils.copy_dir(self.GetModelPath(input_dict), part)
        for name in {MARKDOWN_FILE, JSON_FILE, *fileio.listdir(card)}:
            io_utils.copy_file(os.path.join(card, name), os.path.join(part, CARD_FOLDER, name))
        fileio.rename(part, path)
        io_utils.copy_dir(path, pushed.uri)
        self._MarkPushed(pushed, pushed_destination=path, pushed_version=str(version))


def _next_version(base: str) -> int:
    """The time in seconds, or one more than the newest version if that is not behind."""
    names = [name.rstrip("/") for name in fileio.listdir(base)] if fileio.exists(base) else []
    newest = max((int(name) for name in names if name.isdigit()), default=0)
    return max(int(time.time()), newest + 1)
