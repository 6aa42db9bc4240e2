"""Many multicast sockets, read in rounds: what came since the last round, of one socket after the other.

With a thousand buses a wake-up of the loop for each datagram costs more than all else that is done with it.
"""

import selectors
import socket
import struct
from collections.abc import Callable
from typing import Any, cast

from chassis.can_bus import GROUP, open_receiver
from chassis.process import every

ROUND_S = 0.02
_DATAGRAMS = 256  # of one socket in a round, so that a flood cannot hold the loop
_MAX_DATAGRAM = 4096
_SO_MEMINFO, _MEMINFO, _DROPS = 55, struct.Struct("9I"), 8  # Linux; not named by the socket module


class MulticastRounds:
    """Calls the receiver of each port with every datagram that is heard there."""

    def __init__(self, interface_address: str) -> None:
        self._interface = interface_address
        self._selector = selectors.DefaultSelector()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel had no room for, because a flood came faster than the rounds."""
        open_now = self._selector.get_map() or {}  # None once it was closed
        return self._dropped + sum(_drops(key.fileobj) for key in open_now.values())

    def open(self, port: int, receive: Callable[[bytes], None]) -> socket.socket:
        """Begin to hear a port, until the socket that is returned is closed by `close`; raises OSError."""
        receiver = open_receiver(GROUP, port, self._interface)
        self._selector.register(receiver, selectors.EVENT_READ, receive)
        return receiver

    def close(self, receiver: socket.socket) -> None:
        """Hear a port no longer."""
        self._selector.unregister(receiver)
        self._dropped += _drops(receiver)
        receiver.close()

    async def run(self) -> None:
        """Read for ever; all sockets are closed in the end."""
        try:
            await every(ROUND_S, self._round)
        finally:
            for key in list(self._selector.get_map().values()):
                self.close(cast(socket.socket, key.fileobj))
            self._selector.close()

    def _round(self) -> None:
        for key, _ in self._selector.select(0):
            receiver = cast(socket.socket, key.fileobj)
            for _ in range(_DATAGRAMS):
                try:
                    datagram = receiver.recv(_MAX_DATAGRAM)
                except OSError:  # nothing more to read, or closed by what was just received
                    break
                key.data(datagram)


def _drops(receiver: Any) -> int:
    try:
        told = receiver.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
    except OSError:  # another system than Linux: not known
        return 0
    return int(_MEMINFO.unpack(told)[_DROPS]) if len(told) == _MEMINFO.size else 0
