"""What every training under TFX's Trainer shares: its files, its key, who listens, what it reports."""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.components.trainer.fn_args_utils import FnArgs

from models.config import Config, TrainingConfig
from models.examples import Rows
from models.history import History, Listener
from models.strategy import is_chief
from models.telemetry.flops import device_name, peak_flops
from models.telemetry.points import Points
from models.telemetry.progress import Progress
from models.telemetry.tensorboard import TensorBoard
from models.telemetry.weights_and_biases import WeightsAndBiases
from models.training import train_plan

METRICS_FILE = "training_metrics.json"
_WANDB_ID_FILE = "wandb_id"


def data_files(patterns: Sequence[str]) -> list[str]:
    """The files that TFX's patterns name."""
    return [path for pattern in patterns for path in tf.io.gfile.glob(pattern)]


def base_model(fn_args: FnArgs) -> str | None:
    """The SavedModel to start from; None if TFX gave none, or an empty artifact."""
    folder = fn_args.base_model
    return folder if folder and tf.io.gfile.exists(f"{folder}/saved_model.pb") else None


def run_key(settings: Config, fn_args: FnArgs) -> str:
    """Equal for two runs of the same settings, data and base model: the second may go on where the first was
    killed.
    """
    files = data_files([*fn_args.train_files, *fn_args.eval_files])
    what = [
        settings.model_dump_json(),
        *(f"{file} {tf.io.gfile.stat(file).length}" for file in files),
    ]
    if base := base_model(fn_args):
        # TensorFlow's index of variables holds a checksum of each.
        with tf.io.gfile.GFile(f"{base}/variables/variables.index", "rb") as file:
            what.append(hashlib.sha256(file.read()).hexdigest())
    return hashlib.sha256("\n".join(what).encode()).hexdigest()[:16]


def listeners(
    settings: Config,
    training: TrainingConfig,
    token_flops: float,
    train: Rows,
    strategy: tf.distribute.Strategy,
    folder: Path,
    checkpoints: Path,
) -> list[Listener]:
    """TensorBoard and the progress line, and Weights & Biases if asked; in the chief process only.

    TFX gives every attempt another `folder`; a run's id at Weights & Biases lives as long as its checkpoints.

    Args:
        settings: shown at Weights & Biases.
        training: epochs, batches, precision.
        token_flops: operations that training needs for one token.
        train: what is trained on.
        strategy: where the replicas are.
        folder: gets the events.
        checkpoints: of this training.
    """
    if not is_chief(strategy):
        return []
    peak = peak_flops(device_name(), training.precision)
    all_peaks = peak and peak * strategy.num_replicas_in_sync
    steps = len(train_plan(train, training))
    told: list[Listener] = [
        TensorBoard(folder, Points(token_flops, all_peaks), steps),
        Progress(training.epochs * steps, training.epochs),
    ]
    if training.wandb_project:
        values, points = settings.model_dump(mode="json"), Points(token_flops, all_peaks)
        id_file = checkpoints / _WANDB_ID_FILE
        told.append(
            WeightsAndBiases(training.wandb_project, folder, values, points, steps, id_file)
        )
    return told


def training_metrics(history: History, examples: int, tokens: int) -> dict[str, Any]:
    """What `training_metrics.json` holds: the kept epoch's means, sizes, and every epoch."""
    best = history.best
    return {
        "best_epoch": best.epoch,
        "train": best.train,
        "eval": best.eval,
        "train_examples": examples,
        "train_tokens": tokens,
        "epochs": [dataclasses.asdict(epoch) for epoch in history.epochs],
    }
