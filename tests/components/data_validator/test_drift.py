"""What has drifted since the last blessed model is told, and stops the line if asked."""

import pytest
import tensorflow as tf
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.data_validator.config import ValidationConfig
from components.data_validator.drift import (
    Drift,
    TextProfile,
    distribution_changes,
    profile_changes,
    text_profile,
)
from components.data_validator.newest_span import newest_span_changes

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "fail", "##s", "the"]


def write_texts(path, texts):
    with tf.io.TFRecordWriter(str(path), "GZIP") as writer:
        for text in texts:
            example = tf.train.Example()
            example.features.feature["text"].bytes_list.value.append(text.encode())
            writer.write(example.SerializeToString())


@pytest.fixture
def vocabulary(tmp_path) -> str:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    return str(tmp_path / "vocab.txt")


def test_texts_are_seen_as_the_tokenizer_sees_them(tmp_path, vocabulary):
    write_texts(tmp_path / "a.gz", ["the heart fails", "The HEART"])
    write_texts(tmp_path / "b.gz", ["the qqq"])
    profile = text_profile([str(tmp_path / "a.gz"), str(tmp_path / "b.gz")], vocabulary)
    # the heart fail ##s | the heart | the [UNK]
    assert profile == TextProfile(
        texts=3, words_per_text=7 / 3, pieces_per_word=8 / 7, coverage=1 - 1 / 8
    )


def statistics(**counts) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Of a train split: labels by count, texts all short."""
    found = statistics_pb2.DatasetFeatureStatisticsList()
    dataset = found.datasets.add(num_examples=sum(counts.values()))
    for name, values in {"label": counts, "length_band": {"0-49": sum(counts.values())}}.items():
        feature = dataset.features.add()
        feature.path.step.append(name)
        for value, count in values.items():
            feature.string_stats.rank_histogram.buckets.add(label=value, sample_count=count)
    return found


def test_shares_are_compared_label_by_label():
    before, now = statistics(a=5000, b=4000, c=1000), statistics(a=2000, b=6000, d=2000)
    label, length = distribution_changes(now, before, max_drift=0.2)
    assert label.difference == pytest.approx(0.3)
    assert label.allowed == pytest.approx(0.2 + 2 * (2 * 0.25 / 10_000) ** 0.5)
    assert label.is_drift
    assert label.sentence == (
        "label 'a' has a share of 20.0% of the train split, 50.0% in the last blessed model's"
    )
    assert (length.measure, length.difference, length.is_drift) == ("length_band", 0.0, False)


def test_what_chance_explains_is_no_drift():
    [label, _] = distribution_changes(statistics(a=3, b=1), statistics(a=2, b=2), max_drift=0.01)
    assert label.difference == 0.25
    assert not label.is_drift


def test_the_newest_span_is_compared_alone(tmp_path):
    rows = [("1", "a")] * 50 + [("2", "b")] * 20 + [("1", "b")] * 30 + [("2", "c")] * 60
    with tf.io.TFRecordWriter(str(tmp_path / "a.gz"), "GZIP") as writer:
        for span, label in rows:
            example = tf.train.Example()
            values = {"span": span, "label": label, "length_band": "0-49"}
            for name, value in values.items():
                example.features.feature[name].bytes_list.value.append(value.encode())
            writer.write(example.SerializeToString())
    files, before = [str(tmp_path / "a.gz")], statistics(a=50, b=50)
    label, length = newest_span_changes(files, "2", before, max_drift=0.2)
    assert label.difference == 0.75  # of c, in the window it would be 0.375
    assert label.allowed == pytest.approx(0.2 + 2 * (0.25 / 80 + 0.25 / 100) ** 0.5)
    assert label.sentence == (
        "label 'c' has a share of 75.0% of span 2 in the train split, 0.0% of the last blessed model's"
    )
    assert (length.measure, length.difference) == ("length_band", 0.0)
    assert newest_span_changes(files, "3", before, max_drift=0.2) == []


PROFILE = TextProfile(texts=100, words_per_text=200, pieces_per_word=1.2, coverage=0.999)


@pytest.mark.parametrize(
    ("change", "drifted"),
    [
        ({}, set()),
        ({"words_per_text": 240}, set()),
        ({"words_per_text": 260}, {"words_per_text"}),
        ({"words_per_text": 140}, {"words_per_text"}),
        ({"pieces_per_word": 1.35}, {"pieces_per_word"}),
        ({"coverage": 0.99}, {"coverage"}),
        ({"coverage": 1.0}, set()),
    ],
)
def test_texts_are_compared_with_the_limits(change, drifted):
    changes = profile_changes(PROFILE.model_copy(update=change), PROFILE, ValidationConfig())
    assert {found.measure for found in changes if found.is_drift} == drifted


def test_drift_survives_the_disk(tmp_path):
    changes = profile_changes(PROFILE, PROFILE, ValidationConfig())
    drift = Drift(compared_with="x", profile=PROFILE, changes=tuple(changes), warnings=("w",))
    drift.write(str(tmp_path / "new"))
    assert Drift.read(str(tmp_path / "new")) == drift
    assert Drift.read(str(tmp_path)) is None
