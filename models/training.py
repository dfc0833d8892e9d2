"""The one training loop: it knows steps, epochs and the best weights, and nothing of tasks."""

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from models.config import TrainingConfig
from models.optimization import build_optimizers
from models.tasks import Batch, Sums, Task

logger = logging.getLogger("sciformer.training")

_REPORT_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One epoch's means.

    Attributes:
        epoch: counted from 1.
        seconds: wall time of training and evaluation.
        train: means over the epoch's batches, by metric name.
        eval: means over the eval split.
    """

    epoch: int
    seconds: float
    train: dict[str, float]
    eval: dict[str, float]


def fit(
    task: Task,
    train: tf.data.Dataset,
    evaluation: tf.data.Dataset,
    config: TrainingConfig,
    steps_per_epoch: int,
    log_dir: str | Path,
) -> list[Epoch]:
    """Trains `task.model` and leaves it with the weights of the epoch of least eval loss.

    Args:
        task: model, loss and metrics.
        train: batches of one epoch; iterated once an epoch.
        evaluation: batches of the eval split, in a fixed order.
        config: epochs, optimizer, patience.
        steps_per_epoch: number of batches in `train`, for the schedule and the progress report.
        log_dir: TensorBoard event files go here.

    Returns:
        The epochs, in order.

    Raises:
        FloatingPointError: the loss is no longer finite.
        ValueError: a split gives no batch.
    """
    optimizers = build_optimizers(task.model, config.optimizer, config.epochs * steps_per_epoch)

    @tf.function(reduce_retracing=True)
    def train_step(batch: Batch) -> Sums:
        with tf.GradientTape() as tape:
            sums = task.sums(batch, training=True)
            loss = sums["loss"][0] / sums["loss"][1]
        gradients = tape.gradient(loss, [variables for _, variables in optimizers])
        for (optimizer, variables), group in zip(optimizers, gradients, strict=True):
            optimizer.apply(group, variables)
        return sums

    @tf.function(reduce_retracing=True)
    def eval_step(batch: Batch) -> Sums:
        return task.sums(batch, training=False)

    history: list[Epoch] = []
    best_weights = task.model.get_weights()
    with tf.summary.create_file_writer(str(log_dir)).as_default():
        for number in range(1, config.epochs + 1):
            began = time.monotonic()
            progress = _Progress(number, config.epochs, steps_per_epoch)
            train_means = _mean_over(train_step, train, "train", progress)
            eval_means = _mean_over(eval_step, evaluation, "eval")
            epoch = Epoch(number, time.monotonic() - began, train_means, eval_means)
            _write_summaries(epoch)
            history.append(epoch)
            if best_epoch(history) is epoch:
                best_weights = task.model.get_weights()
            logger.info("epoch %d/%d: %s", number, config.epochs, _words(epoch))
            if number - best_epoch(history).epoch >= config.early_stopping_patience:
                logger.info(
                    "no lower eval loss for %d epochs: stopping", config.early_stopping_patience
                )
                break
    task.model.set_weights(best_weights)
    return history


def best_epoch(history: list[Epoch]) -> Epoch:
    """The first epoch of least eval loss."""
    return min(history, key=lambda epoch: epoch.eval["loss"])


class _Progress:
    """Says now and then how far an epoch is."""

    def __init__(self, epoch: int, epochs: int, steps: int):
        self._epoch, self._epochs, self._steps = epoch, epochs, steps
        self._last = time.monotonic()

    def __call__(self, step: int, loss: float) -> None:
        if time.monotonic() - self._last >= _REPORT_SECONDS:
            self._last = time.monotonic()
            logger.debug(
                "epoch %d/%d, step %d/%d, loss %.3f",
                self._epoch,
                self._epochs,
                step,
                self._steps,
                loss,
            )


def _mean_over(
    step: Callable[[Batch], Sums],
    batches: tf.data.Dataset,
    split: str,
    progress: _Progress | None = None,
) -> dict[str, float]:
    totals: dict[str, list[float]] = {}
    for number, batch in enumerate(batches, start=1):
        for name, (total, weight) in step(batch).items():
            entry = totals.setdefault(name, [0.0, 0.0])
            entry[0] += float(total)
            entry[1] += float(weight)
        mean_loss = totals["loss"][0] / totals["loss"][1]
        if not tf.math.is_finite(mean_loss):
            raise FloatingPointError(
                f"the {split} loss is {mean_loss} at batch {number}: lower optimizer.learning_rate, or look "
                "for a broken input"
            )
        if progress:
            progress(number, mean_loss)
    if not totals:
        raise ValueError(f"the {split} split gives no batch: is it empty?")
    return {name: total / weight for name, (total, weight) in totals.items()}


def _write_summaries(epoch: Epoch) -> None:
    for split, means in (("train", epoch.train), ("eval", epoch.eval)):
        for name, value in means.items():
            tf.summary.scalar(f"{split}/{name}", value, step=epoch.epoch)


def _words(epoch: Epoch) -> str:
    parts = [
        f"{split} {name} {value:.3f}"
        for split, means in (("train", epoch.train), ("eval", epoch.eval))
        for name, value in means.items()
    ]
    return f"{', '.join(parts)} ({epoch.seconds:.0f} s)"
