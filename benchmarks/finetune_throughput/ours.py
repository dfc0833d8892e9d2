"""Fine-tunes our text classifier for one epoch and prints one line of JSON, as the peer does.

`python -m benchmarks.finetune_throughput.ours --data FOLDER --weights FOLDER`
"""

import argparse
import dataclasses
import json
import re
import tempfile
from pathlib import Path

import keras
import tensorflow as tf

from benchmarks.finetune_throughput.data import TEST, TRAIN, read_rows
from models.classifier import TextClassifier
from models.config import CheckpointConfig, ClassifierConfig, OptimizerConfig, TrainingConfig
from models.examples import Examples
from models.hf_weights import load_backbone
from models.precision import precision
from models.strategy import create_strategy
from models.tasks import Classification
from models.tokenizer import BertTokenizer, read_vocabulary
from models.training import fit

MAX_LENGTH, BATCH_SIZE = 128, 32


def training_config(policy: str, seed: int) -> TrainingConfig:
    """What the peer does too; it writes no checkpoints, so that we write none either."""
    return TrainingConfig(
        epochs=1,
        batch_size=BATCH_SIZE,
        precision=policy,
        optimizer=OptimizerConfig(
            learning_rate=1e-4,
            head_learning_rate=1e-3,
            schedule="linear",
            warmup_fraction=0.1,
            weight_decay=0.01,
            clip_norm=1.0,
        ),
        checkpoint=CheckpointConfig(every_seconds=1e9),
        seed=seed,
    )


def read_examples(
    path: Path, tokenizer: BertTokenizer, classes: list[str], limit: int | None
) -> Examples:
    """Tokenizes the first `limit` rows of a file, all of them by default."""
    texts, labels = read_rows(path, limit)
    token_ids = tokenizer(tf.constant(texts)).to_list()
    return Examples.from_rows(token_ids, [classes.index(label) for label in labels])


def peak_mb() -> float:
    """The most resident memory of this process; its parent's is not counted, as in getrusage."""
    status = Path("/proc/self/status").read_text()
    return round(int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1024, 1)


def main() -> None:
    """Trains, evaluates, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=int, help="the first N rows of each split only")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(arguments.seed)

    classes = sorted(set(read_rows(arguments.data / TRAIN)[1]))
    vocabulary = read_vocabulary(arguments.weights / "vocab.txt")
    strategy = create_strategy("auto")
    with strategy.scope(), precision(arguments.precision):
        backbone, backbone_config = load_backbone(arguments.weights)
        config = ClassifierConfig(backbone=backbone_config, classes=classes, max_length=MAX_LENGTH)
        classifier = TextClassifier(config, vocabulary, backbone)
    train, test = (
        read_examples(arguments.data / file, classifier.tokenizer, classes, arguments.limit)
        for file in (TRAIN, TEST)
    )
    with tempfile.TemporaryDirectory() as folder:
        history = fit(
            Classification(classifier.model),
            train,
            test,
            training_config(arguments.precision, arguments.seed),
            Path(folder),
            strategy,
        )
    [epoch] = history.epochs
    steps = [dataclasses.asdict(step) for step in history.steps]
    result = {
        "seconds": epoch.train_seconds,
        "examples": len(train),
        "steps": [{k: step[k] for k in ("seconds", "tokens", "positions")} for step in steps],
        "accuracy": epoch.eval["accuracy"],
        "peak_mb": peak_mb(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
