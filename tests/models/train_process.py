"""A training for a process of its own, which a test may give several devices, several workers, or kill."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import keras
import numpy as np
import tensorflow as tf

from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig, TrainingConfig
from models.examples import Examples
from models.precision import precision
from models.preemption import EXIT_PREEMPTED, Preempted
from models.strategy import create_strategy, is_chief
from models.tasks import Classification
from models.training import fit

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefghij"]


def make_examples(count: int, seed: int) -> Examples:
    """The label is told by a third of a text's ids; the others are noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    rows = []
    for label in labels:
        row = rng.integers(7, 14, rng.integers(3, 30))
        row[rng.permutation(len(row))[: 1 + len(row) // 3]] = 4 + label
        rows.append(row.tolist())
    return Examples.from_rows(rows, labels)


def make_classifier(dropout: float) -> TextClassifier:
    backbone = BackboneConfig(
        vocabulary_size=len(VOCABULARY),
        num_layers=1,
        num_heads=2,
        hidden_dim=8,
        intermediate_dim=16,
        max_sequence_length=32,
        dropout=dropout,
    )
    config = ClassifierConfig(backbone=backbone, classes=("a", "b", "c"), max_length=32)
    return TextClassifier(config, VOCABULARY)


def train(
    folder: str,
    training: dict,
    devices: int = 1,
    dropout: float = 0.1,
    examples: int = 100,
    checkpoints: str | None = None,
) -> None:
    """Trains as told and leaves `result.json` and `weights.npz` in the folder."""
    config = TrainingConfig.model_validate(training)
    if devices > 1:
        [cpu] = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * devices
        )
    tf.config.threading.set_intra_op_parallelism_threads(2)
    strategy = create_strategy(config.strategy)
    keras.utils.set_random_seed(config.seed)
    with strategy.scope(), precision(config.precision):
        classifier = make_classifier(dropout)
    Path(folder).mkdir(parents=True, exist_ok=True)
    try:
        history = fit(
            Classification(classifier.model),
            make_examples(examples, seed=1),
            make_examples(30, seed=2),
            config,
            folder,
            strategy,
            checkpoints,
        )
    except Preempted as error:
        print(error)
        sys.exit(EXIT_PREEMPTED)
    result = {
        "replicas": strategy.num_replicas_in_sync,
        "is_chief": is_chief(strategy),
        "epochs": [[epoch.train, epoch.eval] for epoch in history.epochs],
        "steps": [
            [s.step, s.loss, s.learning_rate, s.gradient_norm, s.tokens, s.positions]
            for s in history.steps
        ],
    }
    weights = classifier.model.get_weights()
    np.savez(Path(folder, "weights.npz"), **{f"{i:03}": w for i, w in enumerate(weights)})
    Path(folder, "result.json").write_text(json.dumps(result))


def train_all(trainings: list[dict]) -> None:
    """Trains one after the other."""
    for training in trainings:
        train(**training)
