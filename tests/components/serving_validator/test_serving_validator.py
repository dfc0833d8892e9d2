"""The component on a real, tiny classifier, served by the development server."""

import functools
import json

import pytest
import tensorflow as tf
from tfx import types
from tfx.components.pusher import executor as pusher_executor
from tfx.proto import infra_validator_pb2
from tfx.types import standard_artifacts

from components.serving_validator.component import ServingValidator
from components.serving_validator.questions import HOSTILE_TEXTS
from models.classifier import ClassifierConfig, TextClassifier
from models.config import BackboneConfig
from models.export import export_classifier
from serving import official_image

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "brain", "lung", "the", "of", "##s"]
TEXTS = [f"the {organ}s of the {other}" for organ in VOCABULARY[4:7] for other in VOCABULARY[4:7]]
SIGNATURES = ("serving_text", "serving_default", "classify", "embed", "transform_features")


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


def write_model(folder, trained, exported, read=lambda ids: ids):
    def transform_features(examples):  # the Trainer's is Transform's graph
        texts = tf.io.parse_example(examples, {"text": tf.io.FixedLenFeature([], tf.string)})
        return {"token_ids": read(exported.tokenizer(texts["text"]).to_tensor())}

    trained.save(folder / "classifier")
    signatures = {"transform_features": transform_features}
    export_classifier(exported, str(folder / "Format-Serving"), signatures)


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
    write_model(folder, classifier(seed=1), classifier(seed=2), lambda ids: ids[:, :-1])
    return folder


@pytest.fixture(scope="module")
def examples_uri(write_examples, tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"), TEXTS)


@pytest.fixture(scope="module")
def ask(validate, examples_uri):
    """`validate` on these examples."""
    return functools.partial(
        validate,
        examples_uri=examples_uri,
        num_examples=5,
        tolerance=1e-5,
        max_loading_seconds=60,
    )


def may_be_pushed(blessing):
    return pusher_executor.Executor().CheckBlessing({"infra_blessing": [blessing]})


def test_a_model_that_serves_what_it_learned_is_blessed(model_uri, ask, tmp_path):
    blessing, report = ask(model_uri, folder=tmp_path)
    assert (tmp_path / "blessing" / "INFRA_BLESSED").exists()
    assert may_be_pushed(blessing)
    assert blessing.get_string_custom_property("reason") == ""
    assert report["blessed"] is True
    assert report["server"] == "development server"
    asked = {comparison["path"]: comparison["texts"] for comparison in report["comparisons"]}
    assert asked == {
        f"{transport} {signature}, {what}": count
        for transport in ("gRPC", "REST")
        for signature in SIGNATURES
        for what, count in (("eval rows", 5), ("hostile texts", len(HOSTILE_TEXTS)))
    }
    differences = {c["path"]: c["largest_difference"] for c in report["comparisons"]}
    assert {path for path, d in differences.items() if d is None} == {
        path for path in asked if "transform_features" in path
    }
    assert max(d for d in differences.values() if d is not None) <= 1e-5


def test_a_model_that_serves_something_else_is_not_blessed_and_the_reason_is_kept(
    wrong_model_uri, ask, tmp_path
):
    blessing, report = ask(wrong_model_uri, folder=tmp_path)
    assert (tmp_path / "blessing" / "INFRA_NOT_BLESSED").exists()
    assert not may_be_pushed(blessing)
    reason = blessing.get_string_custom_property("reason")
    assert reason == report["reason"]
    assert "mismatches in" in reason
    assert "gRPC serving_text, eval rows, text 'the hearts of the heart'" in reason
    assert len(report["comparisons"]) == 4 * len(SIGNATURES)
    assert all(comparison["mismatches"] for comparison in report["comparisons"])


def test_a_server_that_does_not_start_is_a_reason_with_its_log(model_uri, ask, tmp_path):
    broken = tmp_path / "broken"
    classifier(seed=1).save(broken / "classifier")
    (broken / "Format-Serving").mkdir()
    (broken / "Format-Serving" / "saved_model.pb").write_bytes(b"\x0a\x7fcut")
    blessing, report = ask(broken, folder=tmp_path)
    assert not may_be_pushed(blessing)
    assert "ServerFailed" in report["reason"]
    assert "Can't parse" in report["reason"]


def test_a_split_that_is_not_there_is_a_reason(model_uri, ask, tmp_path):
    blessing, report = ask(model_uri, folder=tmp_path, split="test")
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
    spec = json.loads(validator.exec_properties["serving_spec"])
    assert spec["tensorflow_serving"] == {"tags": [official_image.TAG]}


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
