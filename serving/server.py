"""`python -m serving.server`: a development stand-in for tensorflow_model_server.

One process: gRPC in a thread pool, REST in uvicorn's own thread, one thread that watches for new
versions; the main thread waits for SIGTERM or SIGINT.
"""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from typing import TYPE_CHECKING

from serving.errors import ServingError
from serving.flags import ServerFlags, parse_flags
from serving.quiet import quiet_tensorflow

if TYPE_CHECKING:
    from serving.model_manager import ModelManager

_log = logging.getLogger("serving.server")

_GRACE_SECONDS = 10  # for requests under way when the server is asked to stop


def main(argv: list[str] | None = None) -> int:
    """Serves until SIGTERM or SIGINT.

    Returns:
        0 after a clean stop, 1 if a port or the model could not be had.
    """
    flags = parse_flags(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(levelname)s %(message)s", level=logging.WARNING)
    logging.getLogger("serving").setLevel(logging.INFO)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        serve(flags, stop)
    except (ServingError, OSError) as error:
        _log.error("Failed to start server. Error: %s", error)
        return 1
    return 0


def serve(flags: ServerFlags, stop: threading.Event) -> None:
    """Loads the model, serves it, and returns some seconds after `stop` is set.

    Raises:
        OSError: if a port is taken.
        ServingError: if the first version of the model does not load.
    """
    with contextlib.ExitStack() as stack:
        # Taken before the seconds that TensorFlow needs, so that a port in use is said at once.
        rest_socket = stack.enter_context(_bound_socket(flags)) if flags.rest_api_port else None
        manager = stack.enter_context(_manager(flags, stop))
        if stop.is_set():
            return
        stack.enter_context(_grpc(flags, manager))
        if rest_socket is not None:
            stack.enter_context(_rest(rest_socket, manager))
        stop.wait()
        _log.info("Stopping: up to %s s for the requests under way ...", _GRACE_SECONDS)


def _bound_socket(flags: ServerFlags) -> socket.socket:
    try:
        return socket.create_server((flags.bind_address, flags.rest_api_port), backlog=2048)
    except OSError as error:
        raise OSError(
            f"--rest_api_port: can't listen on {flags.bind_address}:{flags.rest_api_port} "
            f"({error.strerror}); give a free port"
        ) from error


@contextlib.contextmanager
def _manager(flags: ServerFlags, stop: threading.Event) -> Iterator["ModelManager"]:
    # Imported here, and not above: --help and a wrong flag need not wait for TensorFlow, and these
    # settings hold only if made before it.
    quiet_tensorflow()
    import tensorflow as tf

    from serving.model_manager import ModelManager

    threads = flags.tensorflow_session_parallelism
    tf.config.threading.set_intra_op_parallelism_threads(
        flags.tensorflow_intra_op_parallelism or threads
    )
    tf.config.threading.set_inter_op_parallelism_threads(
        flags.tensorflow_inter_op_parallelism or threads
    )
    manager = ModelManager(flags)
    manager.start()
    try:
        manager.wait_until_available(stop)
        yield manager
    finally:
        manager.stop()


@contextlib.contextmanager
def _grpc(flags: ServerFlags, manager: "ModelManager") -> Iterator[None]:
    import grpc
    from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

    from serving import grpc_services

    server = grpc.server(
        futures.ThreadPoolExecutor(4 * (os.cpu_count() or 1), thread_name_prefix="grpc"),
        options=[
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),  # or two servers would share a port, each in half the answers
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        grpc_services.PredictionService(manager), server
    )
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(
        grpc_services.ModelService(manager), server
    )
    try:
        port = server.add_insecure_port(f"{flags.bind_address}:{flags.port}")
    except RuntimeError as error:
        raise OSError(
            f"--port: can't listen on {flags.bind_address}:{flags.port}; give a free port"
        ) from error
    server.start()
    _log.info("Running gRPC ModelServer at %s:%s ...", flags.bind_address, port)
    try:
        yield
    finally:
        server.stop(_GRACE_SECONDS).wait()


@contextlib.contextmanager
def _rest(listener: socket.socket, manager: "ModelManager") -> Iterator[None]:
    import uvicorn

    from serving.rest_api import create_app

    config = uvicorn.Config(
        create_app(manager),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    # Not in the main thread, where uvicorn would take over the signals.
    thread = threading.Thread(target=server.run, args=([listener],), name="rest", daemon=True)
    thread.start()
    # The socket listens already: a request sent now waits there for uvicorn.
    host, port = listener.getsockname()[:2]
    _log.info("Exporting HTTP/REST API at:%s:%s ...", host, port)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
