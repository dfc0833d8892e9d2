"""Pusher's work: a blessed model and its card become a version in one step."""

import os
import time
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSH_DESTINATION_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import io_utils, proto_utils

from components import manifest
from components.artifact_file import write_artifact_file
from components.blessing import JUDGE_PROPERTY, recorded_files
from components.model_card.artifact import JSON_FILE, MARKDOWN_FILE
from components.pusher.config import PushConfig
from components.pusher.history import Change, Origin, State
from components.pusher.store import Store

MODEL_CARD_KEY = "model_card"
CONFIG_KEY = "config"


class PushRefused(ValueError):
    """A model that its blessings do not speak of, or that was rolled back before."""


class Executor(tfx_executor.Executor):
    """TFX's executor, which judges and marks; the copying is ours.

    TFX copies file by file into the version's folder, `saved_model.pb` last. Here a version is copied beside,
    into a folder that no server takes for a version, compared with what was blessed, and renamed when it is
    whole.
    """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a model that is blessed, with its card, if there is one, in `assets.extra/`.

        Args:
            input_dict: the stock Pusher's, and `model_card`.
            output_dict: `pushed_model`, as the stock Pusher writes it.
            exec_properties: the stock Pusher's, and `config`, a dump of PushConfig.

        Raises:
            PushRefused: the model's files are not those that were blessed, or were rolled back.
        """
        pushed = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed)
            return
        destination = pusher_pb2.PushDestination()
        proto_utils.json_to_proto(exec_properties[PUSH_DESTINATION_KEY], destination)
        store = Store(destination.filesystem.base_directory)
        config = PushConfig.model_validate_json(exec_properties[CONFIG_KEY])
        with store.lock():
            store.clean()
            version = self._push(store, input_dict, config)
            path = store.path(version)
            io_utils.copy_dir(path, pushed.uri)
        self._MarkPushed(pushed, pushed_destination=path, pushed_version=str(version))

    def _push(
        self,
        store: Store,
        input_dict: dict[str, list[types.Artifact]],
        config: PushConfig,
    ) -> int:
        """The number of the new version, or of the newest one if that holds the same model."""
        source = self.GetModelPath(input_dict)
        blessings = [
            artifact
            for key in (MODEL_BLESSING_KEY, INFRA_BLESSING_KEY)
            for artifact in input_dict.get(key, [])
        ]
        files = _same_files(source, blessings)
        [model] = input_dict[MODEL_KEY]
        run = getattr(self._context, "pipeline_run_id", None)
        origin = Origin(
            content=manifest.content_hash(files),
            model=model.uri,
            run=run,
            blessed_by=tuple(b.get_string_custom_property(JUDGE_PROPERTY) for b in blessings),
        )
        state, versions = store.state(), store.versions()
        _refuse_withdrawn(state, origin)
        newest = versions[-1] if versions else None
        known = state.origin(newest)
        is_there = known is not None and known.content == origin.content
        if newest is not None and is_there and not store.damage(newest):
            return newest
        version = max(int(time.time()), versions[-1] + 1 if versions else 0)
        _copy(store, version, source, files, input_dict.get(MODEL_CARD_KEY))
        stable = state.stable if config.canary else None
        change = Change(
            action="push",
            version=version,
            stable=version if stable is None else stable,
            canary=None if stable is None else version,
            who="Pusher",
            origin=origin,
        )
        store.apply(change, config.served_as, wait_seconds=0)
        store.prune(config.keep, protected=state.labels.values())
        return version


def _same_files(source: str, blessings: list[types.Artifact]) -> dict[str, str]:
    """The manifest that every blessing holds.

    Raises:
        PushRefused: one holds none, or another.
    """
    if not blessings:
        raise PushRefused(f"{source} is not pushed: nothing has blessed it")
    manifests = [recorded_files(blessing) for blessing in blessings]
    for blessing, files in zip(blessings, manifests, strict=True):
        if files is None:
            raise PushRefused(
                f"{source} is not pushed: the blessing in {blessing.uri} does not say of which bytes. "
                "Run the component that made it again"
            )
        _refuse_damaged(source, files, manifests[0] or {})
    return manifests[0] or {}


def _copy(
    store: Store,
    version: int,
    source: str,
    files: Mapping[str, str],
    cards: list[types.Artifact] | None,
) -> None:
    """Puts a version together, compares what has arrived with what was blessed, and shows it.

    Raises:
        PushRefused: it is something else.
    """
    part = store.part(version)
    io_utils.copy_dir(source, part)
    arrived = manifest.measure(part)
    if arrived != files:
        fileio.rmtree(part)
        _refuse_damaged(source, files, arrived)
    extra = os.path.join(part, manifest.EXTRA_FOLDER)
    fileio.makedirs(extra)
    for card in cards or []:
        for name in sorted({MARKDOWN_FILE, JSON_FILE, *fileio.listdir(card.uri)}):
            io_utils.copy_file(os.path.join(card.uri, name), os.path.join(extra, name))
    # The model itself was just hashed: only what has come to it is.
    beside = {
        os.path.join(manifest.EXTRA_FOLDER, path): digest
        for path, digest in manifest.measure(extra).items()
    }
    every = dict(sorted((arrived | beside).items()))
    write_artifact_file(os.path.join(extra, manifest.MANIFEST_FILE), manifest.to_text(every))
    store.finish(version)


def _refuse_damaged(source: str, blessed: Mapping[str, str], found: Mapping[str, str]) -> None:
    if changes := manifest.differences(blessed, found):
        raise PushRefused(
            f"{source} is not pushed: it is not what was blessed: {'; '.join(changes)}. "
            "Train it again, or restore the files"
        )


def _refuse_withdrawn(state: State, origin: Origin) -> None:
    for version, rollback in state.withdrawn.items():
        known = state.origin(version)
        if known and known.content == origin.content:
            raise PushRefused(
                f"{origin.model} is not pushed: it is version {version}, which {rollback.who} rolled back "
                f"({rollback.why}). python -m pipeline promote {version} --again takes it back"
            )
