"""A classifier answers the same whatever stands beside a text, and after it was saved."""

import keras
import numpy as np
import pydantic
import pytest
import tensorflow as tf

from models.classifier import TextClassifier, pad
from models.config import BackboneConfig, ClassifierConfig

TEXTS = ["heart failure", "the lung.", "", "Failure of the heart; [SEP] the lungs fail . " * 6]


def test_rows_sum_to_one_and_differ(classifier):
    probabilities = classifier.probabilities(TEXTS)
    assert probabilities.shape == (4, 3)
    assert probabilities.dtype == np.float32
    assert probabilities.min() > 0
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 1e-3


def test_no_texts_give_no_rows(classifier):
    assert classifier.probabilities([]).shape == (0, 3)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_padding_does_not_change_an_answer(make_classifier, pooling):
    classifier = make_classifier(pooling)
    together = classifier.probabilities(TEXTS)
    alone = np.concatenate([classifier.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_more_texts_than_a_batch_come_back_in_order(classifier):
    texts = [f"{'heart ' * (i % 7)} lung" for i in range(150)]
    each = {text: classifier.probabilities([text])[0] for text in set(texts)}
    np.testing.assert_allclose(
        classifier.probabilities(texts), [each[text] for text in texts], atol=1e-5
    )


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_head_sees_the_pooled_states(make_classifier, pooling):
    classifier = make_classifier(pooling)
    inputs = pad(classifier.tokenizer(tf.constant(TEXTS)))
    states = classifier.backbone(inputs).numpy()
    mask = inputs["padding_mask"].numpy()[..., None]
    pooled = (states * mask).sum(1) / mask.sum(1) if pooling == "mean" else states[:, 0]
    kernel, bias = (w.numpy() for w in classifier.model.get_layer("head").trainable_variables)
    logits = pooled @ kernel + bias
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(classifier.probabilities(TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_loaded_classifier_gives_the_same_answers(make_classifier, tmp_path, pooling):
    classifier = make_classifier(pooling)
    classifier.save(tmp_path / "classifier")
    keras.utils.set_random_seed(99)
    loaded = TextClassifier.load(tmp_path / "classifier")
    assert loaded.config == classifier.config
    assert loaded.classes == ["cardiology", "pneumology", "Ωther"]
    assert loaded.tokenizer.vocabulary == classifier.tokenizer.vocabulary
    np.testing.assert_array_equal(loaded.probabilities(TEXTS), classifier.probabilities(TEXTS))


@pytest.fixture(scope="module")
def pairs(make_classifier):
    return make_classifier(task="multi_label", pairs=True)


def test_a_pair_is_not_two_texts_nor_the_other_way_round(pairs):
    one = pairs.probabilities(["heart failure"], ["the lung."])
    for first, second in (("the lung.", "heart failure"), ("heart failure the lung.", "")):
        assert np.abs(one - pairs.probabilities([first], [second])).max() > 1e-3


def test_a_model_reads_pairs_or_single_texts(classifier, pairs):
    with pytest.raises(ValueError, match="reads pairs of texts"):
        pairs.logits(tf.constant(TEXTS))
    with pytest.raises(ValueError, match="reads one text at a time"):
        classifier.logits(tf.constant(TEXTS), tf.constant(TEXTS))
    with pytest.raises(ValueError, match="built with separator"):
        TextClassifier(pairs.config, pairs.tokenizer.vocabulary, classifier.backbone)


def test_a_loaded_classifier_of_pairs_gives_the_same_answers(pairs, tmp_path):
    pairs.save(tmp_path)
    loaded = TextClassifier.load(tmp_path)
    expected = pairs.answers(TEXTS, TEXTS[::-1])
    for name, found in loaded.answers(TEXTS, TEXTS[::-1]).items():
        np.testing.assert_array_equal(found, expected[name])


def test_answers_of_several_classes(pairs):
    logits = pairs.logits(tf.constant(TEXTS), tf.constant(TEXTS[::-1])).numpy()
    found = pairs.answers(TEXTS, TEXTS[::-1])
    np.testing.assert_allclose(found["probabilities"], 1 / (1 + np.exp(-logits)), atol=1e-5)
    assert (found["is_answer"] == (logits >= 0)).all()
    assert len(np.unique(found["is_answer"])) == 2
    assert found["classes"][3].tolist() == [name.encode() for name in pairs.classes]


def test_the_answer_of_a_regression_is_in_the_labels_own_units(make_classifier):
    scale = {"mean": 50.0, "deviation": 8.0}
    classifier = make_classifier(task="regression", classes=(), target=scale)
    logits = classifier.logits(tf.constant(TEXTS)).numpy()
    found = classifier.answers(TEXTS)
    assert set(found) == {"value"}
    np.testing.assert_allclose(found["value"], 50 + 8 * logits[:, 0], rtol=1e-6)
    assert classifier.answers([])["value"].shape == (0,)


def test_nothing_to_load(tmp_path):
    with pytest.raises(FileNotFoundError):
        TextClassifier.load(tmp_path)


def test_pad():
    padded = pad(tf.ragged.constant([[2, 5, 3], [2, 3]], dtype=tf.int32))
    assert padded["token_ids"].numpy().tolist() == [[2, 5, 3], [2, 3, 0]]
    assert padded["padding_mask"].numpy().tolist() == [[1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_dim": 9}, "hidden_dim 9 is no multiple of num_heads 2"),
        ({"num_layers": 0}, "greater than or equal to 1"),
        ({"dropout": 1.0}, "less than 1"),
        ({"layers": 2}, "Extra inputs"),
    ],
)
def test_impossible_backbones_are_refused(backbone_config, change, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        BackboneConfig(**backbone_config.model_dump() | change)


def test_texts_longer_than_the_positions_are_refused(backbone_config):
    with pytest.raises(pydantic.ValidationError, match="max_length 71 is above the backbone's 70"):
        ClassifierConfig(backbone=backbone_config, classes=("a", "b"), max_length=71)
