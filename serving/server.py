"""`python -m serving.server`: a development stand-in for tensorflow_model_server.

One process. gRPC and REST share one event loop in a thread of its own; graphs run in a pool of
threads or in the batching queue's; one thread watches for new versions, one for a new
configuration; the main thread waits for SIGTERM or SIGINT.
"""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from serving.errors import ServingError
from serving.flags import ServerFlags, parse_flags
from serving.listening import bound_socket
from serving.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from serving.frontend import Frontend

_log = logging.getLogger("serving.server")


def main(argv: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        0 after a clean stop, 1 if a port, a file or a model could not be had.
    """
    flags = parse_flags(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("serving").setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with serving(flags, stop):
            # What is there now stays: later collections, after a swap, look at the rest only.
            gc.collect()
            gc.freeze()
            stop.wait()
            _log.info("Stopping: the requests under way have some seconds to end ...")
    except (ServingError, OSError) as error:
        _log.error("Failed to start server. Error: %s", error)
        return 1
    return 0


@contextlib.contextmanager
def serving(flags: ServerFlags, stop: threading.Event) -> Iterator["Frontend | None"]:
    """Loads the models and serves them for the time of a `with` block.

    Yields:
        What listens, or None if `stop` was set before all models had loaded.

    Raises:
        OSError: if a port is taken.
        ServingError: if a file of the flags can't be used, or a model does not load.
    """
    with contextlib.ExitStack() as stack:
        # Taken before the seconds that TensorFlow needs, so that a port in use is said at once.
        rest_socket = None
        if flags.rest_api_port:
            rest_socket = stack.enter_context(bound_socket(flags.bind_address, flags.rest_api_port))
        # Imported here, and not above: --help and a wrong flag need not wait for TensorFlow, and
        # its settings hold only if made before it.
        quiet_tensorflow()
        from serving import assembly

        parts = assembly.Parts(flags)
        stack.enter_context(parts.models(stop))
        if stop.is_set():
            yield None
        else:
            yield stack.enter_context(parts.frontend(rest_socket))


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Not sys.exit, which waits for all threads: a graph that runs without end has one.
    os._exit(code)
