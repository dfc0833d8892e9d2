"""What the Trainer leaves behind: a classifier, its SavedModel, its metrics."""

import json
from pathlib import Path

import keras_tuner as kt
import numpy as np
import pydantic
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer.run_fn import CLASSIFIER_FOLDER, TrainerSettings, run_fn
from components.trainer.runs import METRICS_FILE
from models.classifier import TextClassifier
from models.config import BackboneConfig, TrainingConfig

pytestmark = pytest.mark.slow  # runs the Transform component
BACKBONE = BackboneConfig(
    vocabulary_size=14,
    num_layers=1,
    num_heads=2,
    hidden_dim=8,
    intermediate_dim=8,
    max_sequence_length=16,
)
TEXTS = ["the heart", "", "unheard of lungs", "lung " * 30]


def settings(transformed, folder: Path, **changes) -> TrainerSettings:
    values = {
        "checkpoints": str(folder / "checkpoints"),
        "vocabulary": transformed.vocabulary_file,
        "vocabulary_hash": "a hash",
        "max_length": 16,
        "backbone": BACKBONE,
        "training": TrainingConfig(epochs=2, batch_size=8),
    }
    return TrainerSettings(**values | changes)


def run(transformed, folder: Path, hyperparameters=None, **changes) -> Path:
    """Runs as TFX does; returns the model artifact's folder."""
    examples = transformed.folder / "transformed_examples"
    run_fn(
        FnArgs(
            train_files=[str(examples / "Split-train" / "*")],
            eval_files=[str(examples / "Split-eval" / "*")],
            transform_output=str(transformed.folder / "transform_graph"),
            serving_model_dir=str(folder / "model" / "Format-Serving"),
            model_run_dir=str(folder / "model_run"),
            hyperparameters=hyperparameters,
            custom_config=json.loads(settings(transformed, folder, **changes).model_dump_json()),
        )
    )
    return folder / "model"


@pytest.fixture(scope="module")
def model(transformed, tmp_path_factory) -> Path:
    return run(transformed, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def signatures(model):
    return tf.saved_model.load(str(model / "Format-Serving")).signatures


def serialized(rows) -> tf.Tensor:
    examples = []
    for row in rows:
        example = tf.train.Example()
        for name, value in row.items():
            example.features.feature[name].bytes_list.value.append(value.encode())
        examples.append(example.SerializeToString())
    return tf.constant(examples)


def test_classes_are_the_labels_in_the_order_of_their_ids(model):
    classifier = TextClassifier.load(model / CLASSIFIER_FOLDER)
    assert classifier.classes == ["gamma", "beta ❤", "alpha"]


def test_saved_model_and_classifier_agree(model, signatures):
    classifier = TextClassifier.load(model / CLASSIFIER_FOLDER)
    expected = classifier.probabilities(TEXTS)
    for answer in (
        signatures["serving_text"](text=tf.constant(TEXTS)),
        signatures["serving_default"](examples=serialized([{"text": text} for text in TEXTS])),
    ):
        np.testing.assert_allclose(answer["probabilities"], expected, atol=1e-5)


def test_transform_features_gives_ids_and_labels(signatures):
    rows = [{"text": "the heart", "label": "beta ❤"}, {"text": "lung", "label": "?"}, {"text": "a"}]
    answer = signatures["transform_features"](examples=serialized(rows))
    assert answer["label_id"].numpy().tolist() == [1, -1, -1]
    assert answer["token_ids"].numpy().tolist() == [[2, 9, 4, 3], [2, 5, 3, 0], [2, 10, 3, 0]]


def test_transform_features_loads_as_tensorflow_1_does(model):
    """Its label table must be initialised there too."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        folder = str(model / "Format-Serving")
        graph = tf.compat.v1.saved_model.load(session, ["serve"], folder)
        signature = graph.signature_def["transform_features"]
        examples = serialized([{"text": "the heart", "label": "alpha"}])
        [argument] = signature.inputs.values()
        feed = {argument.name: session.run(examples)}
        assert session.run(signature.outputs["label_id"].name, feed).tolist() == [2]


def test_metrics_tell_all_epochs(model):
    metrics = json.loads((model / METRICS_FILE).read_text())
    assert metrics["train_examples"] == 24
    assert [epoch["epoch"] for epoch in metrics["epochs"]] == [1, 2]
    best = min(metrics["epochs"], key=lambda epoch: epoch["eval"]["loss"])
    assert metrics["best_epoch"] == best["epoch"]
    assert (metrics["train"], metrics["eval"]) == (best["train"], best["eval"])
    assert set(best["eval"]) == {"loss", "accuracy"}


def test_the_history_is_in_the_model_run_and_no_checkpoint_is_left(model):
    history = json.loads((model.parent / "model_run" / "history.json").read_text())
    assert [step["step"] for step in history["steps"]] == [1, 2, 3, 4, 5, 6]
    assert list((model.parent / "checkpoints").iterdir()) == []


def test_tensorboard_events_are_written(model):
    assert list((model.parent / "model_run").glob("events.out.tfevents.*"))


def test_the_same_settings_give_the_same_model(transformed, model, tmp_path):
    again = run(transformed, tmp_path)
    first, second = (
        TextClassifier.load(folder / CLASSIFIER_FOLDER).model.get_weights()
        for folder in (model, again)
    )
    for a, b in zip(first, second, strict=True):
        assert np.array_equal(a, b)


def test_balanced_classes_change_the_training_loss(transformed, model, tmp_path):
    training = TrainingConfig(epochs=1, batch_size=8, balance_classes=True)
    balanced = run(transformed, tmp_path, training=training)
    first, second = (
        json.loads((folder / METRICS_FILE).read_text())["epochs"][0]["train"]["loss"]
        for folder in (model, balanced)
    )
    assert first != second


def test_the_tuners_best_values_replace_those_of_the_config(transformed, model, tmp_path):
    space = kt.HyperParameters()
    space.Fixed("epochs", 1)
    space.Fixed("optimizer.learning_rate", 1e-2)
    tuned = run(transformed, tmp_path, space.get_config())
    configured, history = (
        json.loads((folder.parent / "model_run" / "history.json").read_text())
        for folder in (model, tuned)
    )
    assert (len(configured["epochs"]), len(history["epochs"])) == (2, 1)
    assert max(step["learning_rate"] for step in history["steps"]) == pytest.approx(1e-2)


def test_a_vocabulary_of_another_size_is_refused(transformed, tmp_path):
    backbone = BACKBONE.model_copy(update={"vocabulary_size": 15})
    with pytest.raises(ValueError, match="has 14 tokens, the backbone's vocabulary_size is 15"):
        run(transformed, tmp_path, backbone=backbone)


def test_a_text_longer_than_the_positions_is_refused(transformed, tmp_path):
    with pytest.raises(pydantic.ValidationError, match="max_length 17 is above the backbone's 16"):
        run(transformed, tmp_path, max_length=17)


def test_settings_survive_json_and_see_an_edit_of_the_code(transformed):
    first = settings(transformed, Path("anywhere"))
    assert TrainerSettings(**json.loads(first.model_dump_json())) == first
    assert len(first.code_fingerprint) == 16
