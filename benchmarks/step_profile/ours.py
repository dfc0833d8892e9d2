"""Trains a MiniLM classifier on texts of one length and prints one line of JSON: a step's time and parts.

`python -m benchmarks.step_profile.ours --weights FOLDER --length 128 --precision mixed_bfloat16`
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.step_profile.trace import seconds_by_kind
from models.classifier import TextClassifier
from models.config import ClassifierConfig, TrainingConfig
from models.examples import Examples
from models.hf_weights import load_backbone
from models.history import Epoch, History, Step
from models.precision import precision
from models.tasks import Classification
from models.telemetry.flops import flops_per_token
from models.tokenizer import read_vocabulary
from models.training import fit

BATCH_SIZE, CLASSES = 32, 9
_WARM_UP, _TIMED, _TRACED = 5, 15, 5


class _Profiler:
    """Keeps the seconds of the timed steps, and traces those after them."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.seconds: list[float] = []

    def on_step(self, step: Step) -> None:
        if _WARM_UP < step.step <= _WARM_UP + _TIMED:
            self.seconds.append(step.seconds)
        if step.step == _WARM_UP + _TIMED:
            tf.profiler.experimental.start(str(self._folder))
        if step.step == _WARM_UP + _TIMED + _TRACED:
            tf.profiler.experimental.stop()

    def on_epoch(self, epoch: Epoch) -> None:
        pass

    def on_restore(self, history: History) -> None:
        pass

    def close(self) -> None:
        pass


def _examples(batches: int, length: int) -> Examples:
    rng, rows = np.random.default_rng(0), batches * BATCH_SIZE
    return Examples.from_rows(
        rng.integers(1000, 30_000, (rows, length)), rng.integers(0, CLASSES, rows)
    )


def main() -> None:
    """Trains, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--length", type=int, required=True)
    parser.add_argument("--precision", required=True)
    arguments = parser.parse_args()
    with precision(arguments.precision):
        backbone, config = load_backbone(arguments.weights)
        classifier = TextClassifier(
            ClassifierConfig(
                backbone=config, classes=[f"class {i}" for i in range(CLASSES)], max_length=512
            ),
            read_vocabulary(arguments.weights / "vocab.txt"),
            backbone,
        )
    with tempfile.TemporaryDirectory() as folder:
        profiler = _Profiler(Path(folder))
        fit(
            Classification(classifier.model),
            _examples(_WARM_UP + _TIMED + _TRACED + 1, arguments.length),
            _examples(1, arguments.length),
            TrainingConfig(epochs=1, batch_size=BATCH_SIZE, precision=arguments.precision),
            folder,
            listeners=[profiler],
        )
        parts = seconds_by_kind(Path(folder))
    seconds = statistics.median(profiler.seconds)
    operations = flops_per_token(config, arguments.length) * BATCH_SIZE * arguments.length
    result = {
        "milliseconds": 1000 * seconds,
        "gflops": operations / seconds / 1e9,
        "parts": {kind: 1000 * part / _TRACED for kind, part in parts.items()},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
