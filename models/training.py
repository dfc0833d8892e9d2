"""The one training loop: epochs, checkpoints and the best weights, for every task, strategy and precision."""

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from models.batching import Plan, distribute
from models.checkpoints import Checkpoints, checkpoint_name
from models.config import NO_FLOAT16_ON_TPU, TrainingConfig
from models.examples import Rows
from models.history import KEPT_STEPS, Epoch, History, Listener, Step
from models.optimization import Optimizer
from models.precision import LossScale
from models.preemption import Preempted, PreemptionFlag
from models.strategy import StrategyError, is_chief
from models.tasks import Task
from models.updates import Updates

logger = logging.getLogger("sciformer.training")

HISTORY_FILE = "history.json"
DEFAULT_BATCH_SIZE = 16


class NotFiniteError(FloatingPointError):
    """A loss or a gradient became NaN or infinite."""


def fit(
    task: Task,
    train: Rows,
    evaluation: Rows,
    config: TrainingConfig,
    folder: str | Path,
    strategy: tf.distribute.Strategy | None = None,
    checkpoints: str | Path | None = None,
    listeners: Sequence[Listener] = (),
) -> History:
    """Trains `task.model` and leaves it with the weights of the epoch of least eval loss.

    If `checkpoints` holds one, training goes on from there, and ends with the same bits as if it had never
    been interrupted (on CPU; on other devices as far as their operations repeat themselves).

    Args:
        task: model, loss and metrics, built under the strategy's scope.
        train: the train split; each example is seen once an epoch.
        evaluation: the eval split.
        config: epochs, batches, optimizer, patience.
        folder: gets `history.json`.
        strategy: where the replicas are; this process's first device by default.
        checkpoints: folder of the checkpoints, `folder`/checkpoints by default; all workers must reach it.
        listeners: are told of every update and epoch, in the chief process only.

    Returns:
        The history.

    Raises:
        NotFiniteError: a loss or gradient is NaN or infinite (with float16 a gradient at the lowest scale).
        Preempted: SIGTERM came; a checkpoint has been written.
        CheckpointError: `checkpoints` holds checkpoints that cannot be read.
        StrategyError: the strategy is not one for this precision.
        ValueError: a split has no example.
    """
    for name, split in (("train", train), ("eval", evaluation)):
        if not len(split):
            raise ValueError(f"the {name} split gives no batch: is it empty?")
    strategy = strategy or tf.distribute.get_strategy()
    is_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    if is_tpu and config.precision == "mixed_float16":  # so "auto" found one
        raise StrategyError(NO_FLOAT16_ON_TPU)
    loop = _Loop(task, train, evaluation, config, strategy, listeners)
    folder = Path(folder)
    try:
        with PreemptionFlag() as preemption:
            loop.run(str(checkpoints or folder / "checkpoints"), preemption)
    finally:
        for listener in listeners:
            listener.close()
    if is_chief(strategy):
        loop.history.write(folder / HISTORY_FILE)
    return loop.history


def train_plan(train: Rows, config: TrainingConfig) -> Plan:
    """The batches that `fit` trains on."""
    return Plan(train.lengths, *_batch_size(config), config.seed)


def _batch_size(config: TrainingConfig) -> tuple[int | None, int | None]:
    """Rows, or ids, of a batch."""
    if config.tokens_per_batch:
        return None, config.tokens_per_batch
    return config.batch_size or DEFAULT_BATCH_SIZE, None


class _Loop:
    """State of a training, and how it is saved."""

    def __init__(
        self,
        task: Task,
        train: Rows,
        evaluation: Rows,
        config: TrainingConfig,
        strategy: tf.distribute.Strategy,
        listeners: Sequence[Listener],
    ):
        self._task, self._config, self._strategy = task, config, strategy
        self._train, self._evaluation = train, evaluation
        self._plan = train_plan(train, config)
        self._eval_plan = Plan(evaluation.lengths, *_batch_size(config))
        self._total = config.epochs * len(self._plan)
        self._stride = -(-self._total // KEPT_STEPS)
        self._listeners = listeners if is_chief(strategy) else ()
        with strategy.scope():
            self._optimizer = Optimizer(task.model, config.optimizer, self._total)
            self._loss_scale = LossScale(config.precision)
        self._updates = Updates(task, self._optimizer, self._loss_scale, config, strategy)
        self.history = History()
        self._position = 0  # batches, over all epochs
        self._totals: dict[str, float] = {}  # of the epoch under way
        self._epoch_seconds, self._skipped = 0.0, 0  # of the same
        self._best_checkpoint: str | None = None
        self._last_checkpoint: str | None = None

    # --- The loop ----------------------------------------------------------------------------------

    def run(self, folder: str, preemption: PreemptionFlag) -> None:
        """Trains from the newest checkpoint in `folder`, or from the start, to the end."""
        self._checkpoints = Checkpoints(folder, self._trackable(), self._config.checkpoint.keep)
        best_weights = self._restore()
        self._check_agreement()
        iterator = distribute(
            self._strategy,
            self._train,
            self._plan,
            self._config.accumulation_steps,
            self._position,
        )
        while not self._is_over():
            train_seconds = self._train_epoch(iterator, preemption)
            self._finish_epoch(train_seconds)
            if self.history.best is self.history.epochs[-1]:
                best_weights = self._task.model.get_weights()
                self._best_checkpoint = self._name()
            self._save()
        self._task.model.set_weights(best_weights)

    def _is_over(self) -> bool:
        epochs = self.history.epochs
        if len(epochs) == self._config.epochs:
            return True
        waited = epochs[-1].epoch - self.history.best.epoch if epochs else 0
        if waited >= self._config.early_stopping_patience:
            logger.info("no lower eval loss for %d epochs: stopping", waited)
            return True
        return False

    def _train_epoch(self, iterator: Any, preemption: PreemptionFlag) -> float:
        """Makes the rest of the epoch's updates; returns the seconds of all of them."""
        end = (len(self.history.epochs) + 1) * len(self._plan)
        pending: dict[str, tf.Tensor] | None = None
        was_asked = False  # by what has been read of the call before
        self._mark = saved = time.monotonic()
        dispatched = self._position
        while dispatched < end:
            count = min(self._config.steps_per_call, end - dispatched)
            stop = tf.constant(int(preemption.is_raised))
            reports = self._updates.train(iterator, tf.constant(count), stop)
            dispatched += count
            # Read while the device works on this call, whose end is where all workers stop if they must.
            is_last = was_asked or (pending is not None and self._read(pending))
            was_asked, pending = False, reports
            due = time.monotonic() - saved >= self._config.checkpoint.every_seconds
            if is_last or (due and dispatched < end and is_chief(self._strategy)):
                was_asked, pending = self._read(reports), None
                self._save()
                saved = time.monotonic()
            if is_last:
                raise self._preempted()
        if was_asked or (pending is not None and self._read(pending)):
            self._save()
            raise self._preempted()
        return self._epoch_seconds

    def _preempted(self) -> Preempted:
        return Preempted(self._position, self._checkpoints.path(self._name()))

    def _read(self, reports: dict[str, tf.Tensor]) -> bool:
        """Takes in what a call of the train function says; returns whether a process was asked to stop."""
        values = {name: value.numpy() for name, value in reports.items()}
        now = time.monotonic()
        count = len(values["stop"])
        seconds, self._mark = (now - self._mark) / count, now
        self._epoch_seconds += seconds * count
        for i in range(count):
            self._take({name: float(value[i]) for name, value in values.items()}, seconds)
        return bool(values["stop"].any())

    def _take(self, report: dict[str, float], seconds: float) -> None:
        """Takes in one update."""
        self._check_finite(report)
        self._position += 1
        _add(self._totals, report)
        step = Step(
            step=self._position,
            loss=report["sum/loss"] / report["weight/loss"],
            learning_rate=report["learning_rate"],
            gradient_norm=report["gradient_norm"],
            tokens=int(report["tokens"]),
            positions=int(report["positions"]),
            seconds=seconds,
            skipped=bool(report["skipped"]),
        )
        self._skipped += step.skipped
        if (self._position - 1) % self._stride == 0:
            self.history.steps.append(step)
        for listener in self._listeners:
            listener.on_step(step)

    def _finish_epoch(self, train_seconds: float) -> None:
        began = time.monotonic()
        evaluation = _means(self._evaluate())
        if not np.isfinite(evaluation["loss"]):
            raise NotFiniteError(
                f"the eval loss is {evaluation['loss']} after {self._position} updates: lower "
                "optimizer.learning_rate"
            )
        epoch = Epoch(
            epoch=len(self.history.epochs) + 1,
            seconds=train_seconds + time.monotonic() - began,
            train_seconds=train_seconds,
            train=_means(self._totals),
            eval=evaluation,
            skipped=self._skipped,
        )
        self.history.epochs.append(epoch)
        self._totals, self._epoch_seconds, self._skipped = {}, 0.0, 0
        logger.info("epoch %d/%d: %s", epoch.epoch, self._config.epochs, _words(epoch))
        for listener in self._listeners:
            listener.on_epoch(epoch)

    def _evaluate(self) -> dict[str, float]:
        iterator = distribute(self._strategy, self._evaluation, self._eval_plan)
        totals: dict[str, float] = {}
        for _ in range(len(self._eval_plan)):
            reports = self._updates.evaluate(iterator, tf.constant(1))
            _add(totals, {name: float(value.numpy()[0]) for name, value in reports.items()})
        return totals

    def _check_finite(self, report: dict[str, float]) -> None:
        loss = report["sum/loss"] / report["weight/loss"]
        overflow = report["skipped"] and np.isfinite(loss)
        # The scale is that after the call under way, so it may have been the lowest for that one only.
        if np.isfinite(loss) and not (overflow and self._loss_scale.is_exhausted):
            return
        epoch, batch = divmod(self._position, len(self._plan))
        rows = self._plan.epoch(epoch)[batch]
        what = "gradient" if overflow else "loss"
        value = report["gradient_norm"] if overflow else loss
        where = "at the lowest loss scale, " if overflow and self._loss_scale.is_dynamic else ""
        last = self._last_checkpoint
        raise NotFiniteError(
            f"the {what} is {value} in update {self._position + 1} ({where}epoch {epoch + 1}, "
            f"batch {batch + 1}; rows {', '.join(map(str, rows))} of the train split). Last good checkpoint: "
            f"{self._checkpoints.path(last) if last else 'none'}. Lower optimizer.learning_rate, or look for "
            "a broken input in those rows"
        )

    # --- Saving ------------------------------------------------------------------------------------

    def _trackable(self) -> tf.train.Checkpoint:
        variables = [variable.value for variable in self._task.model.variables]
        return tf.train.Checkpoint(
            model=variables, optimizer=self._optimizer, loss_scale=self._loss_scale
        )

    def _name(self) -> str:
        return checkpoint_name(self._position, len(self.history.epochs))

    def _save(self) -> None:
        self._last_checkpoint = self._name()
        if not is_chief(self._strategy):
            return
        state = {
            **dataclasses.asdict(self.history),
            "position": self._position,
            "totals": self._totals,
            "epoch_seconds": self._epoch_seconds,
            "skipped": self._skipped,
            "best": self._best_checkpoint,
        }
        self._checkpoints.save(self._last_checkpoint, state)

    def _restore(self) -> list[np.ndarray]:
        """Goes to the newest checkpoint, if there is one; returns the best weights so far."""
        found = self._checkpoints.newest()
        if found is None:
            return self._task.model.get_weights()
        name, state = found
        self.history = History(
            [Epoch(**epoch) for epoch in state["epochs"]],
            [Step(**step) for step in state["steps"]],
        )
        self._position, self._totals = state["position"], state["totals"]
        self._epoch_seconds, self._skipped = state["epoch_seconds"], state["skipped"]
        self._best_checkpoint, self._last_checkpoint = state["best"], name
        if self._best_checkpoint:
            self._checkpoints.restore(self._best_checkpoint)
        best_weights = self._task.model.get_weights()
        self._checkpoints.restore(name)
        logger.info("going on after update %d of %d", self._position, self._total)
        for listener in self._listeners:
            listener.on_restore(self.history)
        return best_weights

    def _check_agreement(self) -> None:
        """All workers must go on from the same update."""

        def total(position: tf.Tensor) -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, position)

        position = tf.constant(float(self._position), tf.float64)
        result = tf.function(lambda: self._strategy.run(total, args=(position,)))()
        mean = float(self._strategy.experimental_local_results(result)[0])
        mean /= self._strategy.num_replicas_in_sync
        if mean != self._position:
            raise RuntimeError(
                f"this worker goes on after update {self._position}, others do not: all workers must reach "
                "the same folder of checkpoints"
            )


def _add(totals: dict[str, float], report: dict[str, float]) -> None:
    for name, value in report.items():
        if name.startswith(("sum/", "weight/")):
            totals[name] = totals.get(name, 0.0) + value


def _means(totals: dict[str, float]) -> dict[str, float]:
    names = [name.removeprefix("sum/") for name in totals if name.startswith("sum/")]
    return {name: totals[f"sum/{name}"] / totals[f"weight/{name}"] for name in names}


def _words(epoch: Epoch) -> str:
    parts = [
        f"{split} {name} {value:.3f}"
        for split, means in (("train", epoch.train), ("eval", epoch.eval))
        for name, value in means.items()
    ]
    if epoch.skipped:
        parts.append(f"{epoch.skipped} updates skipped")
    return f"{', '.join(parts)} ({epoch.seconds:.0f} s)"
