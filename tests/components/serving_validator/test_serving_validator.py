"""The component on a real, tiny classifier, served by the development server."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as pusher_executor
from tfx.dsl.components.base import base_executor
from tfx.proto import infra_validator_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.serving_validator.component import ServingValidator
from components.serving_validator.executor import Executor
from components.serving_validator.questions import HOSTILE_TEXTS
from models.classifier import ClassifierConfig, TextClassifier
from models.config import BackboneConfig
from models.export import export_classifier

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "brain", "lung", "the", "of", "##s"]
TEXTS = [f"the {organ}s of the {other}" for organ in VOCABULARY[4:7] for other in VOCABULARY[4:7]]


def classifier(seed):
    tf.keras.utils.set_random_seed(seed)
    config = ClassifierConfig(
        backbone=BackboneConfig(
            vocabulary_size=len(VOCABULARY),
            hidden_dim=8,
            num_layers=1,
            num_heads=2,
            intermediate_dim=8,
            max_sequence_length=16,
        ),
        classes=("cardiology", "neurology", "pneumology"),
        max_length=12,
    )
    return TextClassifier(config, VOCABULARY)


def write_model(folder, trained, exported):
    trained.save(folder / "classifier")
    export_classifier(exported, str(folder / "Format-Serving"))


def example(text):
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
    return tf.train.Example(features=tf.train.Features(feature={"text": feature}))


@pytest.fixture(scope="module")
def model_uri(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    trained = classifier(seed=1)
    write_model(folder, trained, trained)
    return folder


@pytest.fixture(scope="module")
def wrong_model_uri(tmp_path_factory):
    """A model whose export is not what was trained."""
    folder = tmp_path_factory.mktemp("wrong")
    write_model(folder, classifier(seed=1), classifier(seed=2))
    return folder


@pytest.fixture(scope="module")
def examples_uri(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "Split-eval").mkdir()
    path = str(folder / "Split-eval" / "data_tfrecord-00000-of-00001.gz")
    with tf.io.TFRecordWriter(path, options="GZIP") as writer:
        for text in TEXTS:
            writer.write(example(text).SerializeToString())
    return folder


@pytest.fixture
def no_docker():
    """A docker daemon answers nowhere, so that the development server serves."""
    return infra_validator_pb2.LocalDockerConfig(client_base_url="tcp://127.0.0.1:1")


def artifact(kind, uri):
    made = kind()
    made.uri = str(uri)
    return made


def validate(model_uri, examples_uri, folder, docker, split="eval", tolerance=1e-5):
    examples = artifact(standard_artifacts.Examples, examples_uri)
    examples.split_names = artifact_utils.encode_split_names(["eval"])
    blessing = artifact(standard_artifacts.InfraBlessing, folder / "blessing")
    serving_spec = infra_validator_pb2.ServingSpec(
        tensorflow_serving=infra_validator_pb2.TensorFlowServing(tags=["latest"]),
        local_docker=docker,
    )
    context = base_executor.BaseExecutor.Context(tmp_dir=str(folder / "tmp"), unique_id="1")
    Executor(context).Do(
        {"model": [artifact(standard_artifacts.Model, model_uri)], "examples": [examples]},
        {"blessing": [blessing]},
        {
            "serving_spec": proto_utils.proto_to_json(serving_spec),
            "validation_spec": proto_utils.proto_to_json(
                infra_validator_pb2.ValidationSpec(max_loading_time_seconds=60, num_tries=1)
            ),
            "examples_split": split,
            "num_examples": 5,
            "tolerance": tolerance,
        },
    )
    report = json.loads(Path(blessing.uri, "validation.json").read_text())
    return blessing, report


def may_be_pushed(blessing):
    return pusher_executor.Executor().CheckBlessing({"infra_blessing": [blessing]})


def test_a_model_that_serves_what_it_learned_is_blessed(
    model_uri, examples_uri, tmp_path, no_docker
):
    blessing, report = validate(model_uri, examples_uri, tmp_path, no_docker)
    assert (tmp_path / "blessing" / "INFRA_BLESSED").exists()
    assert may_be_pushed(blessing)
    assert blessing.get_string_custom_property("reason") == ""
    assert report["blessed"] is True
    assert report["server"] == "development server"
    asked = {comparison["path"]: comparison["texts"] for comparison in report["comparisons"]}
    assert asked == {
        f"{transport} {signature}, {what}": count
        for transport in ("gRPC", "REST")
        for signature in ("serving_text", "serving_default")
        for what, count in (("eval rows", 5), ("hostile texts", len(HOSTILE_TEXTS)))
    }
    assert all(c["largest_difference"] <= 1e-5 for c in report["comparisons"])


def test_a_model_that_serves_something_else_is_not_blessed_and_the_reason_is_kept(
    wrong_model_uri, examples_uri, tmp_path, no_docker
):
    blessing, report = validate(wrong_model_uri, examples_uri, tmp_path, no_docker)
    assert (tmp_path / "blessing" / "INFRA_NOT_BLESSED").exists()
    assert not may_be_pushed(blessing)
    reason = blessing.get_string_custom_property("reason")
    assert reason == report["reason"]
    assert "mismatches in" in reason
    assert "gRPC serving_text, eval rows, text 'the hearts of the heart'" in reason
    assert report["comparisons"][0]["mismatches"]


def test_a_server_that_does_not_start_is_a_reason_with_its_log(
    model_uri, examples_uri, tmp_path, no_docker
):
    broken = tmp_path / "broken"
    classifier(seed=1).save(broken / "classifier")
    (broken / "Format-Serving").mkdir()
    (broken / "Format-Serving" / "saved_model.pb").write_bytes(b"\x0a\x7fcut")
    blessing, report = validate(broken, examples_uri, tmp_path, no_docker)
    assert not may_be_pushed(blessing)
    assert "ServerFailed" in report["reason"]
    assert "Can't parse" in report["reason"]


def test_a_split_that_is_not_there_is_a_reason(model_uri, examples_uri, tmp_path, no_docker):
    blessing, report = validate(model_uri, examples_uri, tmp_path, no_docker, split="test")
    assert not may_be_pushed(blessing)
    assert "test" in report["reason"]


def component(**changes):
    model, examples = (
        types.Channel(type=kind) for kind in (standard_artifacts.Model, standard_artifacts.Examples)
    )
    return ServingValidator(**{"model": model, "examples": examples, **changes})


def test_the_component_gives_the_stock_blessing_and_carries_its_codes_fingerprint():
    validator = component(num_examples=3)
    assert validator.outputs["blessing"].type is standard_artifacts.InfraBlessing
    assert validator.exec_properties["num_examples"] == 3
    assert validator.exec_properties["tolerance"] == 1e-5
    assert validator.exec_properties["code_fingerprint"]
    assert "tensorflow_serving" in validator.exec_properties["serving_spec"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_examples": 0}, "num_examples: 0"),
        (
            {
                "serving_spec": infra_validator_pb2.ServingSpec(
                    kubernetes=infra_validator_pb2.KubernetesConfig()
                )
            },
            "must be local_docker",
        ),
    ],
)
def test_the_component_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        component(**changes)
