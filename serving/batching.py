"""Batching in the runtime: requests that arrive together run through the graph together.

The rules are those of TensorFlow Serving's BatchingSession and its SharedBatchScheduler: one queue
for each set of fed and fetched tensors of a version, a pool of threads shared by all queues; a
batch runs when a thread is free and the batch is full or its first request has waited long enough.

One thing is better than there: when a batch fails, its requests run once more, each alone, so
that an error reaches only the request that has caused it.
"""

import collections
import dataclasses
import threading
import time
import weakref
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import grpc
import numpy as np

from serving.calls import Call
from serving.errors import ServingError, invalid_argument, resource_exhausted
from serving.metrics import Metrics
from serving.servable import Servable


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """TensorFlow Serving's BatchingParameters, with its defaults.

    Attributes:
        max_batch_size: rows of one run.
        batch_timeout_micros: how long the first request of a batch waits for others.
        max_enqueued_batches: of a queue, before requests are turned away.
        num_batch_threads: runs at once, of all queues together.
        allowed_batch_sizes: a batch is filled up to the next of these; none: any size.
        pad_variable_length_inputs: make shapes equal with each tensor's own first value.
    """

    num_batch_threads: int
    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False

    @classmethod
    def from_proto(cls, proto: Any, default_threads: int) -> "BatchingParameters":
        """Of a BatchingParameters message.

        Raises:
            ServingError: INVALID_ARGUMENT for numbers that make no sense.
        """
        wrapped = ("num_batch_threads", "max_batch_size", "batch_timeout_micros")
        given = {
            name: getattr(proto, name).value
            for name in (*wrapped, "max_enqueued_batches")
            if proto.HasField(name)
        }
        parameters = cls(
            **{"num_batch_threads": default_threads, **given},
            allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
            pad_variable_length_inputs=proto.pad_variable_length_inputs,
        )
        parameters._check()
        return parameters

    def _check(self) -> None:
        for name in ("num_batch_threads", "max_batch_size", "max_enqueued_batches"):
            if getattr(self, name) < 1:
                raise invalid_argument(f"{name} must be positive; was {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise invalid_argument(
                f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}"
            )
        sizes = self.allowed_batch_sizes
        if any(a >= b for a, b in zip((0, *sizes), sizes, strict=False)):
            raise invalid_argument("allowed_batch_sizes entries must be monotonically increasing")
        if sizes and sizes[-1] != self.max_batch_size:
            raise invalid_argument(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}"
            )

    def rounded(self, rows: int) -> int:
        """The size that a batch of so many rows is filled up to."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)


@dataclasses.dataclass(frozen=True)
class _Task:
    call: Call
    rows: int
    deadline: float | None
    enqueued: float
    outcome: "futures.Future[list[np.ndarray]]"


@dataclasses.dataclass
class _Batch:
    tasks: list[_Task] = dataclasses.field(default_factory=list)
    rows: int = 0

    def add(self, task: _Task) -> None:
        self.tasks.append(task)
        self.rows += task.rows


# The batches of one queue, in the order of arrival; only the last may still grow.
_Queue = collections.deque[_Batch]


class Batcher:
    """Queues calls and runs them in batches, in threads of its own.

    Args:
        parameters: sizes and waits.
        metrics: where batch sizes and waits are counted.
    """

    def __init__(self, parameters: BatchingParameters, metrics: Metrics):
        self._parameters = parameters
        self._metrics = metrics
        self._changed = threading.Condition()
        # By version, weakly: a version that is let go takes its queues along.
        self._queues: weakref.WeakKeyDictionary[Servable, dict[tuple, _Queue]]
        self._queues = weakref.WeakKeyDictionary()
        self._waiting: dict[int, _Queue] = {}  # queues with a batch, least recently served first
        self._stopped = False
        for number in range(parameters.num_batch_threads):
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True).start()

    def stop(self) -> None:
        """Ends the threads, which first run what is queued; does not wait for them."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def submit(
        self, call: Call, deadline: float | None = None
    ) -> "futures.Future[list[np.ndarray]]":
        """Queues a call; the future has its fetched tensors, or a ServingError.

        Args:
            call: what to run; its feeds' first dimension is the rows.
            deadline: when nobody waits any more, in seconds of time.monotonic().

        Raises:
            ServingError: INVALID_ARGUMENT for feeds that have no common number of rows, or more
                than a batch holds; UNAVAILABLE if the queue is full.
        """
        limit = self._parameters.max_batch_size
        rows = _rows(call)
        if rows > limit:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {limit}"
            )
        task = _Task(call, rows, deadline, time.monotonic(), futures.Future())
        self._metrics.batching_input_size(rows)
        with self._changed:
            queue = self._queue(call)
            begins = not queue or queue[-1].rows + rows > limit
            if begins:
                self._check_room(queue)
                queue.append(_Batch())
            queue[-1].add(task)
            self._waiting.setdefault(id(queue), queue)
            if begins or queue[-1].rows == limit:  # else whoever waits for this batch goes on
                self._changed.notify()
        return task.outcome

    def _queue(self, call: Call) -> _Queue:
        queues = self._queues.setdefault(call.servable, {})
        return queues.setdefault((frozenset(call.feeds), tuple(call.fetches)), collections.deque())

    def _check_room(self, queue: _Queue) -> None:
        if len(queue) >= self._parameters.max_enqueued_batches:
            raise ServingError(
                grpc.StatusCode.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently "
                f"{len(queue)} batches enqueued and max_enqueued_batches is "
                f"{self._parameters.max_enqueued_batches}",
            )

    # Below: the batch threads.

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            self._run(batch.tasks)
            del batch  # or an idle thread would keep a version that is let go

    def _next(self) -> _Batch | None:
        """Waits for a batch that is due; None when there will be no more."""
        with self._changed:
            while True:
                batch, wait = self._due()
                if batch is not None or (self._stopped and not self._waiting):
                    return batch
                self._changed.wait(wait)

    def _due(self) -> tuple[_Batch | None, float | None]:
        """A batch to run now, else the seconds until the first one is due."""
        now, soonest = time.monotonic(), None
        for key, queue in self._waiting.items():
            first = queue[0]
            due = first.tasks[0].enqueued + self._parameters.batch_timeout_micros / 1e6
            full = len(queue) > 1 or first.rows >= self._parameters.max_batch_size
            if full or due <= now or self._stopped:
                queue.popleft()
                del self._waiting[key]
                if queue:  # again at the end: queues take turns
                    self._waiting[key] = queue
                return first, None
            soonest = due if soonest is None else min(soonest, due)
        return None, None if soonest is None else soonest - now

    def _run(self, tasks: Sequence[_Task]) -> None:
        now = time.monotonic()
        live = []
        for task in tasks:
            self._metrics.batching_queued(now - task.enqueued)
            if not task.outcome.set_running_or_notify_cancel():
                continue  # its client has gone
            if task.deadline is not None and task.deadline <= now:
                task.outcome.set_exception(
                    resource_exhausted("Run() timeout exceeded while waiting in batching queue")
                )
            else:
                live.append(task)
        if live:
            self._run_live(live)

    def _run_live(self, tasks: Sequence[_Task]) -> None:
        try:
            results = self._run_together(tasks)
        except Exception as error:  # whatever it is, whoever waits must be told
            if len(tasks) == 1:
                tasks[0].outcome.set_exception(error)
                return
            for task in tasks:
                self._run_live([task])
            return
        for task, result in zip(tasks, results, strict=True):
            task.outcome.set_result(result)

    def _run_together(self, tasks: Sequence[_Task]) -> list[list[np.ndarray]]:
        call = tasks[0].call
        rows = sum(task.rows for task in tasks)
        size = self._parameters.rounded(rows)
        self._metrics.batching_processed_size(size, size - rows)
        feeds = {
            name: _joined(
                [task.call.feeds[name] for task in tasks],
                size - rows,
                self._parameters.pad_variable_length_inputs,
            )
            for name in call.feeds
        }
        deadlines = [task.deadline for task in tasks]
        deadline = None if None in deadlines else max(deadlines)  # type: ignore[type-var]
        fetched = call.servable.run(feeds, call.fetches, deadline)
        for array in fetched:
            _check_output(array, size)
        bounds = np.cumsum([task.rows for task in tasks])[:-1]
        split = [np.split(array[:rows], bounds) for array in fetched]
        return [list(parts) for parts in zip(*split, strict=True)]


def _rows(call: Call) -> int:
    if not call.feeds:
        raise invalid_argument("Batching Run() must have at least one input tensor")
    if not all(array.ndim for array in call.feeds.values()):
        raise invalid_argument("Batching Run() input tensors must have at least one dimension")
    rows = {len(array) for array in call.feeds.values()}
    if len(rows) > 1:
        raise invalid_argument("Batching Run() input tensors must have equal 0th-dimension size")
    return rows.pop()


def _joined(arrays: Sequence[np.ndarray], padding_rows: int, pad: bool) -> np.ndarray:
    """The arrays one after the other, then copies of the last one's first row."""
    shapes = {array.shape[1:] for array in arrays}
    if len(shapes) > 1:
        if not pad or len({len(shape) for shape in shapes}) > 1:
            raise ServingError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "Tensors with the same name from different tasks have different shapes and padding "
                "is turned off. Set pad_variable_length_inputs to true, or ensure that all tensors "
                "with the same name have equal dimensions starting with the first dim.",
            )
        longest = np.max(list(shapes), axis=0)
        arrays = [_padded(array, longest) for array in arrays]
    parts = [*arrays, *[arrays[-1][:1]] * padding_rows]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _padded(array: np.ndarray, longest: np.ndarray) -> np.ndarray:
    if not array.size:
        raise invalid_argument("Got empty tensor in batch of non-empty tensors.")
    widths = [
        (0, 0),
        *((0, int(n) - size) for n, size in zip(longest, array.shape[1:], strict=True)),
    ]
    return np.pad(array, widths, constant_values=array.flat[0])


def _check_output(array: np.ndarray, size: int) -> None:
    if array.ndim == 0:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions"
        )
    if len(array) != size:
        raise ServingError(
            grpc.StatusCode.FAILED_PRECONDITION,
            "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension "
            "sizes of the input tensors",
        )
