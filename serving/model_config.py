"""What is to be served: models, which of their versions, and the labels of versions."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Literal

from tensorflow_serving.config import file_system_storage_path_source_pb2, model_server_config_pb2

from serving.errors import invalid_argument

_PLATFORM = "tensorflow"


@dataclasses.dataclass(frozen=True)
class VersionPolicy:
    """Which of the versions on disk are wanted.

    Attributes:
        kind: the newest `latest` ones, all, or those of `specific`.
        latest: how many.
        specific: their numbers.
    """

    kind: Literal["latest", "all", "specific"] = "latest"
    latest: int = 1
    specific: frozenset[int] = frozenset()

    def choose(self, versions: Collection[int]) -> list[int]:
        """The wanted ones of `versions`, in rising order."""
        rising = sorted(versions)
        if self.kind == "all":
            return rising
        if self.kind == "specific":
            return [version for version in rising if version in self.specific]
        return rising[-self.latest :]


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model of a server.

    Attributes:
        name: under which it is served.
        base_path: holds one folder a version.
        policy: which versions are served.
        labels: version by label, for instance {"stable": 1, "canary": 2}.
    """

    name: str
    base_path: Path
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)


def from_proto(config: model_server_config_pb2.ModelServerConfig) -> list[ModelConfig]:
    """The models of a ModelServerConfig, held to tensorflow_model_server's rules.

    Raises:
        ServingError: INVALID_ARGUMENT for what it refuses: a name twice, a relative path, another
            platform than "tensorflow", a custom config.
    """
    if config.WhichOneof("config") == "custom_model_config":
        raise invalid_argument("ModelServer does not yet support custom model config.")
    models = [_model(model) for model in config.model_config_list.config]
    names = [model.name for model in models]
    for name in names:
        if names.count(name) > 1:
            raise invalid_argument(f"Illegal to list model {name} multiple times in config list")
    return models


def _model(config: model_server_config_pb2.ModelConfig) -> ModelConfig:
    if not Path(config.base_path).is_absolute():
        raise invalid_argument(
            f"Expected model {config.name} to have an absolute path or URI; "
            f"got base_path()={config.base_path}"
        )
    if config.model_type != model_server_config_pb2.TENSORFLOW:  # deprecated, but still read
        if not config.model_platform:
            raise invalid_argument(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                f"ModelServerConfig::model_platform, model name is {config.name}"
            )
        if config.model_platform != _PLATFORM:
            raise invalid_argument(
                f"Model {config.name} requests unsupported platform {config.model_platform}"
            )
    return ModelConfig(
        config.name,
        Path(config.base_path),
        _policy(config.model_version_policy),
        dict(config.version_labels),
    )


def _policy(
    policy: file_system_storage_path_source_pb2.FileSystemStoragePathSourceConfig,
) -> VersionPolicy:
    kind = policy.WhichOneof("policy_choice")
    if kind == "all":
        return VersionPolicy("all")
    if kind == "specific":
        return VersionPolicy("specific", specific=frozenset(policy.specific.versions))
    return VersionPolicy("latest", latest=max(policy.latest.num_versions, 1))
