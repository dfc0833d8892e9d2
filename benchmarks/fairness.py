"""What reweighting and counterfactual augmentation do to a model that learns from biased patients.

`python -m benchmarks.fairness --seeds 5`

Simulated patients with real HPO frequencies, of ten diseases in two classes of five. The bias is planted: of
the training patients of the first class 90 % are women, of the second 90 % men, while sex says nothing of the
disease in the test patients. The same small BERT learns from random weights as the data is, reweighted, and
augmented, with what Mitigation does to a run's examples; the gate's own measurement then looks at the test
patients. A seed draws the patients who are left out, the weights and the order.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table

from components.evaluator import intervals
from components.evaluator.fairness.config import AttributeConfig, FairnessConfig
from components.evaluator.fairness.groups import Groups
from components.evaluator.fairness.measure import measure_fairness
from components.evaluator.predictions import Predictions
from components.mitigation.config import MitigationConfig
from components.mitigation.rows import Mitigator
from components.mitigation.weights import cell_weights
from models.classifier import TextClassifier
from models.config import BackboneConfig, ClassifierConfig, OptimizerConfig, TrainingConfig
from models.examples import EXAMPLE_WEIGHT, Examples
from models.tasks import Classification
from models.tokenizer import read_vocabulary
from models.training import fit
from pipeline.datasets.fetch import cache_folder, fetch
from pipeline.datasets.hpo_patients import PatientSettings, write_patients
from pipeline.logs import quiet

CLASSES = ("first", "second")
BIASED_TO = {"first": "female", "second": "male"}
SEX = AttributeConfig(rule="sex", swap=True)
ARMS: dict[str, MitigationConfig | None] = {
    "as it is": None,
    "reweighted": MitigationConfig(attribute="sex", reweight=True),
    "augmented": MitigationConfig(attribute="sex", augment=True),
}
METRICS = ("accuracy", "FNR gap", "FPR gap", "flip rate")
_TEST_SHARE, _EVAL_SHARE = 0.3, 0.15
_LENGTH = 128
_SMALL = {"num_layers": 1, "num_heads": 2, "hidden_dim": 64, "intermediate_dim": 128}

Row = tuple[str, str]  # text, class


def main() -> None:
    """Trains each arm with each seed, prints one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bias", type=float, default=0.9, help="share of the class's sex (0.9)")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    vocabulary = read_vocabulary(fetch("minilm_l6") / "vocab.txt")
    backbone = BackboneConfig(vocabulary_size=len(vocabulary), **_SMALL)
    train, test = patients(PatientSettings(diseases=10, patients_per_disease=300))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    with quiet(cache_folder() / "benchmarks" / "log.txt") as console:
        for seed in range(arguments.seeds):
            learned = plant(train, arguments.bias, seed)
            config = TrainingConfig(
                epochs=arguments.epochs,
                batch_size=32,
                optimizer=OptimizerConfig(learning_rate=2e-3),
                seed=seed,
            )
            for name, mitigation in ARMS.items():
                classifier = learn(mitigation, learned, vocabulary, backbone, config)
                found[name].append(measure(classifier, test))
                figures = ", ".join(
                    f"{metric} {value:.3f}" for metric, value in found[name][-1].items()
                )
                console.print(f"seed {seed}, {name}: {figures}", highlight=False)
    _print(found, len(learned), len(test))
    if arguments.json:
        rows = [{"name": "fairness", "work": name, "ours": each} for name, each in found.items()]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def patients(settings: PatientSettings) -> tuple[list[Row], list[Row]]:
    """Simulated patients to learn from and to test on; half of the diseases, by name, are a class."""
    with tempfile.TemporaryDirectory() as folder:
        write_patients(fetch("hpo"), Path(folder), settings)
        lines = Path(folder, "patients.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    diseases = sorted({record["disease"] for record in records})
    first = set(diseases[: len(diseases) // 2])
    rows = [(r["text"], CLASSES[r["disease"] not in first]) for r in records]
    cut = int(len(rows) * _TEST_SHARE)
    return rows[cut:], rows[:cut]


def plant(rows: Sequence[Row], share: float, seed: int) -> list[Row]:
    """Leaves rows out, until `share` of each class's rows is of the sex that it is biased to.

    Rows without a sex, or with both, are left out.
    """
    groups, shuffled = Groups(SEX), random.Random(seed).sample(rows, len(rows))
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in shuffled:
        cells.setdefault((row[1], groups.of(row[0], {})), []).append(row)
    kept = []
    for label, sex in BIASED_TO.items():
        other = "male" if sex == "female" else "female"
        usual = cells[label, sex]
        kept += usual + cells[label, other][: round(len(usual) * (1 - share) / share)]
    return random.Random(seed).sample(kept, len(kept))


def learn(
    mitigation: MitigationConfig | None,
    rows: Sequence[Row],
    vocabulary: Sequence[str],
    backbone: BackboneConfig,
    config: TrainingConfig,
) -> TextClassifier:
    """Trains a classifier; a share of the rows, not mitigated, tells the best epoch."""
    keras.utils.set_random_seed(config.seed)
    settings = ClassifierConfig(backbone=backbone, classes=CLASSES, max_length=_LENGTH)
    classifier = TextClassifier(settings, vocabulary)
    cut = int(len(rows) * _EVAL_SHARE)
    evaluation, train = _serialized(rows[:cut]), _serialized(rows[cut:])
    if mitigation:
        train = _mitigated(train, mitigation)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            Classification(classifier.model),
            _examples(classifier, train),
            _examples(classifier, evaluation),
            config,
            folder,
        )
    return classifier


def _serialized(rows: Sequence[Row]) -> list[bytes]:
    serialized = []
    for number, (text, label) in enumerate(rows):
        example = tf.train.Example()
        for name, value in {"key": str(number), "text": text, "label": label}.items():
            example.features.feature[name].bytes_list.value.append(value.encode())
        serialized.append(example.SerializeToString())
    return serialized


def _mitigated(rows: Sequence[bytes], config: MitigationConfig) -> list[bytes]:
    """What the component makes of a file of these rows."""
    mitigator = Mitigator(config, SEX)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "examples.gz"))
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for row in rows:
                writer.write(row)
        weights = cell_weights(mitigator.count(path)) if config.reweight else {}
        return list(mitigator.rows(path, weights))


def _examples(classifier: TextClassifier, rows: Sequence[bytes]) -> Examples:
    features = [tf.train.Example.FromString(row).features.feature for row in rows]
    texts, labels = (
        [f[name].bytes_list.value[0].decode() for f in features] for name in ("text", "label")
    )
    weights = [value for f in features for value in f[EXAMPLE_WEIGHT].float_list.value]
    ids = [classifier.classes.index(label) for label in labels]
    return Examples.from_rows(classifier.tokenizer(texts).to_list(), ids, weights or None)


def measure(classifier: TextClassifier, rows: Sequence[Row]) -> dict[str, float]:
    """Accuracy, the gaps between the sexes (of the first class), and the flip rate."""
    texts, labels = zip(*rows, strict=True)
    predictions = Predictions(
        task="single_label",
        classes=CLASSES,
        keys=np.array([str(i) for i in range(len(rows))], object),
        texts=np.array(texts, object),
        labels=np.array([CLASSES.index(label) for label in labels]),
        scores=classifier.probabilities(texts),
        features={},
    )
    config = FairnessConfig(attributes={"sex": SEX}, positive_class=CLASSES[0])
    fairness, _ = measure_fairness(predictions, config, classifier.probabilities)
    gaps = {gap.metric: gap.difference.value for gap in fairness.gaps}
    accuracy = float((predictions.scores.argmax(axis=1) == predictions.labels).mean())
    values = (
        accuracy,
        gaps["false_negative_rate"],
        gaps["false_positive_rate"],
        fairness.counterfactuals[0].flip_rate.value,
    )
    return {name: round(float(value), 6) for name, value in zip(METRICS, values, strict=True)}


def _print(found: dict[str, list[dict[str, float]]], learned: int, tests: int) -> None:
    title = (
        f"{learned} simulated patients to learn from, {tests} to test on: mean of "
        f"{len(found['as it is'])} seeds (95 % over seeds)"
    )
    table = Table("training data", *METRICS, title=title)
    for name, runs in found.items():
        table.add_row(name, *(_cell([run[metric] for run in runs]) for metric in METRICS))
    for name, runs in list(found.items())[1:]:
        pairs = list(zip(runs, found["as it is"], strict=True))
        changes = ([one[metric] - other[metric] for one, other in pairs] for metric in METRICS)
        table.add_row(f"{name} − as it is", *map(_cell, changes))
    Console().print(table)


def _cell(values: Sequence[float]) -> str:
    estimate = intervals.mean(np.array(values))
    if estimate == intervals.UNKNOWN:  # of a single seed
        return f"{values[0]:.3f}"
    return f"{estimate.value:.3f} ({estimate.low:.3f} – {estimate.high:.3f})"


if __name__ == "__main__":
    main()
