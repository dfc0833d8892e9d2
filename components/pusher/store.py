"""The folder of the pushed versions: where servers look, and what is kept beside."""

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Collection, Iterator

import pydantic
from tfx.dsl.io import fileio

from components import manifest
from components.artifact_file import sync, write_artifact_file
from components.pusher.history import Change, State, state_after
from components.pusher.models_config import models_config

HISTORY_FILE, MODELS_CONFIG_FILE = "history.json", "models.config"
_KEPT_FOLDER, _LOCK_FILE = "kept", ".lock"
_MANIFEST = os.path.join(manifest.EXTRA_FOLDER, manifest.MANIFEST_FILE)
_LEFTOVER = re.compile(r"\.[0-9]+\.(part|gone)")
_HISTORY = pydantic.TypeAdapter(list[Change])


class HistoryError(ValueError):
    """The history can't be read; the message names the file."""


class Store:
    """A model's versions.

    `<base>/<version>/` are those that servers look at: the labelled ones, and the one before `stable`, so
    that a rollback need not wait for it to load. All others lie in `<base>/kept/`. `history.json` tells of
    every change, `models.config` is for servers.

    Args:
        base: the folder, a path or a URI; made by the first push. Its name is the model's, for
            servers.
    """

    def __init__(self, base: str):
        self.base = base.rstrip("/") if "://" in base else os.path.abspath(base)

    def versions(self) -> list[int]:
        """All that are whole, in rising order."""
        return sorted({*self._in(self.base), *self._in(self._kept)})

    def path(self, version: int) -> str:
        """The folder of a version."""
        served = os.path.join(self.base, str(version))
        return served if fileio.isdir(served) else os.path.join(self._kept, str(version))

    def history(self) -> list[Change]:
        """Every change, the oldest first.

        Raises:
            HistoryError: the file is no history.
        """
        path = os.path.join(self.base, HISTORY_FILE)
        if not fileio.exists(path):
            return []
        with fileio.open(path) as file:
            text = file.read()
        try:
            return _HISTORY.validate_json(text)
        except pydantic.ValidationError as error:
            raise HistoryError(f"{path} is no history of versions: {error}") from error

    def state(self) -> State:
        """What is stable, canary and withdrawn now."""
        return state_after(self.history(), self.versions())

    def served(self) -> list[int]:
        """Versions that lie where servers look."""
        return self._in(self.base)

    def pushed_files(self, version: int) -> dict[str, str] | None:
        """The SHA-256 of each file as it was pushed, by path; None if there is no manifest to tell.

        Raises:
            ValueError: the manifest can't be read; the message says where.
        """
        path = os.path.join(self.path(version), _MANIFEST)
        if not fileio.exists(path):
            return None
        with fileio.open(path) as file:
            text = file.read()
        try:
            return manifest.from_text(text)
        except ValueError as error:
            raise ValueError(f"{_MANIFEST}: {error}") from error

    def damage(self, version: int) -> list[str] | None:
        """A phrase for each file that is not as it was pushed; None if there is no manifest to tell."""
        try:
            expected = self.pushed_files(version)
        except ValueError as error:
            return [str(error)]
        if expected is None:
            return None
        found = manifest.measure(self.path(version))
        del found[_MANIFEST]
        return manifest.differences(expected, found)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Only one process at a time changes a local folder; an object store has no locks."""
        fileio.makedirs(self.base)
        if not os.path.isdir(self.base):
            yield
            return
        with open(os.path.join(self.base, _LOCK_FILE), "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # Below: only while holding the lock.

    def part(self, version: int) -> str:
        """Where a version is put together; no server takes it for one."""
        return os.path.join(self.base, f".{version}.part")

    def finish(self, version: int) -> str:
        """Makes what was put together a version, in one step; returns its folder."""
        part, path = self.part(version), os.path.join(self.base, str(version))
        for folder, _, names in os.walk(part):  # empty for an object store
            for name in names:
                sync(os.path.join(folder, name))
            sync(folder)
        fileio.rename(part, path)
        sync(self.base)
        return path

    def clean(self) -> None:
        """Deletes what killed pushes have left."""
        for name in self._names(self.base):
            if _LEFTOVER.fullmatch(name):
                fileio.rmtree(os.path.join(self.base, name))

    def apply(self, change: Change, served_as: str | None, wait_seconds: float) -> None:
        """Records a change and shows it to the servers, so that no request fails.

        A server moves a label only to a version that it has loaded, and looks again until it has. Hence a
        version that loses its label stays in place: until the next change after a push, which cannot know
        when the server is ready; for `wait_seconds` after a promotion or a rollback.

        Args:
            change: what to do.
            served_as: `base` as the server sees it; the same by default.
            wait_seconds: before what has lost its label is taken away.
        """
        before = self.state().labels
        changes = [*self.history(), change]
        state = state_after(changes, self.versions())
        stay = {*state.labels.values()}
        if state.previous is not None and state.previous < change.stable:
            stay.add(state.previous)  # never what would answer requests without a label
        is_served = fileio.exists(os.path.join(self.path(change.stable), "saved_model.pb"))
        if is_served:
            self._move(stay - {*self.served()}, self._kept, self.base)
        text = _HISTORY.dump_json(changes, indent=1, exclude_none=True).decode()
        write_artifact_file(os.path.join(self.base, HISTORY_FILE), text + "\n", durable=True)
        if not is_served:  # a folder to fine-tune from
            return
        write_artifact_file(
            os.path.join(self.base, MODELS_CONFIG_FILE),
            models_config(os.path.basename(self.base), served_as or self.base, state.labels),
            durable=True,
        )
        leave = {*self.served()} - stay
        lost = leave & {*before.values()}
        if change.action == "push":
            leave -= lost
        elif lost:
            time.sleep(wait_seconds)
        self._move(leave, self.base, self._kept)

    def prune(self, keep: int, protected: Collection[int]) -> None:
        """Deletes all versions but the newest, and those that are needed."""
        state = self.state()
        needed = {*self.versions()[-keep:], *state.labels.values(), *protected}
        for version in self.versions():
            if version not in needed and version != state.previous:
                gone = os.path.join(self.base, f".{version}.gone")
                fileio.rename(self.path(version), gone)
                fileio.rmtree(gone)

    @property
    def _kept(self) -> str:
        return os.path.join(self.base, _KEPT_FOLDER)

    def _move(self, versions: Collection[int], source: str, target: str) -> None:
        fileio.makedirs(target)
        for version in sorted(versions):
            fileio.rename(os.path.join(source, str(version)), os.path.join(target, str(version)))
        sync(source)
        sync(target)

    def _in(self, folder: str) -> list[int]:
        return sorted(int(n) for n in self._names(folder) if n.isascii() and n.isdecimal())

    def _names(self, folder: str) -> list[str]:
        if not fileio.isdir(folder):
            return []
        return [name.rstrip("/") for name in fileio.listdir(folder)]
