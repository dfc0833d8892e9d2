"""Training curves for TensorBoard."""

import time
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from models.history import Epoch, History, Step
from models.telemetry.points import Points, Scalars, epoch_scalars


class TensorBoard:
    """Writes scalars; the x axis is the number of updates in all of them, those of epochs too.

    A resumed run writes the whole curve again, so that it is whole in any folder. Lest it show twice in that
    of the attempt before, the events file begins with a session start at its first update: TensorBoard drops
    what older files have from there on. `tf.summary` cannot write that, so the writer is TensorBoard's own.
    It writes in a thread of its own.

    Args:
        folder: gets the events file.
        points: how updates become points.
        steps_per_epoch: updates in an epoch.
    """

    def __init__(self, folder: str | Path, points: Points, steps_per_epoch: int):
        self._writer = EventFileWriter(str(folder))
        self._points, self._steps_per_epoch = points, steps_per_epoch
        self._is_started = False
        self._last = 0

    def on_restore(self, history: History) -> None:
        """Writes the curve so far."""
        history.replay(self, self._steps_per_epoch)

    def on_step(self, step: Step) -> None:
        """Writes a point if one is due."""
        self._start(step.step)
        self._last = step.step
        self._write(self._points.add(step), step.step)

    def on_epoch(self, epoch: Epoch) -> None:
        """Writes the epoch's means at its last update."""
        last = epoch.epoch * self._steps_per_epoch
        self._start(last)
        self._write(self._points.rest(), last)
        self._write(epoch_scalars(epoch), last)
        self._writer.flush()

    def close(self) -> None:
        """Writes what is left."""
        self._write(self._points.rest(), self._last)
        self._writer.close()

    def _start(self, step: int) -> None:
        if not self._is_started:
            self._is_started = True
            start = SessionLog(status=SessionLog.START)
            self._writer.add_event(Event(wall_time=time.time(), step=step, session_log=start))

    def _write(self, scalars: Scalars | None, step: int) -> None:
        if scalars:
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
            event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
            self._writer.add_event(event)
