"""The versions of one model: which are in service, which load, which are let go.

TensorFlow Serving's availability-preserving policy: a version that is no longer wanted stays in
service until a wanted one has loaded; requests under way finish on the version they began on. A
load that fails is tried again, then given up.
"""

import dataclasses
import enum
import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc

from serving.errors import ServingError
from serving.servable import Servable

_log = logging.getLogger(__name__)


class State(enum.IntEnum):
    """ModelVersionStatus.State of get_model_status.proto."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """What GetModelStatus says of one version; `error` is None while nothing went wrong."""

    version: int
    state: State
    error: ServingError | None = None


@dataclasses.dataclass(frozen=True)
class Retries:
    """How failed loads are tried again.

    Attributes:
        times: after the first failure.
        pause_seconds: between two tries.
    """

    times: int
    pause_seconds: float


@dataclasses.dataclass(frozen=True)
class _Failing:
    """A wanted version, while it does not load."""

    tries: int
    next_try: float  # time.monotonic() seconds


class ModelVersions:
    """Reading is for any thread; `want` for one at a time.

    Args:
        name: the model's name.
        load: makes a version ready to answer, of its number and folder; raises ServingError.
        retries: of failed loads.
    """

    def __init__(self, name: str, load: Callable[[int, Path], Servable], retries: Retries):
        self.name = name
        self._load = load
        self._retries = retries
        self._wanted: Mapping[int, Path] = {}
        # Replaced, never changed, so that requests read it without a lock.
        self._ready: dict[int, Servable] = {}
        self._failing: dict[int, _Failing] = {}
        self._statuses: dict[int, VersionStatus] = {}
        # Reentrant: a version may be freed, and say so, wherever its last holder lets go.
        self._lock = threading.RLock()

    def servable(self, version: int | None) -> Servable | None:
        """The version in service, None meaning the newest; None if it is not in service."""
        ready = self._ready
        if version is None:
            return ready[max(ready)] if ready else None
        return ready.get(version)

    def statuses(self) -> dict[int, VersionStatus]:
        """Every version ever seen."""
        with self._lock:
            return dict(self._statuses)

    @property
    def settled(self) -> bool:
        """Whether a wanted version is in service, or every one was given up."""
        if any(version in self._ready for version in self._wanted):
            return True
        return bool(self._wanted) and all(map(self._given_up, self._wanted))

    @property
    def next_try(self) -> float | None:
        """When a failed load is due again, in seconds of time.monotonic(); None if never."""
        due = [f.next_try for v, f in self._failing.items() if not self._given_up(v)]
        return min(due, default=None)

    def want(self, versions: Mapping[int, Path]) -> None:
        """Loads what is wanted and lets go of what is not, as far as is possible now.

        Args:
            versions: the folder of every version that shall be in service.
        """
        self._wanted = versions
        self._failing = {v: f for v, f in self._failing.items() if v in versions}
        self._let_go_of_unwanted()
        for version in sorted(versions, reverse=True):
            if self._due(version):
                self._try(version)
                self._let_go_of_unwanted()

    def _let_go_of_unwanted(self) -> None:
        """All of them, but one as long as no wanted version is in service."""
        unwanted = sorted(version for version in self._ready if version not in self._wanted)
        if self._wanted and len(unwanted) == len(self._ready):
            unwanted = unwanted[:-1]
        for version in unwanted:
            self._let_go(version)

    def _due(self, version: int) -> bool:
        if version in self._ready or self._given_up(version):
            return False
        failing = self._failing.get(version)
        return failing is None or failing.next_try <= time.monotonic()

    def _given_up(self, version: int) -> bool:
        failing = self._failing.get(version)
        return failing is not None and failing.tries > self._retries.times

    def _try(self, version: int) -> None:
        if version not in self._failing:
            self._set_status(VersionStatus(version, State.LOADING))
        try:
            servable = self._load(version, self._wanted[version])
        except ServingError as error:
            self._note_failure(version, error)
            return
        self._failing.pop(version, None)
        self._ready = {**self._ready, version: servable}
        self._set_status(VersionStatus(version, State.AVAILABLE))
        _log.info("Successfully loaded servable version {name: %s version: %s}", self.name, version)

    def _note_failure(self, version: int, error: ServingError) -> None:
        before = self._failing.get(version)
        tries = before.tries + 1 if before else 1
        pause = self._retries.pause_seconds
        self._failing[version] = _Failing(tries, time.monotonic() + pause)
        # TensorFlow Serving shows the reason only when it has given up; here at every try.
        state = State.END if self._given_up(version) else State.LOADING
        self._set_status(VersionStatus(version, state, error))
        outcome = "given up" if self._given_up(version) else f"trying again in {pause:g} s"
        _log.error(
            "Loading servable: {name: %s version: %s} failed (try %s, %s): %s",
            *(self.name, version, tries, outcome, error.message),
        )

    def _let_go(self, version: int) -> None:
        """Takes a version out of service; it is freed when its last request is done."""
        servable = self._ready[version]
        self._ready = {v: s for v, s in self._ready.items() if v != version}
        self._set_status(VersionStatus(version, State.UNLOADING))
        weakref.finalize(servable, self._note_freed, version).atexit = False
        del servable
        gc.collect()  # graphs hold reference cycles

    def _note_freed(self, version: int) -> None:
        with self._lock:
            if self._statuses[version].state is State.UNLOADING:
                self._statuses[version] = VersionStatus(version, State.END)
        _log.info("Done unloading servable version {name: %s version: %s}", self.name, version)

    def _set_status(self, status: VersionStatus) -> None:
        with self._lock:
            self._statuses[status.version] = status


def status_error(status: VersionStatus) -> str:
    """Why a version is not available, as TensorFlow Serving lists it at start."""
    code = status.error.code if status.error else grpc.StatusCode.UNKNOWN
    return f"{code.name}: {status.error.message if status.error else 'no reason given'}"
