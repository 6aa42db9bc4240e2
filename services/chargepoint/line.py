"""The way to the CSMS, and what injections make of it: late, lossy, doubling, or cut.

A network's faults are emulated here, at the charge point's edge, message by message: TCP below would hide
lost and doubled packets, but not the gateways and proxies that lose or repeat whole messages.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from websockets.asyncio.client import ClientConnection

from chassis.quick_connection import QuickConnection
from chassis.waiting import Signal
from contracts.injections import Network

_NONE_YET = random.Random(0)  # 2.5 kB: one for all who never draw


class Socket(QuickConnection, ClientConnection):
    """A WebSocket to the CSMS."""


@dataclass(slots=True)
class Line:
    """What is in force on the way to the CSMS; outlives connections and Resets."""

    networks: dict[UUID, Network] = field(default_factory=dict)
    """Oldest first; the last one counts."""
    draws: random.Random = field(default_factory=lambda: _NONE_YET)
    """Each injection brings its own."""
    _cuts: set[UUID] = field(default_factory=set)
    _whole: Signal = field(default_factory=Signal)
    _connection: Socket | None = None

    def cut(self, injection_id: UUID) -> None:
        """Cut it: the connection is gone without a farewell, and none can be made."""
        self._cuts.add(injection_id)
        if self._connection is not None:
            self._connection.transport.abort()

    def mend(self, injection_id: UUID) -> None:
        """Undo a cut."""
        self._cuts.discard(injection_id)
        if not self._cuts:
            self._whole.set()

    async def whole(self) -> None:
        """Wait until it is not cut."""
        while self._cuts:
            self._whole.clear()
            await self._whole.wait()

    def over(self, connection: Socket) -> "LineConnection":
        """Return the connection as it is over this line."""
        self._connection = connection
        if self._cuts:  # it was opened while the cut came
            connection.transport.abort()
        return LineConnection(self, connection)

    def fate(self) -> tuple[float, int]:
        """Return how late the next message comes, and how many times."""
        if not self.networks:
            return 0.0, 1
        network = list(self.networks.values())[-1]
        if self.draws.random() < network.drop_share:
            return network.delay_s, 0
        return network.delay_s, 2 if self.draws.random() < network.duplicate_share else 1


class LineConnection:
    """A connection as an OcppPeer takes it."""

    def __init__(self, line: Line, connection: Socket) -> None:
        self._line = line
        self._connection = connection
        self._again: list[str | bytes] = []

    def offer(self, take: Callable[[bytes], bool]) -> None:
        """Have `take` take what it wants as it arrives, while nothing is done to what passes."""
        self._connection.take = lambda message: not self._line.networks and not self._again and take(message)

    async def send(self, message: str) -> None:
        """Send a message late, never or twice."""
        if not self._line.networks:
            await self._connection.send(message)
            return
        delay_s, times = self._line.fate()
        if delay_s:
            await asyncio.sleep(delay_s)
        for _ in range(times):
            await self._connection.send(message)

    async def recv(self) -> str | bytes:
        """Return the next message that gets through."""
        if self._again:
            return self._again.pop()
        while True:
            message = await self._connection.recv()
            delay_s, times = self._line.fate()
            if delay_s:
                await asyncio.sleep(delay_s)
            if times:
                self._again = [message] * (times - 1)
                return message
