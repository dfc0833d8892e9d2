"""An exported model's weights in a new classifier, class by class."""

import numpy as np
import pytest

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig, TargetScale
from models.export import export_classifier
from models.warm_start import WarmStartError, start_from

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung", "skin"]
TEXTS = ["heart lung", "skin", "", "lung " * 30]


def classifier(classes=("a", "b"), vocabulary=VOCABULARY, **sizes) -> TextClassifier:
    values = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}
    backbone = BackboneConfig(
        vocabulary_size=len(vocabulary), max_sequence_length=16, **values | sizes
    )
    config = ClassifierConfig(backbone=backbone, classes=classes, max_length=16, pooling="mean")
    return TextClassifier(config, vocabulary)


def regressor(mean: float, deviation: float) -> TextClassifier:
    scale = TargetScale(mean=mean, deviation=deviation)
    config = classifier().config.model_copy(
        update={"task": "regression", "classes": (), "target": scale}
    )
    return TextClassifier(config, VOCABULARY)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A classifier of a and b, its SavedModel, and the folder that describes it."""
    folder = tmp_path_factory.mktemp("exported")
    model = classifier()
    model.model.get_layer("head").bias.assign([0.5, -0.5])
    export_classifier(model, str(folder / "model"))
    model.describe(folder / "description")
    return model, folder / "model", folder / "description"


def test_the_same_classes_give_the_same_answers(exported):
    model, folder, description = exported
    new = classifier()
    assert not np.allclose(new.probabilities(TEXTS), model.probabilities(TEXTS))
    started = start_from(new, folder, description)
    np.testing.assert_array_equal(new.probabilities(TEXTS), model.probabilities(TEXTS))
    assert (started.kept, started.new, started.vanished) == (("a", "b"), (), ())
    assert started.model == str(folder)


def test_classes_are_known_by_their_names(exported):
    model, folder, description = exported
    new = classifier(classes=("c", "b", "d"))
    before = [value.numpy() for value in new.model.get_layer("head").weights]
    started = start_from(new, folder, description)
    assert (started.kept, started.new, started.vanished) == (("b",), ("c", "d"), ("a",))
    for initial, value, old in zip(
        before,
        new.model.get_layer("head").weights,
        model.model.get_layer("head").weights,
        strict=True,
    ):
        np.testing.assert_array_equal(value.numpy()[..., 1], old.numpy()[..., 1])
        np.testing.assert_array_equal(value.numpy()[..., [0, 2]], initial[..., [0, 2]])
    encoder, new_encoder = (one.backbone.get_weights() for one in (model, new))
    for old, value in zip(encoder, new_encoder, strict=True):
        np.testing.assert_array_equal(value, old)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"hidden_dim": 16}, "another size"),
        ({"num_layers": 2}, "another encoder"),
        ({"vocabulary": [*VOCABULARY[:-1], "bone"]}, "vocabulary"),
    ],
)
def test_another_model_is_refused_and_nothing_is_changed(exported, changes, reason):
    _, folder, description = exported
    new = classifier(**changes)
    before = new.model.get_weights()
    with pytest.raises(WarmStartError, match=reason):
        start_from(new, folder, description)
    for old, value in zip(before, new.model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, old)


def test_what_is_no_model_is_refused(exported, tmp_path):
    _, folder, description = exported
    with pytest.raises(WarmStartError, match="cannot be loaded"):
        start_from(classifier(), tmp_path, description)
    with pytest.raises(WarmStartError, match="does not say what it is"):
        start_from(classifier(), folder, tmp_path)


def test_a_regression_gives_the_same_numbers_whatever_its_scale(tmp_path):
    old, new = regressor(mean=40.0, deviation=8.0), regressor(mean=50.0, deviation=2.0)
    old.model.get_layer("head").bias.assign([0.5])
    export_classifier(old, str(tmp_path / "model"))
    old.describe(tmp_path / "description")
    start_from(new, tmp_path / "model", tmp_path / "description")
    expected = old.answers(TEXTS)["value"]
    np.testing.assert_allclose(new.answers(TEXTS)["value"], expected, rtol=1e-6)


def test_another_task_is_no_start(exported):
    _, folder, description = exported
    with pytest.raises(WarmStartError, match="task is single_label, this run's regression"):
        start_from(regressor(0.0, 1.0), folder, description)
