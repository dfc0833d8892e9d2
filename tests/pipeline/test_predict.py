"""Predictions come from the newest pushed model, in the order of the texts."""

import keras
import numpy as np
import pytest
from rich.console import Console

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig
from models.export import export_classifier
from pipeline.configs import PipelineConfig, local_paths
from pipeline.predict import PredictError, predict, predictions_table, stable_version

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "heart", "lung", "the"]


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> PipelineConfig:
    return PipelineConfig.model_validate(
        {
            "name": "tiny",
            "root": str(tmp_path_factory.mktemp("runs")),
            "data": {"path": "data", "text": {"label_column": "label"}},
            "model": {"weights": "minilm_l6"},
            "gate": {"min_accuracy": 0.5},
        }
    )


@pytest.fixture(scope="module")
def classifier(config) -> TextClassifier:
    """Pushed as version 10; beside it what must not be taken for a newer version."""
    keras.utils.set_random_seed(3)
    backbone = BackboneConfig(
        vocabulary_size=7, num_layers=1, num_heads=1, hidden_dim=4, intermediate_dim=4
    )
    settings = ClassifierConfig(backbone=backbone, classes=("a", "Ω"), max_length=8)
    classifier = TextClassifier(settings, VOCABULARY)
    rng = np.random.default_rng(0)
    for variable in classifier.model.trainable_variables:
        variable.assign_add(rng.normal(size=variable.shape))
    serving = local_paths(config)["serving"]
    export_classifier(classifier, str(serving / "10"))
    for name in ("9", "12.part", "temp"):
        (serving / name).mkdir()
        (serving / name / "saved_model.pb").touch()
    (serving / "11").mkdir()  # half copied: without a saved_model.pb
    return classifier


def test_the_stable_one_is_the_highest_whole_version(config, classifier):
    assert stable_version(config).name == "10"


def test_answers_are_the_models(config, classifier):
    texts = [f"{'the ' * (i % 5)}{'heart' if i % 3 else 'lung'} {i}" for i in range(70)]
    answers = predict(config, texts)
    expected = classifier.probabilities(texts)
    assert [answer["text"] for answer in answers] == texts
    for answer, row in zip(answers, expected, strict=True):
        assert answer["probabilities"] == pytest.approx({"a": row[0], "Ω": row[1]}, abs=1e-5)
        assert answer["label"] == max(answer["probabilities"], key=answer["probabilities"].get)
        assert answer["probability"] == max(answer["probabilities"].values())
        assert isinstance(answer["probability"], float)


def test_no_texts(config, classifier):
    assert predict(config, []) == []


def test_nothing_pushed_yet(config):
    other = config.model_copy(update={"name": "other"})
    with pytest.raises(PredictError, match=r"no pushed model in .*other: run the pipeline first"):
        predict(other, ["heart"])


def test_table_cuts_long_texts():
    answers = [
        {"text": "short", "label": "a", "probability": 0.5, "probabilities": {}},
        {"text": "long " * 50, "label": "Ω", "probability": 0.75, "probabilities": {}},
    ]
    console = Console(width=120)
    with console.capture() as capture:
        console.print(predictions_table(answers))
    text = capture.get()
    assert "0.500" in text
    assert "0.750" in text
    assert "long long" in text
    assert "long " * 15 not in text
    assert "…" in text
