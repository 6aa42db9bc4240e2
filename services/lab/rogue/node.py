"""A rogue node on a CAN bus: hears it, and sends what its injection makes due."""

import asyncio

from chassis.can_link import CanLink
from contracts.can_frames import CURRENT_ID
from contracts.injections import CanReading
from lab.rogue import sender as senders
from lab.rogue.sender import BusInjection, Raw

FIRST_READING_S = 2.0
"""How long a forger of readings waits for a true one; they come every second."""
_LONGEST_S = 3600.0
"""A replay of nothing is due at infinity, which is no timer."""


class RogueNode:
    """One injection on one bus; `link` is open."""

    def __init__(self, link: CanLink, injection: BusInjection) -> None:
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._sender = senders.begun(injection, self._loop.time())
        self._is_read = asyncio.Event()

    async def run(self) -> None:
        """Hear and send until cancelled; then undo what would outlast it."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen(), name="rogue listens")
                if isinstance(self._sender.injection, CanReading):
                    await self._first_reading()
                while True:
                    await asyncio.sleep(min(max(0.0, self._sender.next_s - self._loop.time()), _LONGEST_S))
                    self._send_due()
        finally:
            for raw in senders.restoring(self._sender):
                self._link.send_raw(raw.can_id, raw.data)

    async def _first_reading(self) -> None:
        """Wait for a reading to forge; on a silent bus what is forged begins from 0 A."""
        try:
            async with asyncio.timeout(FIRST_READING_S):
                await self._is_read.wait()
        except TimeoutError:
            pass
        self._sender = senders.begun(self._sender.injection, self._loop.time(), self._sender.heard_a)

    def _send_due(self) -> None:
        now_s = self._loop.time()
        if now_s >= self._sender.next_s:
            self._sender, frames = senders.due(self._sender, now_s)
            for raw in frames:
                self._link.send_raw(raw.can_id, raw.data)

    async def _listen(self) -> None:
        async for frame in self._link.frames():
            if not frame.extended:
                self._sender = senders.heard(self._sender, Raw(frame.can_id, frame.data), self._loop.time())
                if frame.can_id == CURRENT_ID:
                    self._is_read.set()
