"""The charge points that are connected now, and a way to wait for something to become true of one."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from chassis.ocpp_peer import OcppPeer


@dataclass(slots=True, eq=False)
class Connection:
    """One charge point's open WebSocket."""

    charge_point_id: str
    enrolled: bool
    peer: OcppPeer
    connected_at: datetime
    connected_s: float
    """The loop's time at which it connected; wall clocks jump."""
    last_seen_at: datetime
    rate_unit: Literal["A", "W"] | None = None
    """In which unit it takes limits; None: not asked yet."""


class Connections:
    """Who is connected. A charge point has one connection; the newer replaces the older."""

    def __init__(self) -> None:
        self._by_id: dict[str, Connection] = {}
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._by_id.values()))

    def get(self, charge_point_id: str) -> Connection | None:
        """Return the connection of a charge point, or None."""
        return self._by_id.get(charge_point_id)

    def add(self, connection: Connection) -> Connection | None:
        """Take a connection in and return the one it replaces."""
        replaced = self._by_id.get(connection.charge_point_id)
        self._by_id[connection.charge_point_id] = connection
        self.notify(connection.charge_point_id)
        return replaced

    def remove(self, connection: Connection) -> bool:
        """Take a connection out; False where another has replaced it."""
        if self._by_id.get(connection.charge_point_id) is not connection:
            return False
        del self._by_id[connection.charge_point_id]
        self.notify(connection.charge_point_id)
        return True

    def notify(self, charge_point_id: str) -> None:
        """Say that something changed at a charge point, so that who waits looks again."""
        for event in self._waiting.get(charge_point_id, ()):
            event.set()

    async def until(
        self, charge_point_id: str, condition: Callable[[], bool], timeout_s: float | None = None
    ) -> bool:
        """Wait until the condition holds at a charge point; False when it did not within `timeout_s`.

        It is looked at whenever `notify` says that something changed.
        """
        event = asyncio.Event()
        self._waiting[charge_point_id].add(event)
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    event.clear()
                    await event.wait()
        except TimeoutError:
            return condition()
        finally:
            self._waiting[charge_point_id].discard(event)
            if not self._waiting[charge_point_id]:
                del self._waiting[charge_point_id]
        return True
