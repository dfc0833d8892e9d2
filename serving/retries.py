"""When a request is sent again, and how long that may go on."""

import random
import time
from collections.abc import Iterator

_MOST_TRIES = 6
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


class Deadline:
    """A point in time by which an answer is wanted.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float):
        self._end = time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """Not less than 0."""
        return max(0.0, self._end - time.monotonic())

    def tries(self) -> Iterator[int]:
        """1 to 6, with a pause before each but the first, twice as long each time, until the end.

        The pauses are spread at random (full jitter), or all clients of a server that comes back
        would ask it in the same moment.
        """
        pause = _FIRST_PAUSE_SECONDS
        yield 1
        for number in range(2, _MOST_TRIES + 1):
            wait = random.uniform(0, pause)
            if wait >= self.seconds_left:
                return
            time.sleep(wait)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            yield number
