"""What a model server is told to serve."""

from collections.abc import Mapping

from google.protobuf import text_format
from tensorflow_serving.config import (
    file_system_storage_path_source_pb2 as source_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

_HEAD = "# Written with every push, promote and rollback.\n"


def models_config(name: str, base_path: str, labels: Mapping[str, int]) -> str:
    """A ModelServerConfig in text format.

    All versions in the folder are served, and not those that the labels name, because
    tensorflow_model_server refuses a configuration as a whole if one of its labels moves to a version that
    it has not loaded yet (`ServerCore::ReloadConfig`): it would never load one.

    Args:
        name: of the model.
        base_path: the folder of its versions, as the server sees it.
        labels: version by label.
    """
    config = model_server_config_pb2.ModelServerConfig()
    model = config.model_config_list.config.add(
        name=name, base_path=base_path, model_platform="tensorflow"
    )
    policy = source_pb2.FileSystemStoragePathSourceConfig.ServableVersionPolicy
    model.model_version_policy.CopyFrom(policy(all=policy.All()))
    model.version_labels.update(labels)
    return _HEAD + text_format.MessageToString(config)
