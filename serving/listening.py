"""Taking a port."""

import socket


def bound_socket(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: with what to do, if the port is taken.
    """
    try:
        return socket.create_server((address, port), backlog=2048)
    except OSError as error:
        raise OSError(
            f"--rest_api_port: can't listen on {address}:{port} ({error.strerror}); "
            "give a free port"
        ) from error
