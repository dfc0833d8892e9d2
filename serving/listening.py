"""Taking a port."""

import socket


def bound_socket(address: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
        OSError: with what to do, if the port is taken.
    """
    try:
        # By getaddrinfo, which says that the protocol is TCP: asyncio sets TCP_NODELAY only on
        # sockets that know it, and without that an answer may wait 40 ms for an acknowledgement.
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(where)
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise OSError(
            f"--rest_api_port: can't listen on {address}:{port} ({error.strerror}); "
            "give a free port"
        ) from error
    return listener
