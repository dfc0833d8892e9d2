"""The model that is served, and the texts that it is asked."""

import json
import random
from pathlib import Path

import keras

from benchmarks.finetune_throughput.data import TEST, read_rows
from models.classifier import TextClassifier
from models.config import ClassifierConfig
from models.export import export_classifier
from models.hf_weights import load_backbone
from models.tokenizer import read_vocabulary

MAX_LENGTH, CLASSES = 256, 9


def export_minilm(weights: Path, folder: Path) -> None:
    """Writes a SavedModel of MiniLM-L6 with a new head: its answers mean nothing, but take as long.

    Args:
        weights: a Hugging Face BERT.
        folder: of the version.
    """
    keras.utils.set_random_seed(0)
    backbone, config = load_backbone(weights)
    classes = [f"class {number}" for number in range(CLASSES)]
    classifier = TextClassifier(
        ClassifierConfig(backbone=config, classes=classes, max_length=MAX_LENGTH),
        read_vocabulary(weights / "vocab.txt"),
        backbone,
    )
    export_classifier(classifier, str(folder))


def write_texts(data: Path, file: Path) -> None:
    """Writes the test abstracts of `benchmarks.finetune_throughput.prepare` as a JSON list."""
    texts, _ = read_rows(data / TEST)
    random.Random(0).shuffle(texts)
    file.write_text(json.dumps(texts), encoding="utf-8")
