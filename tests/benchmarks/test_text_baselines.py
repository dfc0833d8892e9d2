import random
import sys

import pytest
import tensorflow as tf

from benchmarks import text_baselines
from benchmarks.text_baselines import fit_baselines, read_split


def _corpus(size, seed):
    draw = random.Random(seed)
    labels = ["heart", "lung", "heart"] * (size // 3)
    words = {"heart": ["atrium", "valve", "pulse"], "lung": ["bronchus", "cough", "airway"]}
    return [" ".join(draw.choices([*words[label], "patient"], k=6)) for label in labels], labels


def test_the_svm_learns_what_the_majority_class_cannot():
    figures = fit_baselines(*_corpus(60, 1), *_corpus(30, 2))
    assert figures["majority"]["accuracy"] == pytest.approx(2 / 3)
    assert figures["majority"]["macro_f1"] == pytest.approx(
        0.4
    )  # .8 for one class, 0 for the other
    assert figures["tfidf_svm"]["accuracy"] > 0.9
    for row in figures.values():
        for measure in ("accuracy", "macro_f1"):
            low, high = row[f"{measure}_interval"]
            assert low <= row[measure] <= high


def test_an_empty_split_is_refused():
    with pytest.raises(ValueError, match="6 train and 0 test texts"):
        fit_baselines(*_corpus(6, 1), [], [])


def _write_split(folder, texts, labels):
    folder.mkdir(parents=True)
    options = tf.io.TFRecordOptions("GZIP")
    with tf.io.TFRecordWriter(str(folder / "data_tfrecord-00000-of-00001.gz"), options) as writer:
        for key, (text, label) in enumerate(zip(texts, labels, strict=True)):
            example = tf.train.Example()
            example.features.feature["key"].bytes_list.value.append(str(key).encode())
            example.features.feature["text"].bytes_list.value.append(text.encode())
            example.features.feature["label"].bytes_list.value.append(label.encode())
            writer.write(example.SerializeToString())


def test_examples_are_read_back(tmp_path):
    _write_split(tmp_path / "Split-train", ["β-blocker", "b"], ["heart", "lung"])
    assert read_split(tmp_path, "train") == (["β-blocker", "b"], ["heart", "lung"])


def test_the_command_measures_a_run(tmp_path, monkeypatch, capsys):
    for split, size, seed in (("train", 60, 1), ("eval", 30, 2), ("test", 30, 3)):
        _write_split(tmp_path / f"Split-{split}", *_corpus(size, seed))
    command = ["text_baselines", "--examples", str(tmp_path), "--json", str(tmp_path / "b.json")]
    monkeypatch.setattr(sys, "argv", command)
    text_baselines.main()
    assert "90 training and 30 test texts" in capsys.readouterr().out
    assert '"tfidf_svm"' in (tmp_path / "b.json").read_text()


def test_the_command_says_which_split_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["text_baselines", "--examples", str(tmp_path)])
    with pytest.raises(SystemExit):
        text_baselines.main()
    assert "no examples in Split-train" in capsys.readouterr().err
