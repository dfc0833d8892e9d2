"""Runs calls for the event loop: in a pool of threads, or through the batching queue."""

import asyncio
import time
from concurrent import futures
from typing import Any

from serving.batching import Batcher
from serving.calls import Call
from serving.errors import resource_exhausted
from serving.metrics import Metrics


class Runner:
    """Answers calls, a bounded number at once.

    Args:
        threads: runs of graphs at once. TensorFlow spreads one run over all cores by itself.
        max_calls: calls under way at once, those that wait included.
        batcher: the batching queue, or None to run each call by itself.
        metrics: where runs are counted.
    """

    def __init__(self, threads: int, max_calls: int, batcher: Batcher | None, metrics: Metrics):
        self._pool = futures.ThreadPoolExecutor(threads, thread_name_prefix="model")
        self._batcher = batcher
        self._metrics = metrics
        self._max_calls = max_calls
        self._under_way = 0  # touched by the event loop's thread only

    async def run(self, call: Call, deadline: float | None) -> Any:
        """Runs a call and makes its response.

        Args:
            call: what to run.
            deadline: when its client gives up, in seconds of time.monotonic().

        Raises:
            ServingError: RESOURCE_EXHAUSTED with too many calls under way, else what the run or
                the call raises.
        """
        if self._under_way >= self._max_calls:
            raise resource_exhausted(
                f"{self._max_calls} requests are under way, the most this server takes at once "
                "(--max_concurrent_requests): try again later"
            )
        self._under_way += 1
        start = time.monotonic()
        try:
            fetched = await asyncio.wrap_future(self._submit(call, deadline))
        finally:
            self._under_way -= 1
        self._metrics.ran(call.servable.name, call.api, time.monotonic() - start)
        return call.respond(fetched)

    def stop(self) -> None:
        """Ends the threads, without waiting for runs whose clients have been let go."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._batcher:
            self._batcher.stop()

    def _submit(self, call: Call, deadline: float | None) -> futures.Future:
        if self._batcher is not None and _has_rows(call):
            return self._batcher.submit(call, deadline)
        return self._pool.submit(call.servable.run, call.feeds, call.fetches, deadline)


def _has_rows(call: Call) -> bool:
    """False for a batch of no rows, which has nothing to be joined with."""
    return not all(array.ndim and not len(array) for array in call.feeds.values())
