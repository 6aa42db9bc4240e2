"""A module on its bus: frames in, commands; once a second, frames out.

The node wakes once a second and when a frame comes; the stage's 0.1 s steps in between are computed then,
from the time that really passed. So a late host loses no step, and idle modules cost next to nothing.
"""

import asyncio
import logging

from charger import module as modules
from charger.module import Module
from chassis.can_link import CanLink, RawFrame, Tally
from chassis.process import every
from contracts import can_frames
from contracts.can_frames import READING_PERIOD_S
from contracts.errors import MalformedFrame

log = logging.getLogger("charger")

MAX_CATCH_UP_S = 2.0
"""How much of a stall is made up for; for the rest of a longer one the module stood still.

Below the keepalive's timeout, so that a stall of ours does not pass for a silence of the charge point's.
"""
_REFUSED_LOG_PERIOD_S = 10.0


class CanNode:
    """Serves one bus with one module until cancelled. `name` says which bus in the log."""

    def __init__(self, link: CanLink, module: Module, name: str) -> None:
        self._link = link
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._stepped_at_s = self._loop.time()
        self._refused_logged_s = float("-inf")
        self.module = module
        self.refused = 0
        """Frames of a known identifier with a wrong length or value."""
        self.stood_still_s = 0.0

    @property
    def losses(self) -> str:
        """What did not get through so far, for the log."""
        return (
            f"{self.refused} frames refused, {self._link.malformed} malformed, {self._link.dropped} dropped"
        )

    @property
    def tally(self) -> Tally:
        """What passed on the bus so far."""
        return self._link.tally

    async def run(self) -> None:
        """Listen and publish for ever; closes the bus when cancelled."""
        async with self._link, asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name=f"{self._name} listens")
            await every(READING_PERIOD_S, self._publish)

    async def _listen(self) -> None:
        async for raw in self._link.frames():
            self._hear(raw)

    def _hear(self, raw: RawFrame) -> None:
        if raw.extended:
            return
        try:
            frame = can_frames.decode(raw.can_id, raw.data)
        except MalformedFrame as error:
            self._refuse(error)
            return
        if frame is not None:
            self._advance()
            self._become(modules.heard(self.module, frame))

    def _publish(self) -> None:
        self._advance()
        self.module, frames = modules.published(self.module)
        for frame in frames:
            self._link.send(frame)

    def _advance(self) -> None:
        now_s = self._loop.time()
        elapsed_s = now_s - self._stepped_at_s
        self._stepped_at_s = now_s
        if elapsed_s > MAX_CATCH_UP_S:
            stood_still_s = elapsed_s - MAX_CATCH_UP_S
            self.stood_still_s += stood_still_s
            log.warning("%s: stalled, stood still for %.1f s", self._name, stood_still_s)
        self._become(modules.advanced(self.module, min(elapsed_s, MAX_CATCH_UP_S)))

    def _become(self, module: Module) -> None:
        before, after = self.module.stage.faults, module.stage.faults
        if after != before:
            log.warning("%s: faults %s, before %s", self._name, after.name or "none", before.name or "none")
        self.module = module

    def _refuse(self, error: MalformedFrame) -> None:
        self.refused += 1
        now_s = self._loop.time()
        if now_s - self._refused_logged_s >= _REFUSED_LOG_PERIOD_S:
            self._refused_logged_s = now_s
            log.warning("%s: refused %s (%d so far)", self._name, error, self.refused)
