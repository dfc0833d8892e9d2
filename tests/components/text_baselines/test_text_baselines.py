"""The baselines learn, answer in the common form, and are measured as scikit-learn measures."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import expit
from sklearn.metrics import accuracy_score, f1_score
from tfx.types import artifact_utils, standard_artifacts

from components.evaluator.predictions import Predictions
from components.text_baselines.answers import measure, predict
from components.text_baselines.artifact import TextBaselines
from components.text_baselines.baselines import (
    MAJORITY,
    MEAN,
    TFIDF_RIDGE,
    TFIDF_SVM,
    fit_all,
)
from components.text_baselines.examples import LabelledTexts
from components.text_baselines.executor import Executor

WORDS = {
    "heart": ["atrium", "valve", "pulse"],
    "lung": ["bronchus", "cough", "airway"],
    "skin ❤": ["rash", "itch", "burn"],
}


def corpus(size, seed, labels=tuple(WORDS)) -> LabelledTexts:
    """Half of all examples are of the first label."""
    draw = random.Random(seed)
    chosen = [labels[0] if i % 2 else draw.choice(labels) for i in range(size)]
    texts = [" ".join(draw.choices([*WORDS[label], "patient"], k=6)) for label in chosen]
    keys = [str(number) for number in range(size)]
    draw.shuffle(keys)
    return LabelledTexts(keys, texts, chosen)


def test_scores_are_rows_like_probabilities():
    train, test = corpus(90, 1), corpus(40, 2)
    for baseline in fit_all(train.texts, train.labels).values():
        assert baseline.classes == tuple(sorted(WORDS))
        scores = baseline.scores(test.texts)
        assert scores.shape == (40, 3)
        assert (scores >= 0).all()
        np.testing.assert_allclose(scores.sum(axis=1), 1)


def test_the_largest_score_is_the_svms_own_answer():
    train, test = corpus(90, 1), corpus(60, 2)
    svm = fit_all(train.texts, train.labels)[TFIDF_SVM]
    answers = [svm.classes[column] for column in svm.scores(test.texts).argmax(axis=1)]
    assert answers == svm._model.predict(test.texts).tolist()
    assert accuracy_score(test.labels, answers) > 0.9


def test_two_classes_have_one_plane():
    train, test = corpus(60, 1, ("heart", "lung")), corpus(30, 2, ("heart", "lung"))
    svm = fit_all(train.texts, train.labels)[TFIDF_SVM]
    scores = svm.scores(test.texts)
    distances = svm._model.decision_function(test.texts)
    np.testing.assert_allclose(scores[:, 1], expit(2 * distances))
    answers = [svm.classes[column] for column in scores.argmax(axis=1)]
    assert answers == svm._model.predict(test.texts).tolist()


def test_answers_come_by_key_and_are_measured_as_scikit_learn_does():
    train, test = corpus(60, 1), corpus(50, 2)
    test.labels[3] = "never seen in training"
    baselines = fit_all(train.texts, train.labels)
    for name, baseline in baselines.items():
        predictions = predict(baseline, test)
        assert predictions.keys.tolist() == sorted(test.keys)
        label_of = dict(zip(test.keys, test.labels, strict=True))
        assert predictions.features["label"].tolist() == [label_of[k] for k in predictions.keys]
        assert (predictions.labels == -1).sum() == 1
        metrics = measure(predictions)
        said = [baseline.classes[column] for column in predictions.scores.argmax(axis=1)]
        truth = predictions.features["label"].tolist()
        assert metrics["accuracy"].value == pytest.approx(accuracy_score(truth, said))
        expected = f1_score(truth, said, labels=list(baseline.classes), average="macro")
        assert metrics["macro_f1"].value == pytest.approx(expected), name
        for estimate in metrics.values():
            assert estimate.low <= estimate.value <= estimate.high


def test_the_majority_is_always_the_same():
    train, test = corpus(60, 1), corpus(50, 2)
    predictions = predict(fit_all(train.texts, train.labels)[MAJORITY], test)
    assert set(predictions.scores.argmax(axis=1).tolist()) == {0}
    shares = [train.labels.count(label) / 60 for label in sorted(WORDS)]
    np.testing.assert_allclose(predictions.scores[0], shares)


def test_several_classes_are_decided_by_a_plane_each():
    draw = random.Random(4)
    labels = [sorted(draw.sample(list(WORDS), draw.randint(0, 2))) for _ in range(120)]
    texts = [
        " ".join(word for label in found for word in draw.sample(WORDS[label], 2)) + " patient"
        for found in labels
    ]
    labels[0] = [*labels[0], "always"]
    found = fit_all(texts, [[*names, "all"] for names in labels], "multi_label")
    svm, majority = found[TFIDF_SVM], found[MAJORITY]
    assert svm.classes == majority.classes == ("all", "always", *sorted(WORDS))
    truth = np.array([[name in names for name in svm.classes[1:]] for names in labels])
    scores = svm.scores(texts)
    assert (scores[:, 0] == 1).all()  # a class that all texts have has no plane
    assert ((scores[:, 2:] >= 0.5) == truth[:, 1:]).mean() > 0.95
    np.testing.assert_allclose(majority.scores(texts)[7, 1:], truth.mean(0))
    assert svm.scores([]).shape == (0, 5)
    test = LabelledTexts([str(i) for i in range(120)], texts, labels, "multi_label")
    predictions = predict(svm, test)
    row = predictions.keys.tolist().index("5")
    assert [svm.classes[i] for i in np.flatnonzero(predictions.labels[row])] == labels[5]
    micro = measure(predictions)["micro_f1"]
    assert micro.low <= micro.value <= micro.high


def test_numbers_have_a_mean_and_a_ridge():
    draw = random.Random(4)
    severe = [draw.randint(0, 5) for _ in range(100)]
    texts = [" ".join(["severe"] * n + ["mild"] * (5 - n)) for n in severe]
    values = [100.0 + 10 * n for n in severe]
    found = fit_all(texts, values, "regression")
    np.testing.assert_allclose(found[MEAN].scores(texts), np.full((100, 1), np.mean(values)))
    test = LabelledTexts([f"{i:03}" for i in range(100)], texts, values, "regression")
    predictions = predict(found[TFIDF_RIDGE], test)
    assert predictions.labels.tolist() == values
    assert measure(predictions)["mae"].value < 8 < measure(predict(found[MEAN], test))["mae"].value


def write_split(folder, examples: LabelledTexts):
    folder.mkdir(parents=True)
    columns = {"key": examples.keys, "text": examples.texts, "label": examples.labels}
    with tf.io.TFRecordWriter(str(folder / "data-00000-of-00001.gz"), "GZIP") as writer:
        for row in range(len(examples)):
            example = tf.train.Example()
            for name, values in columns.items():
                example.features.feature[name].bytes_list.value.append(values[row].encode())
            writer.write(example.SerializeToString())


def run(folder, train, test) -> TextBaselines:
    examples, baselines = standard_artifacts.Examples(), TextBaselines()
    examples.uri, baselines.uri = str(folder / "examples"), str(folder / "baselines")
    examples.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    for split, rows in {"train": train, "eval": corpus(9, 9), "test": test}.items():
        write_split(folder / "examples" / f"Split-{split}", rows)
    Executor().Do({"examples": [examples]}, {"baselines": [baselines]}, {"task": "single_label"})
    return baselines


def test_the_component_writes_what_the_evaluator_reads(tmp_path):
    train, test = corpus(60, 1), corpus(30, 2)
    folder = tmp_path / "baselines"
    assert run(tmp_path, train, test).uri == str(folder)
    assert sorted(path.name for path in folder.iterdir()) == [MAJORITY, "metrics.json", TFIDF_SVM]
    figures = json.loads((folder / "metrics.json").read_text())
    for name, baseline in fit_all(train.texts, train.labels).items():
        read = Predictions.read(folder / name)
        expected = predict(baseline, test)
        assert read.classes == expected.classes
        assert read.keys.tolist() == expected.keys.tolist()
        assert read.labels.tolist() == expected.labels.tolist()
        np.testing.assert_array_equal(read.scores, expected.scores)
        assert figures[name]["accuracy"] == measure(expected)["accuracy"].model_dump()


@pytest.mark.parametrize(
    ("train", "message"),
    [(corpus(0, 1), "no examples to learn from"), (corpus(9, 1, ("lung",)), "2 classes")],
)
def test_what_nothing_can_be_learnt_from_is_refused(tmp_path, train, message):
    with pytest.raises(ValueError, match=message):
        run(tmp_path, train, corpus(3, 2))
