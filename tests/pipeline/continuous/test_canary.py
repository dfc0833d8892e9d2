"""Both versions asked through a real server."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from end_to_end_world import make_config

from components.pusher.history import Change
from components.pusher.store import Store
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from pipeline.configs import local_paths
from pipeline.continuous.canary import try_canary

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung"]
TEXTS = [f"{word} " * count for count in range(1, 11) for word in ("heart", "lung")]
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 8}


def classifier(seed: int) -> TextClassifier:
    keras.utils.set_random_seed(seed)
    backbone = BackboneConfig(vocabulary_size=6, max_sequence_length=16, **SIZES)
    classes = ("heart", "lung")
    config = ClassifierConfig(backbone=backbone, classes=classes, max_length=16, pooling="mean")
    return TextClassifier(config, VOCABULARY)


def write_examples(folder: Path) -> None:
    """Span 1's rows have another text, so that asking them would show."""
    folder.mkdir(parents=True)
    rows = [("1", "other", "heart")] + [("2", text, text.split()[0]) for text in TEXTS]
    with tf.io.TFRecordWriter(str(folder / "examples.gz"), "GZIP") as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in zip(("span", "text", "label"), row, strict=True):
                example.features.feature[name].bytes_list.value.append(value.encode())
            writer.write(example.SerializeToString())


@pytest.mark.slow
def test_the_report_says_what_the_models_say(tmp_path):
    config = make_config(
        tmp_path, continuous={"canary": {"texts": 18, "texts_per_request": 4}}, name="tiny"
    )
    base = local_paths(config)["serving"]
    models = [classifier(seed) for seed in (1, 2)]
    for version, model in enumerate(models, start=1):
        export_classifier(model, str(base / str(version)))
        labels = {"stable": 1, "canary": 2 if version == 2 else None}
        change = Change(action="push", version=version, **labels)
        Store(str(base)).apply(change, None, 0)
    write_examples(tmp_path / "examples" / "Split-test")

    report = try_canary(config, str(tmp_path / "examples"), span=2)

    answers = [model.probabilities(TEXTS[:18]).argmax(axis=1) for model in models]
    truth = np.array([["heart", "lung"].index(text.split()[0]) for text in TEXTS[:18]])
    assert (report.texts, report.span) == (18, 2)
    assert report.disagreement == pytest.approx(np.mean(answers[0] != answers[1]))
    assert report.stable.accuracy == pytest.approx(np.mean(answers[0] == truth))
    assert report.canary.accuracy == pytest.approx(np.mean(answers[1] == truth))
    for answered in (report.stable, report.canary):
        assert (answered.requests, answered.failed) == (5, 0)
        assert answered.median_seconds > 0
    assert 0 <= report.p_value <= 1
