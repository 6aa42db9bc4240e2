"""The backplane's socket: leases, offers and faults by UDP multicast, for asyncio."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Self

from chassis.can_bus import GROUP, LOOPBACK, open_receiver, open_sender
from chassis.waiting import Mailbox
from contracts import backplane
from contracts.backplane import Datagram
from contracts.errors import MalformedDatagram

_QUEUE = 4096
_PACKET_BYTES = 1400
"""What is sent at one moment goes together up to this: a packet of an ordinary network."""


class BackplaneLink:
    """Use as an async context manager; iterate `datagrams()` in one task. One's own are heard too."""

    def __init__(self, port: int, interface_address: str = LOOPBACK, *, group: str = GROUP) -> None:
        self._address = (group, port, interface_address)
        self._queue: Mailbox[Datagram] = Mailbox(_QUEUE)
        self._unsent: list[bytes] = []
        self.malformed = 0
        """Packets that held anything but datagrams."""
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
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._receiver.fileno(), self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._flush()
        self._loop.remove_reader(self._receiver.fileno())
        self._receiver.close()
        self._sender.close()

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(64):
                payload = self._receiver.recv(4096)
                try:
                    datagrams = backplane.decode(payload)
                except MalformedDatagram:
                    self.malformed += 1
                    continue
                for datagram in datagrams:
                    if not self._queue.put(datagram):
                        self.dropped += 1

    async def datagrams(self) -> AsyncIterator[Datagram]:
        """Yield every datagram on the backplane, for ever."""
        while True:
            yield await self._queue.take()

    def send(self, datagram: Datagram) -> None:
        """Send a datagram in the loop's next turn; the next renewal makes up for one that is refused."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent.append(backplane.encode(datagram))

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        while unsent:
            size = number = 0
            while number < len(unsent) and (not number or size + len(unsent[number]) < _PACKET_BYTES):
                size += len(unsent[number]) + 1
                number += 1
            with contextlib.suppress(OSError):
                self._sender.send(b"\n".join(unsent[:number]))
            del unsent[:number]
