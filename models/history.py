"""What a training tells of itself: updates, epochs, and who listens."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, Protocol

from models.whole_file import write_whole_file

KEPT_STEPS = 2000  # points of the loss curve; a longer one is thinned out evenly


@dataclasses.dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        step: updates so far, from 1.
        loss: mean over the update's rows.
        learning_rate: of this update.
        gradient_norm: of all gradients together, before clipping; infinite or NaN where it was skipped.
        tokens: ids of the update's rows, padding not counted.
        positions: the same with padding.
        seconds: since the update before.
        skipped: float16 overflowed, so no weight was changed.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    positions: int
    seconds: float
    skipped: bool = False


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One epoch's means.

    Attributes:
        epoch: counted from 1.
        seconds: wall time of training and evaluation.
        train_seconds: of training alone.
        train: means over the epoch's batches, by metric name.
        eval: means over the eval split.
        skipped: updates that float16's overflow left out.
    """

    epoch: int
    seconds: float
    train_seconds: float
    train: dict[str, float]
    eval: dict[str, float]
    skipped: int = 0


@dataclasses.dataclass
class History:
    """What happened, in order.

    Attributes:
        epochs: every finished epoch.
        steps: every update, or an even selection of at most 2,000.
    """

    epochs: list[Epoch] = dataclasses.field(default_factory=list)
    steps: list[Step] = dataclasses.field(default_factory=list)

    @property
    def best(self) -> Epoch:
        """The first epoch of least eval loss."""
        return min(self.epochs, key=lambda epoch: epoch.eval["loss"])

    def write(self, path: Path) -> None:
        """Writes JSON, `{"epochs": […], "steps": […]}`; null stands for a number that is not finite."""
        values = _finite(dataclasses.asdict(self))
        write_whole_file(path, json.dumps(values, indent=1, allow_nan=False) + "\n")

    def replay(self, listener: "Listener", steps_per_epoch: int) -> None:
        """Tells a listener of everything again, in the order in which it happened."""
        waiting = list(self.epochs)
        for step in self.steps:
            while waiting and waiting[0].epoch * steps_per_epoch < step.step:
                listener.on_epoch(waiting.pop(0))
            listener.on_step(step)
        for epoch in waiting:
            listener.on_epoch(epoch)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class Listener(Protocol):
    """Is told how a training goes."""

    def on_restore(self, history: History) -> None:
        """Training goes on from a checkpoint, after what `history` has."""

    def on_step(self, step: Step) -> None:
        """An update was made."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch was finished and evaluated."""

    def close(self) -> None:
        """Training has ended, however."""
