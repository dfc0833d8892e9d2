"""Which models are served: watches their folders, follows the configuration, resolves labels."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import grpc

from serving.errors import ServingError, invalid_argument
from serving.model_config import ModelConfig
from serving.model_versions import ModelVersions, Retries, State, VersionStatus, status_error
from serving.servable import Servable

_log = logging.getLogger(__name__)

Load = Callable[[str, int, Path], Servable]


class ModelManager:
    """Holds the models. All methods may be called from any thread.

    Args:
        models: what to serve at first.
        load: makes a version ready to answer, of model name, version and folder.
        retries: of failed loads.
        poll_seconds: between two looks at the folders; 0 looks once.
        early_labels: whether a label may be given to a version that is not available yet, if it
            was not another version's before. Without, a configuration with labels can't be the
            first one, as in TensorFlow Serving.
    """

    def __init__(
        self,
        models: Sequence[ModelConfig],
        load: Load,
        retries: Retries,
        poll_seconds: float = 1,
        early_labels: bool = False,
    ):
        self._load = load
        self._retries = retries
        self._poll_seconds = poll_seconds
        self._early_labels = early_labels
        self._configs: dict[str, ModelConfig] = {}
        self._models: dict[str, ModelVersions] = {}
        self._labels: dict[tuple[str, str], int] = {}
        self._complaints: dict[str, str] = {}
        self._looking = threading.RLock()  # one look or reload at a time
        self._stop = threading.Event()
        self._first_outcome = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="model-poll", daemon=True)
        self._configure(models)

    def start(self) -> None:
        """Starts looking for versions, in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stops looking; a load under way is not waited for."""
        self._stop.set()

    def wait_until_available(self, stop: threading.Event) -> None:
        """Waits until every model has a version in service, or `stop` is set.

        Raises:
            ServingError: UNKNOWN, with the reasons, if all versions of a model were given up.
        """
        while not self._first_outcome.wait(0.1):
            if stop.is_set():
                return
        self._check_available(self._configs)

    def servable(self, name: str, version: int | None = None, label: str | None = None) -> Servable:
        """The version to answer a request with. It stays usable while the caller holds it.

        Raises:
            ServingError: INVALID_ARGUMENT without a name or with an unknown label, NOT_FOUND for a
                model or version that is not in service.
        """
        if not name:
            raise invalid_argument("ModelSpec has no name specified.")
        if label is not None:
            version = self._labels.get((name, label))
            if version is None:
                raise invalid_argument(f"Unrecognized servable version label: {label}")
        model = self._models.get(name)
        servable = model.servable(version) if model else None
        if servable is None:
            wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}"
            )
        return servable

    def has(self, name: str) -> bool:
        """Whether a model of that name is, or was, configured."""
        return name in self._models

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """Every version ever seen, newest first, or the one asked for.

        Raises:
            ServingError: NOT_FOUND for a model or version never seen.
        """
        model = self._models.get(name)
        known = model.statuses() if model else {}
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

    def reload(self, models: Sequence[ModelConfig]) -> None:
        """Serves these models from now on, and waits until the new ones among them are available.

        Raises:
            ServingError: FAILED_PRECONDITION for a label of a version that is not available
                (nothing is changed then); UNKNOWN, with the reasons, if a new model is not
                available in the end.
        """
        with self._looking:
            new = [model.name for model in models if model.name not in self._configs]
            self._configure(models)
            self.look()
        while not all(self._models[name].settled for name in new if self._has_versions(name)):
            if self._stop.wait(0.1):
                return
            self.look()
        self._check_available(new)

    def look(self) -> None:
        """Looks at every folder once, and loads or lets go of what it finds."""
        with self._looking:
            for config in self._configs.values():
                self._look_at(config)

    def _configure(self, models: Sequence[ModelConfig]) -> None:
        labels = {}
        for model in models:
            for label, version in model.labels.items():
                self._check_label(model.name, label, version)
                labels[model.name, label] = version
        gone = self._configs.keys() - {model.name for model in models}
        self._configs = {model.name: model for model in models}
        for model in models:
            if model.name not in self._models:
                self._models = {**self._models, model.name: self._versions_of(model.name)}
        self._labels = labels
        for name in gone:
            self._models[name].want({})

    def _versions_of(self, name: str) -> ModelVersions:
        return ModelVersions(
            name, lambda version, path: self._load(name, version, path), self._retries
        )

    def _check_label(self, name: str, label: str, version: int) -> None:
        model = self._models.get(name)
        status = model.statuses().get(version) if model else None
        if status is not None and status.state is State.AVAILABLE:
            return
        if self._early_labels and self._labels.get((name, label), version) == version:
            return
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"Request to assign label to version {version} of model {name}, "
            "which is not currently available for inference",
        )

    def _look_at(self, config: ModelConfig) -> None:
        try:
            found = _versions(config.base_path)
        except OSError as error:  # not there (yet, or any more): what is served stays served
            self._complain(
                config.name,
                f"Could not find base path {config.base_path} for servable {config.name} "
                f"with error {error}",
            )
            return
        wanted = config.policy.choose(found)
        complaint = ""
        if not wanted:
            complaint = (
                f"No versions of servable {config.name} found under base path {config.base_path}. "
                "Did you forget to name your leaf directory as a number (eg. '/1/')?"
            )
        elif missing := sorted(config.policy.specific - set(wanted)):
            complaint = (
                f"Version {missing[0]} of servable {config.name}, which was requested to be served "
                "as a 'specific' version in the servable's version policy, was not found in the "
                "file system"
            )
        self._complain(config.name, complaint)
        self._models[config.name].want({version: found[version] for version in wanted})

    def _complain(self, name: str, text: str) -> None:
        """Warns once of what lasts from look to look."""
        if text and text != self._complaints.get(name):
            _log.warning("%s", text)
        self._complaints[name] = text

    def _has_versions(self, name: str) -> bool:
        return bool(self._models[name].statuses())

    def _check_available(self, names: Iterable[str]) -> None:
        failures = []
        for name in names:
            model = self._models[name]
            if model.servable(None) is not None:
                continue
            reasons = [
                f"{{{{name: {name} version: {status.version}}} due to error: "
                f"{status_error(status)}}}"
                for status in model.statuses().values()
            ]
            failures.append(", ".join(reasons) or f"{{{{name: {name}}}: {self._complaints[name]}}}")
        if failures:
            raise ServingError(
                grpc.StatusCode.UNKNOWN,
                f"{len(failures)} model(s) did not become available: {{{', '.join(failures)}}}",
            )

    # Below: the polling thread only.

    def _poll(self) -> None:
        while not self._stop.is_set():
            self.look()
            if all(self._models[name].settled for name in self._configs):
                self._first_outcome.set()
            wait: float | None = self._poll_seconds
            if not wait:  # "look once"; the tries of failing loads still follow
                wait = self._seconds_to_next_try()
                if wait is None:
                    return
            self._stop.wait(wait)

    def _seconds_to_next_try(self) -> float | None:
        due = [t for m in self._models.values() if (t := m.next_try) is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None


def _versions(base_path: Path) -> dict[int, Path]:
    """Folders by version number; names that are no number are no versions.

    Raises:
        OSError: if the folder can't be listed.
    """
    return {int(p.name): p for p in base_path.iterdir() if p.name.isascii() and p.name.isdecimal()}
