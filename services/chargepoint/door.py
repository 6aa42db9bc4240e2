"""How many charge points of one process reach for the CSMS at once.

After a restart of the CSMS all of them want in: each would take its share of a busy CSMS's time, and none
would be through before it gives up. So they wait here, where waiting costs nothing and no timeout runs.
"""

import asyncio
from types import TracebackType
from typing import Self

HANDSHAKES = 16
"""Connections to the CSMS that are being opened at once; each counts until the CSMS has answered the boot."""


class Door:
    """Lets so many in at once, first come first served. Make a Passage for each."""

    def __init__(self, at_once: int = HANDSHAKES) -> None:
        self.places = asyncio.Semaphore(at_once)


class Passage:
    """A turn at the door: wait for it by entering, leave it by `through` or at the latest on leaving."""

    def __init__(self, door: Door) -> None:
        self._places = door.places
        self._is_in = False

    def through(self) -> None:
        """Let the next one in; again does nothing."""
        if self._is_in:
            self._is_in = False
            self._places.release()

    async def __aenter__(self) -> Self:
        await self._places.acquire()
        self._is_in = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.through()
