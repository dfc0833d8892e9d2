"""What a person sees of a training while it runs."""

import logging

from models.history import Epoch, History, Step

logger = logging.getLogger("sciformer.training")

_SECONDS = 5.0  # between two lines


class Progress:
    """Logs a line every 5 s of training, at DEBUG.

    The record's attributes `completed` and `total` (updates) are for a progress bar.

    Args:
        total_steps: updates in all epochs.
        epochs: how many.
    """

    def __init__(self, total_steps: int, epochs: int):
        self._total, self._epochs = total_steps, epochs
        self._tokens, self._seconds = 0, 0.0  # since the last line
        self._timed, self._timed_seconds = 0, 0.0  # updates, and how long they took
        self._is_first = True

    def on_restore(self, history: History) -> None:
        """The training loop itself says where it goes on."""

    def on_step(self, step: Step) -> None:
        """Logs a line if one is due."""
        self._tokens += step.tokens
        self._seconds += step.seconds
        if not self._is_first:  # that one is slower: it builds the graph
            self._timed += 1
            self._timed_seconds += step.seconds
        self._is_first = False
        if self._seconds >= _SECONDS:
            self._say(step)
            self._tokens, self._seconds = 0, 0.0

    def on_epoch(self, epoch: Epoch) -> None:
        """The training loop itself logs epochs."""

    def close(self) -> None:
        """Nothing is left open."""

    def _say(self, step: Step) -> None:
        epoch = -(-step.step * self._epochs // self._total)
        words = (
            f"epoch {epoch}/{self._epochs}, step {step.step}/{self._total}, loss {step.loss:.2f}, "
            f"{self._tokens / self._seconds:,.0f} tokens/s"
        )
        if self._timed:
            left = (self._total - step.step) * self._timed_seconds / self._timed
            words += f", {duration(left)} left"
        logger.debug(words, extra={"completed": step.step, "total": self._total})


def duration(seconds: float) -> str:
    """A time in words, as "45 s", "2 min 10 s" or "3 h 05 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"
