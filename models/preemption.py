"""SIGTERM as a request to save and end, which is how schedulers announce that they take a machine away."""

import signal
import threading
from types import FrameType, TracebackType

EXIT_PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: try again later


class Preempted(Exception):
    """Training was asked to end, and has saved itself.

    Attributes:
        checkpoint: where.
    """

    def __init__(self, updates: int, checkpoint: str):
        super().__init__(
            f"SIGTERM after {updates} updates; saved to {checkpoint}. Start the same run again to go on"
        )
        self.checkpoint = checkpoint


class PreemptionFlag:
    """Is raised by SIGTERM inside a `with` block, instead of the process being ended.

    Outside a process's main thread Python cannot listen to signals; the flag then stays down.
    """

    def __init__(self) -> None:
        self.is_raised = False

    def __enter__(self) -> "PreemptionFlag":
        """Begins to listen."""
        self._listens = threading.current_thread() is threading.main_thread()
        if self._listens:
            self._before = signal.signal(signal.SIGTERM, self._raise)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._listens:
            signal.signal(signal.SIGTERM, self._before)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.is_raised = True
