"""The component's executor on artifacts of a test."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.dsl.components.base import base_executor
from tfx.proto import infra_validator_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.serving_validator.executor import Executor
from serving import official_image

# A docker daemon answers nowhere, so that the development server serves.
NO_DOCKER = infra_validator_pb2.LocalDockerConfig(client_base_url="tcp://127.0.0.1:1")


@pytest.fixture(scope="session")
def write_examples():
    """A function that writes texts as the eval split of the examples in a folder, and returns the folder."""

    def write(folder, texts):
        (folder / "Split-eval").mkdir()
        path = str(folder / "Split-eval" / "data_tfrecord-00000-of-00001.gz")
        with tf.io.TFRecordWriter(path, options="GZIP") as writer:
            for text in texts:
                example = tf.train.Example()
                example.features.feature["text"].bytes_list.value.append(text.encode())
                writer.write(example.SerializeToString())
        return folder

    return write


@pytest.fixture(scope="session")
def validate():
    """A function of folders of model, examples and work: the blessing artifact and validation.json."""

    def run(
        model_uri,
        examples_uri,
        folder,
        num_examples,
        tolerance,
        max_loading_seconds,
        split="eval",
    ):
        examples = _artifact(standard_artifacts.Examples, examples_uri)
        examples.split_names = artifact_utils.encode_split_names(["eval"])
        blessing = _artifact(standard_artifacts.InfraBlessing, folder / "blessing")
        serving_spec = infra_validator_pb2.ServingSpec(
            tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=[official_image.TAG]),
            local_docker=NO_DOCKER,
        )
        validation_spec = infra_validator_pb2.ValidationSpec(
            max_loading_time_seconds=max_loading_seconds, num_tries=1
        )
        context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
        Executor(context).Do(
            {"model": [_artifact(standard_artifacts.Model, model_uri)], "examples": [examples]},
            {"blessing": [blessing]},
            {
                "serving_spec": proto_utils.proto_to_json(serving_spec),
                "validation_spec": proto_utils.proto_to_json(validation_spec),
                "examples_split": split,
                "num_examples": num_examples,
                "tolerance": tolerance,
            },
        )
        return blessing, json.loads(Path(blessing.uri, "validation.json").read_text())

    return run


def _artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made
