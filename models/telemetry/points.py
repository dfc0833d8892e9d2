"""Updates gathered into points of a curve."""

from models.history import Epoch, Step

_SECONDS = 0.5  # of training a point; what is closer together cannot be told apart in a plot
Scalars = dict[str, float]


class Points:
    """Means over the updates of every half second, so that writing them never holds up training.

    Args:
        flops_per_token: see `models.telemetry.flops.flops_per_token`.
        peak_flops: of all devices together, floating-point operations a second; None if unknown.
    """

    def __init__(self, flops_per_token: float, peak_flops: float | None):
        self._flops_per_token, self._peak_flops = flops_per_token, peak_flops
        self._steps: list[Step] = []
        self._seconds = 0.0

    def add(self, step: Step) -> Scalars | None:
        """Takes in an update.

        Returns:
            The point at this update, by tag, or None if none is due.
        """
        self._steps.append(step)
        self._seconds += step.seconds
        return self.rest() if self._seconds >= _SECONDS else None

    def rest(self) -> Scalars | None:
        """The point of the updates since the last one, None if there is none."""
        steps, seconds = self._steps, self._seconds
        if not steps:
            return None
        self._steps, self._seconds = [], 0.0
        tokens = sum(step.tokens for step in steps)
        positions = sum(step.positions for step in steps)
        norms = [step.gradient_norm for step in steps if not step.skipped]
        point = {
            "train/loss": sum(step.loss for step in steps) / len(steps),
            "train/learning_rate": steps[-1].learning_rate,
            "train/skipped_updates": float(len(steps) - len(norms)),
            "throughput/padding_share": 1 - tokens / positions,
        }
        if norms:
            point["train/gradient_norm"] = sum(norms) / len(norms)
        if seconds > 0:
            point["throughput/tokens_per_second"] = tokens / seconds
            if self._peak_flops:
                point["throughput/mfu"] = (
                    tokens * self._flops_per_token / seconds / self._peak_flops
                )
        return point


def epoch_scalars(epoch: Epoch) -> Scalars:
    """An epoch's means by tag: `train_epoch/…` and `eval/…`."""
    train = {f"train_epoch/{name}": value for name, value in epoch.train.items()}
    return train | {f"eval/{name}": value for name, value in epoch.eval.items()}
