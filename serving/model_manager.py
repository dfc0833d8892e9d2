"""Which version of the model is served: polls the folder, loads the newest, then drops the old.

The rules are TensorFlow Serving's defaults: the newest version is wanted ("latest" policy, one
version); the version in service is let go only when the wanted one has loaded
(availability-preserving policy); a load that fails is tried again, then given up.
"""

import dataclasses
import enum
import gc
import logging
import threading
import time
from pathlib import Path

import grpc

from serving.errors import ServingError, invalid_argument
from serving.flags import ServerFlags
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
class _Failing:
    """The wanted version, while it does not load."""

    version: int
    tries: int
    next_try: float  # time.monotonic() seconds


class ModelManager:
    """Holds the served version. All methods may be called from any thread.

    Args:
        flags: the model's name and folder, and how often to look and to try.
    """

    def __init__(self, flags: ServerFlags):
        self._flags = flags
        self._base_path = Path(flags.model_base_path)
        self._tags = tuple(flags.saved_model_tags.split(","))
        self._lock = threading.Lock()
        self._served: Servable | None = None
        self._failing: _Failing | None = None
        self._complaint = ""
        self._statuses: dict[int, VersionStatus] = {}
        self._stop = threading.Event()
        self._first_outcome = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="model-poll", daemon=True)

    def start(self) -> None:
        """Starts looking for versions, in a thread of its own."""
        self._thread.start()

    def wait_until_available(self, stop: threading.Event) -> None:
        """Waits until the first version is in service, or `stop` is set.

        Raises:
            ServingError: UNKNOWN, with the reason, if the first version was given up.
        """
        while not self._first_outcome.wait(0.1):
            if stop.is_set():
                return
        if self._served is None:
            failures = ", ".join(
                f"{{{{name: {self._flags.model_name} version: {status.version}}} due to error: "
                f"{status.error.code.name}: {status.error.message}}}"
                for status in self._statuses.values()
                if status.error
            )
            raise ServingError(
                grpc.StatusCode.UNKNOWN, f"1 model(s) did not become available: {{{failures}}}"
            )

    def stop(self) -> None:
        """Stops looking; a load under way is not waited for."""
        self._stop.set()

    def servable(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """The version to answer a request with. It stays usable while the caller holds it.

        Raises:
            ServingError: INVALID_ARGUMENT without a name or with a label (none is ever assigned
                here), NOT_FOUND for a model or version that is not in service.
        """
        if not name:
            raise invalid_argument("ModelSpec has no name specified.")
        if label is not None:
            raise invalid_argument(f"Unrecognized servable version label: {label}")
        served = self._served
        if served is None or name != served.name or version not in (None, served.version):
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}"
            )
        return served

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """Every version ever seen, newest first, or the one asked for.

        Raises:
            ServingError: NOT_FOUND for a model or version never seen.
        """
        with self._lock:
            known = dict(self._statuses) if name == self._flags.model_name else {}
        if version is not None:
            if version not in known:
                raise ServingError(
                    grpc.StatusCode.NOT_FOUND, f"Could not find version {version} of model {name}"
                )
            return [known[version]]
        if not known:
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}"
            )
        return [known[number] for number in sorted(known, reverse=True)]

    def look(self) -> None:
        """Looks at the folder once, and loads or lets go of what it finds. Not for two threads."""
        try:
            versions = _versions(self._base_path)
        except OSError as error:  # not there (yet, or any more): what is served stays served
            self._complain(f"Could not find base path {self._base_path} with error {error}")
            return
        if not versions:
            self._complain(
                f"No versions of servable {self._flags.model_name} found under base path "
                f"{self._base_path}. Did you forget to name your leaf directory as a number "
                "(eg. '/1/')?"
            )
            self._serve(None)
            return
        self._complaint = ""
        wanted = max(versions)
        if self._failing and self._failing.version != wanted:
            self._failing = None
        if self._served is not None and self._served.version == wanted:
            return
        if self._given_up() or (self._failing and time.monotonic() < self._failing.next_try):
            return
        self._load(wanted, versions[wanted])

    # Below: the polling thread only.

    def _poll(self) -> None:
        while not self._stop.is_set():
            self.look()
            if self._served or self._given_up():
                self._first_outcome.set()
            wait: float = self._flags.file_system_poll_wait_seconds
            if not wait:  # "look once"; the tries of a failing load still follow
                if not self._failing or self._given_up():
                    return
                wait = max(0.0, self._failing.next_try - time.monotonic())
            self._stop.wait(wait)

    def _complain(self, text: str) -> None:
        """Warns once of what lasts from look to look."""
        if text != self._complaint:
            _log.warning("%s", text)
        self._complaint = text

    def _given_up(self) -> bool:
        return bool(self._failing and self._failing.tries > self._flags.max_num_load_retries)

    def _load(self, version: int, path: Path) -> None:
        if not self._failing:
            self._set_status(VersionStatus(version, State.LOADING))
        try:
            servable = Servable(self._flags.model_name, version, path, self._tags)
        except ServingError as error:
            self._note_failure(version, error)
            return
        self._failing = None
        self._serve(servable)
        _log.info("Successfully loaded servable version %s of %s", version, self._flags.model_name)

    def _note_failure(self, version: int, error: ServingError) -> None:
        tries = self._failing.tries + 1 if self._failing else 1
        pause = self._flags.load_retry_interval_micros / 1e6
        self._failing = _Failing(version, tries, time.monotonic() + pause)
        # TensorFlow Serving shows the reason only when it has given up; here at every try.
        state = State.END if self._given_up() else State.LOADING
        self._set_status(VersionStatus(version, state, error))
        outcome = "given up" if self._given_up() else f"trying again in {pause:g} s"
        _log.error(
            "Loading servable %s version %s failed (try %s, %s): %s",
            *(self._flags.model_name, version, tries, outcome, error.message),
        )

    def _serve(self, servable: Servable | None) -> None:
        """Puts the new version in service, then lets go of the old one."""
        before, self._served = self._served, servable
        if servable is not None:
            self._set_status(VersionStatus(servable.version, State.AVAILABLE))
        if before is not None:
            self._set_status(VersionStatus(before.version, State.END))
            del before
            gc.collect()  # SavedModels hold reference cycles; requests under way keep theirs alive

    def _set_status(self, status: VersionStatus) -> None:
        with self._lock:
            self._statuses[status.version] = status


def _versions(base_path: Path) -> dict[int, Path]:
    """Folders by version number; names that are no number are no versions.

    Raises:
        OSError: if the folder can't be listed.
    """
    return {int(p.name): p for p in base_path.iterdir() if p.name.isascii() and p.name.isdecimal()}
