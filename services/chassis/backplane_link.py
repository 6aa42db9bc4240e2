"""The backplane's socket: leases, offers and faults by UDP multicast, for asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from chassis.can_bus import GROUP, LOOPBACK, open_receiver, open_sender
from contracts import backplane
from contracts.backplane import Datagram
from contracts.errors import MalformedDatagram

_QUEUE = 4096


class BackplaneLink:
    """Use as an async context manager; iterate `datagrams()` in one task. One's own are heard too."""

    def __init__(self, port: int, interface_address: str = LOOPBACK, *, group: str = GROUP) -> None:
        self._address = (group, port, interface_address)
        self._queue: asyncio.Queue[Datagram] = asyncio.Queue(_QUEUE)
        self.malformed = 0
        self.dropped = 0
        """Datagrams that arrived while the queue was full."""

    async def __aenter__(self) -> Self:
        """Open both sockets; raises OSError when the interface is not there."""
        self._receiver = open_receiver(*self._address)
        try:
            self._sender = open_sender(*self._address)
        except OSError:
            self._receiver.close()
            raise
        asyncio.get_running_loop().add_reader(self._receiver.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._receiver.fileno())
        self._receiver.close()
        self._sender.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                payload = self._receiver.recv(4096)
                try:
                    self._queue.put_nowait(backplane.decode(payload))
                except MalformedDatagram:
                    self.malformed += 1
                except asyncio.QueueFull:
                    self.dropped += 1

    async def datagrams(self) -> AsyncIterator[Datagram]:
        """Yield every datagram on the backplane, for ever."""
        while True:
            yield await self._queue.get()

    def send(self, datagram: Datagram) -> None:
        """Send a datagram; one that the kernel refuses is made up for by the next renewal."""
        with contextlib.suppress(OSError):
            self._sender.send(backplane.encode(datagram))
