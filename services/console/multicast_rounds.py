"""Many multicast sockets, read in rounds: what came since the last round, of one socket after the other.

With a thousand buses a wake-up of the loop for each datagram costs more than all else that is done with it.
"""

import asyncio
import selectors
import socket
from collections.abc import Callable
from typing import cast

from chassis.can_bus import GROUP, drops, open_receiver

ROUND_S = 0.02
IDLE_ROUND_S = 0.1
"""While nobody watches: what is heard is a tenth of a second older then, at most."""
_DATAGRAMS = 256  # of one socket in a round, so that a flood cannot hold the loop
_MAX_DATAGRAM = 4096


class MulticastRounds:
    """Calls the receiver of each port with every datagram that is heard there.

    `watched` says whether somebody waits for it.
    """

    def __init__(self, interface_address: str, watched: Callable[[], bool] = lambda: True) -> None:
        self._interface = interface_address
        self._watched = watched
        self._selector = selectors.DefaultSelector()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel had no room for, because a flood came faster than the rounds."""
        open_now = self._selector.get_map() or {}  # None once it was closed
        return self._dropped + sum(drops(cast(socket.socket, key.fileobj)) for key in open_now.values())

    def open(self, port: int, receive: Callable[[bytes], None]) -> socket.socket:
        """Begin to hear a port, until the socket that is returned is closed by `close`; raises OSError."""
        receiver = open_receiver(GROUP, port, self._interface)
        self._selector.register(receiver, selectors.EVENT_READ, receive)
        return receiver

    def close(self, receiver: socket.socket) -> None:
        """Hear a port no longer."""
        self._selector.unregister(receiver)
        self._dropped += drops(receiver)
        receiver.close()

    async def run(self) -> None:
        """Read for ever; all sockets are closed in the end."""
        try:
            while True:
                self._round()
                await asyncio.sleep(ROUND_S if self._watched() else IDLE_ROUND_S)
        finally:
            for key in list(self._selector.get_map().values()):
                self.close(cast(socket.socket, key.fileobj))
            self._selector.close()

    def _round(self) -> None:
        for key, _ in self._selector.select(0):
            receiver = cast(socket.socket, key.fileobj)
            receive, hear = receiver.recv, key.data
            for _ in range(_DATAGRAMS):
                try:
                    datagram = receive(_MAX_DATAGRAM)
                except OSError:  # nothing more to read, or closed by what was just received
                    break
                hear(datagram)
