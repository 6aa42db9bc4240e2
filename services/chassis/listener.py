"""A listening TCP socket, or words for why there is none."""

import errno
import socket


def listener(bind: str, port: int) -> socket.socket:
    """Return a socket that listens; raises OSError naming the port and what is wrong with it."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        reason = "is taken by another program" if taken else f"cannot be had: {error.strerror or error}"
        raise OSError(error.errno, f"port {port} on {bind} {reason}") from error
