"""The pushed versions of a line: what there is, what is stable, and how that is changed."""

import contextlib
import datetime
import os
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import pydantic
from tfx.dsl.io import fileio

from components.pusher.history import CANARY, STABLE, Change, State
from components.pusher.store import Store
from models.config import Config
from pipeline.configs import PipelineConfig, local_paths
from pipeline.pretrain_config import PretrainConfig

Label = Literal["stable", "canary", "rolled back"]
ROLLED_BACK: Literal["rolled back"] = "rolled back"


class VersionError(Exception):
    """What was asked for cannot be; the message says what can."""


class Version(Config):
    """One pushed version.

    Attributes:
        version: its number.
        path: its folder.
        label: "stable", "canary", "rolled back", or None.
        served: whether it lies where servers look.
        pushed: when; None for one that no history tells of.
        run: that pushed it.
        blessed_by: the components that looked at these bytes.
        hash: "ok", "damaged", or "unknown" for one that was pushed without a manifest.
        damage: a phrase for each file that is not as it was pushed.
        bytes: size of its files.
        why: it was rolled back.
    """

    version: int
    path: str
    label: Label | None
    served: bool
    pushed: pydantic.AwareDatetime | None
    run: str | None
    blessed_by: tuple[str, ...]
    hash: Literal["ok", "damaged", "unknown"]
    damage: tuple[str, ...]
    bytes: int
    why: str | None


class Status(Config):
    """All versions of a line.

    Attributes:
        name: of the pipeline.
        folder: of the versions.
        stable: the version that is meant to answer.
        canary: the version on trial.
        previous: where `rollback` would go.
        versions: the newest first.
        history: every change, the oldest first.
    """

    name: str
    folder: str
    stable: int | None
    canary: int | None
    previous: int | None
    versions: tuple[Version, ...]
    history: tuple[Change, ...]


def status(config: PipelineConfig | PretrainConfig, folder: str | None = None) -> Status:
    """Looks at every version, and at every byte of it.

    Args:
        config: of the line.
        folder: of the versions, if they are not those of local runs.
    """
    store = _store(config, folder)
    state = store.state()
    served = store.served()
    return Status(
        name=config.name,
        folder=store.base,
        stable=state.stable,
        canary=state.canary,
        previous=state.previous,
        versions=tuple(
            _describe(store, state, version, version in served)
            for version in reversed(store.versions())
        ),
        history=tuple(store.history()),
    )


def standing(config: PipelineConfig | PretrainConfig, pushed: Mapping[str, Any]) -> dict[str, Any]:
    """What a version that a run has pushed is now.

    Args:
        config: of the line.
        pushed: `version` and `path` of then.

    Returns:
        `version`, `path` (where it lies now) and `label`: "stable", "canary", "rolled back", "kept" if it has
        none, "deleted" if it is there no more. Of one that was rolled back also `rollback`, with `when` (UTC,
        ISO 8601), `who` and `why`.

    Raises:
        components.pusher.store.HistoryError: the history of the versions can't be read.
    """
    store, version = _store(config, None), int(pushed["version"])
    found = {"version": pushed["version"], "path": pushed["path"]}
    if version not in store.versions():
        return found | {"label": "deleted"}
    state = store.state()
    found |= {"path": store.path(version), "label": _labels(state).get(version, "kept")}
    if mark := state.withdrawn.get(version):
        when = mark.when.astimezone(datetime.timezone.utc).isoformat(timespec="seconds")
        found["rollback"] = {"when": when, "who": mark.who, "why": mark.why}
    return found


def promote(
    config: PipelineConfig | PretrainConfig,
    version: int | None = None,
    *,
    why: str = "",
    again: bool = False,
    folder: str | None = None,
) -> Change:
    """Makes a version stable.

    Args:
        config: of the line; its `push` says for how long a version that steps back stays in place.
        version: the canary by default.
        why: goes into the history.
        again: whether it may be one that was rolled back.
        folder: of the versions, if they are not those of local runs.

    Returns:
        The entry of the history.

    Raises:
        VersionError: there is no such version, it is damaged, stable already, or was rolled back.
    """
    store = _store(config, folder)
    with _changing(store, config):
        state = store.state()
        if version is None:
            version = state.canary
        if version is None:
            raise VersionError(f"there is no canary to promote; {_known(store, state)}")
        _check_version(store, state, version)
        if version in state.withdrawn and not again:
            raise VersionError(f"{_was_rolled_back(state, version)}; --again promotes it anyway")
        canary = None if version == state.canary else state.canary
        change = Change(action="promote", version=version, stable=version, canary=canary, why=why)
        _apply(store, config, change)
    return change


def rollback(
    config: PipelineConfig | PretrainConfig,
    to: int | None = None,
    *,
    why: str,
    canary: bool = False,
    folder: str | None = None,
) -> Change:
    """Withdraws the stable version, or the canary. It is kept, and marked.

    Args:
        config: of the line; its `push` says for how long the version stays in place.
        to: becomes stable; by default the version that was so before.
        why: goes into the history.
        canary: whether it is the canary that is withdrawn; `stable` then stays.
        folder: of the versions, if they are not those of local runs.

    Returns:
        The entry of the history.

    Raises:
        VersionError: there is nothing to withdraw or to go back to, or that is damaged or was rolled back.
    """
    if not why.strip():
        raise VersionError("a rollback needs a reason (why)")
    store = _store(config, folder)
    with _changing(store, config):
        state = store.state()
        change = _without_canary(state, why) if canary else _back(store, state, to, why)
        _apply(store, config, change)
    return change


def _without_canary(state: State, why: str) -> Change:
    if state.canary is None or state.stable is None:
        raise VersionError("there is no canary to withdraw")
    return Change(action="rollback", version=state.canary, stable=state.stable, why=why)


def _back(store: Store, state: State, to: int | None, why: str) -> Change:
    if state.stable is None:
        raise VersionError("nothing is stable, so there is nothing to withdraw")
    if to is None:
        to = state.previous
    if to is None:
        raise VersionError(
            f"no version was stable before {state.stable}; {_known(store, state)}; --to names one"
        )
    _check_version(store, state, to)
    if to in state.withdrawn:
        raise VersionError(
            f"{_was_rolled_back(state, to)}; `promote {to} --again` is the way to take it back"
        )
    canary = None if to == state.canary else state.canary
    return Change(action="rollback", version=state.stable, stable=to, canary=canary, why=why)


def _check_version(store: Store, state: State, version: int) -> None:
    if version not in store.versions():
        raise VersionError(f"there is no version {version}; {_known(store, state)}")
    if version == state.stable:
        raise VersionError(f"version {version} is stable already")
    if damage := store.damage(version):
        raise VersionError(f"version {version} is damaged: {'; '.join(damage)}")


def _was_rolled_back(state: State, version: int) -> str:
    mark = state.withdrawn[version]
    return f"version {version} was rolled back by {mark.who} on {mark.when:%Y-%m-%d}: {mark.why}"


def _known(store: Store, state: State) -> str:
    names = {version: label for label, version in state.labels.items()}
    names |= dict.fromkeys(state.withdrawn, ROLLED_BACK)
    versions = [
        f"{version} ({names[version]})" if version in names else str(version)
        for version in store.versions()
    ]
    return f"the versions are {', '.join(versions)}"


def _labels(state: State) -> dict[int | None, Label]:
    return {
        **dict.fromkeys(state.withdrawn, ROLLED_BACK),
        state.canary: CANARY,
        state.stable: STABLE,
    }


def _describe(store: Store, state: State, version: int, is_served: bool) -> Version:
    push, mark, damage = (
        state.pushes.get(version),
        state.withdrawn.get(version),
        store.damage(version),
    )
    origin = push.origin if push else None
    path = store.path(version)
    return Version(
        version=version,
        path=path,
        label=_labels(state).get(version),
        served=is_served,
        pushed=push.when if push else None,
        run=origin.run if origin else None,
        blessed_by=origin.blessed_by if origin else (),
        hash="unknown" if damage is None else "damaged" if damage else "ok",
        damage=damage or (),
        bytes=_size(path),
        why=mark.why if mark else None,
    )


def _size(folder: str) -> int:
    size = 0
    for parent, _, names in fileio.walk(folder):
        for name in names:
            with fileio.open(os.path.join(parent, name), "rb") as file:
                file.seek(0, os.SEEK_END)
                size += file.tell()
    return size


def _store(config: PipelineConfig | PretrainConfig, folder: str | None) -> Store:
    return Store(folder or str(local_paths(config)["serving"]))


@contextlib.contextmanager
def _changing(store: Store, config: PipelineConfig | PretrainConfig) -> Iterator[None]:
    """Holds the lock, if there is anything that could be changed."""
    if not store.versions():
        raise VersionError(
            f"no pushed model in {store.base}: run the pipeline {config.name} first; "
            "a model is pushed once blessed"
        )
    with store.lock():
        yield


def _apply(store: Store, config: PipelineConfig | PretrainConfig, change: Change) -> None:
    push = config.push
    store.apply(change, push.served_as, push.wait_seconds)
