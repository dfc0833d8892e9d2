"""What pretraining is worth where labels are few: the disease area of an abstract from a tenth of the labels.

`python -m benchmarks.few_labels --pretrained NAME=FOLDER … [--random FOLDER] --seeds 5`

FOLDER is a Hugging Face folder, as the pretraining line pushes it. Encoders are fine-tuned, each from its
own weights, with `--random` also one of that size from random weights, and TF-IDF with a linear SVM is
fitted, all on the same labels: each seed draws a tenth of the training abstracts, a fifth of it to choose the
epoch and the learning rate by. The test abstracts (PMID % 5 == 0) are always the same, and none of them was
pretrained on.
"""

import argparse
import dataclasses
import json
import tempfile
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.model_selection import train_test_split

from benchmarks.finetune_throughput.data import TEST, TRAIN, read_rows
from benchmarks.finetune_throughput.prepare import prepare
from benchmarks.seeds import mean_interval
from benchmarks.text_baselines import fit_baselines
from models.backbone import build_backbone
from models.classifier import TextClassifier
from models.config import ClassifierConfig, OptimizerConfig, TrainingConfig
from models.examples import Examples
from models.hf_weights import load_backbone, read_backbone_config
from models.precision import precision
from models.tasks import Classification
from models.tokenizer import read_vocabulary
from models.training import fit
from pipeline.datasets.fetch import cache_folder
from pipeline.logs import quiet
from pipeline.progress import Progress

CONFIG = Path("configs/pubmed_disease_area_demo.yaml")
_MAX_LENGTH, _EVAL_SHARE = 128, 0.2

Rows = tuple[list[str], list[str]]  # texts, labels


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to begin.

    Attributes:
        name: for people.
        folder: a Hugging Face folder.
        is_random: whether only its sizes and vocabulary are taken.
    """

    name: str
    folder: Path
    is_random: bool = False


def main() -> None:
    """Trains, prints a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pretrained", action="append", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--random", type=Path, metavar="FOLDER", help="its size, random weights")
    parser.add_argument("--labels", type=float, default=0.1, help="share of the labels (0.1)")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[1e-3, 2e-3], help="learning rates to choose from"
    )
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    named = (text.partition("=") for text in arguments.pretrained)
    arms = [Arm(name, Path(folder)) for name, _, folder in named]
    if arguments.random:
        arms.append(Arm("random weights", arguments.random, is_random=True))
    for arm in arms:
        read_backbone_config(arm.folder)  # a wrong folder is an error before any training
    with quiet(cache_folder() / "benchmarks" / "log.txt") as console:
        with Progress(console) as progress:
            data = prepare(CONFIG, progress)
        train, test = read_rows(data / TRAIN), read_rows(data / TEST)
        accuracies: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            few = _few(train, arguments.labels, seed)
            svm = fit_baselines(*few, *test)["tfidf_svm"]["accuracy"]
            found = {"TF-IDF + linear SVM": svm}
            found |= {arm.name: _accuracy(arm, few, test, seed, arguments) for arm in arms}
            for name, accuracy in found.items():
                accuracies.setdefault(name, []).append(accuracy)
            console.print(f"seed {seed}, {len(few[0])} labels: {found}", highlight=False)
    _print(accuracies, len(few[0]), len(test[0]))
    if arguments.json:
        rows = [
            {"name": "few_labels", "work": name, "unit": "accuracy", "ours": values}
            for name, values in accuracies.items()
        ]
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


def _few(rows: Rows, share: float, seed: int) -> Rows:
    """A share of the rows in which each label has its part."""
    texts, _, labels, _ = train_test_split(
        *rows, train_size=share, stratify=rows[1], random_state=seed
    )
    return texts, labels


def _accuracy(arm: Arm, few: Rows, test: Rows, seed: int, arguments: argparse.Namespace) -> float:
    """Test accuracy at the learning rate of the least eval loss."""
    texts, eval_texts, labels, eval_labels = train_test_split(
        *few, test_size=_EVAL_SHARE, stratify=few[1], random_state=seed
    )
    classes = sorted(set(test[1]))
    found = []
    for rate in arguments.rates:
        classifier = _classifier(arm, classes, arguments.precision, seed)
        train, evaluation = (
            _examples(classifier, classes, *split)
            for split in ((texts, labels), (eval_texts, eval_labels))
        )
        config = TrainingConfig(
            epochs=arguments.epochs,
            batch_size=16,
            precision=arguments.precision,
            optimizer=OptimizerConfig(learning_rate=rate, head_learning_rate=1e-3),
            early_stopping_patience=arguments.epochs,
            seed=seed,
        )
        with tempfile.TemporaryDirectory() as folder:
            history = fit(Classification(classifier.model), train, evaluation, config, folder)
        answers = classifier.probabilities(test[0]).argmax(axis=1)
        hits = np.array([classes[i] for i in answers]) == np.array(test[1])
        found.append((history.best.eval["loss"], float(hits.mean())))
    return min(found)[1]


def _classifier(arm: Arm, classes: list[str], policy: str, seed: int) -> TextClassifier:
    keras.utils.set_random_seed(seed)
    with precision(policy):
        if arm.is_random:
            backbone_config = read_backbone_config(arm.folder)
            backbone = build_backbone(backbone_config)
        else:
            backbone, backbone_config = load_backbone(arm.folder)
        config = ClassifierConfig(backbone=backbone_config, classes=classes, max_length=_MAX_LENGTH)
        return TextClassifier(config, read_vocabulary(arm.folder / "vocab.txt"), backbone)


def _examples(
    classifier: TextClassifier, classes: list[str], texts: list[str], labels: list[str]
) -> Examples:
    token_ids = classifier.tokenizer(texts).to_list()
    return Examples.from_rows(token_ids, [classes.index(label) for label in labels])


def _print(accuracies: dict[str, list[float]], labels: int, tests: int) -> None:
    table = Table(f"from {labels} labels", f"accuracy on {tests} (95 % over seeds)", "each seed")
    for name, values in accuracies.items():
        table.add_row(name, _interval(values), ", ".join(f"{value:.3f}" for value in values))
    Console().print(table)


def _interval(values: list[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.3f}"
    mean, low, high = mean_interval(values)
    return f"{mean:.3f} ({low:.3f} – {high:.3f})"


if __name__ == "__main__":
    main()
