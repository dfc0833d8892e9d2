"""What a training tells of itself: updates, epochs, and who listens."""

import dataclasses
import json
from pathlib import Path
from typing import Protocol

KEPT_STEPS = 2000  # points of the loss curve; a longer one is thinned out evenly


@dataclasses.dataclass(frozen=True)
class Step:
    """One update.

    Attributes:
        step: updates so far, from 1.
        loss: mean over the update's rows.
        learning_rate: of this update.
        gradient_norm: of all gradients together, before clipping.
        tokens: ids of the update's rows, padding not counted.
        positions: the same with padding.
        seconds: since the update before.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    positions: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Epoch:
    """One epoch's means.

    Attributes:
        epoch: counted from 1.
        seconds: wall time of training and evaluation.
        train_seconds: of training alone.
        train: means over the epoch's batches, by metric name.
        eval: means over the eval split.
    """

    epoch: int
    seconds: float
    train_seconds: float
    train: dict[str, float]
    eval: dict[str, float]


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
        """Writes JSON, `{"epochs": […], "steps": […]}`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(dataclasses.asdict(self), indent=1) + "\n")
        part.rename(path)


class Listener(Protocol):
    """Is told how a training goes."""

    def on_step(self, step: Step) -> None:
        """An update was made."""

    def on_epoch(self, epoch: Epoch) -> None:
        """An epoch was finished and evaluated."""

    def close(self) -> None:
        """Training has ended, however."""
