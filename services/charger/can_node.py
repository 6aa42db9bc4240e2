"""A module on its bus: frames in, commands; once a second, frames out.

The node wakes once a second and when a frame comes; the stage's 0.1 s steps in between are computed then,
from the time that really passed. So a late host loses no step, and idle modules cost next to nothing.
A fault (contracts/backplane.py) is in force for as long as it is renewed.
"""

import asyncio
import logging
from uuid import UUID

from charger import arbitration
from charger import module as modules
from charger.arbitration import Flooded
from charger.course import Course
from charger.module import Module
from chassis.can_bus import RawFrame
from chassis.can_link import CanLink, Tally
from chassis.rounds import Rounds
from contracts import can_frames
from contracts.backplane import LEASE_TIMEOUT_S, Fault
from contracts.can_frames import Frame
from contracts.errors import MalformedFrame
from contracts.injections import CanFlood

log = logging.getLogger("charger")

MAX_CATCH_UP_S = 2.0
"""How much of a stall is made up for; for the rest of a longer one the module stood still.

Below the keepalive's timeout, so that a stall of ours does not pass for a silence of the charge point's.
"""
MAX_FAULTS = 32
"""At one module at once; more are nonsense."""
_REFUSED_LOG_PERIOD_S = 10.0


class CanNode:
    """Serves one bus with one module until cancelled. `name` says which bus in the log."""

    def __init__(self, link: CanLink, module: Module, name: str, rounds: Rounds) -> None:
        """`rounds`: of READING_PERIOD_S."""
        self._link = link
        self._name = name
        self._rounds = rounds
        self._loop = asyncio.get_running_loop()
        self._stepped_at_s = self._loop.time()
        self._refused_logged_s = float("-inf")
        self._renewed_s: dict[UUID, float] = {}
        self._flooded = Flooded()
        self._course = Course(module)
        self._told = self._course.faults
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

    @property
    def at_rest(self) -> bool:
        """Whether nothing flows and nothing can."""
        return self._course.at_rest

    @property
    def faults(self) -> int:
        """How many faults are in force."""
        return len(self._renewed_s)

    def take(self, fault: Fault) -> bool:
        """Begin a fault or renew it; False where there are too many already."""
        if fault.id not in self._renewed_s:
            if len(self._renewed_s) >= MAX_FAULTS:
                return False
            log.warning("%s: a fault begins: %s", self._name, fault.injection)
            if isinstance(fault.injection, CanFlood):
                self._flooded = arbitration.began(self._flooded, fault.id, fault.injection, fault.seed)
            else:
                self._advance()
                self._become(modules.began(self._course.module, fault.id, fault.injection, fault.seed))
        self._renewed_s[fault.id] = self._loop.time()
        return True

    def end(self, fault_id: UUID) -> None:
        """End a fault, if it is in force."""
        if self._renewed_s.pop(fault_id, None) is not None:
            log.warning("%s: a fault ended", self._name)
            self._flooded = arbitration.ended(self._flooded, fault_id)
            self._advance()
            self._become(modules.ended(self._course.module, fault_id))

    def _end_lapsed(self) -> None:
        now_s = self._loop.time()
        for fault_id, renewed_s in list(self._renewed_s.items()):
            if now_s - renewed_s > LEASE_TIMEOUT_S:
                self.end(fault_id)

    async def run(self) -> None:
        """Listen and publish for ever; closes the bus when cancelled."""
        async with self._link:
            with self._rounds.joined(self._publish):
                await self._link.listen(self._hear)

    def _hear(self, raw: RawFrame) -> None:
        if raw.extended:
            return
        try:
            frame = can_frames.decode(raw.can_id, raw.data)
        except MalformedFrame as error:
            self._refuse(error)
            return
        if frame is not None and (late_s := self._late_s()) is not None:
            if late_s:
                self._loop.call_later(late_s, self._obey, frame)
            else:
                self._obey(frame)

    def _obey(self, frame: Frame) -> None:
        self._advance()
        self._course.obey(frame)
        self._tell_faults()

    def _late_s(self) -> float | None:
        self._flooded, late_s = arbitration.late_s(self._flooded)
        return late_s

    def _publish(self) -> None:
        if self._renewed_s:
            self._end_lapsed()
        self._advance()
        frames = self._course.published()
        late_s = self._late_s()
        if late_s:
            self._loop.call_later(late_s, self._send, frames)
        elif late_s is not None:
            self._send(frames)

    def _send(self, frames: tuple[Frame, ...]) -> None:
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
        self._course.go(*modules.steps(min(elapsed_s, MAX_CATCH_UP_S)))
        self._tell_faults()

    def _become(self, module: Module) -> None:
        self._course.become(module)
        self._tell_faults()

    def _tell_faults(self) -> None:
        before, after = self._told, self._course.faults
        if after != before:
            self._told = after
            log.warning("%s: faults %s, before %s", self._name, after.name or "none", before.name or "none")

    def _refuse(self, error: MalformedFrame) -> None:
        self.refused += 1
        now_s = self._loop.time()
        if now_s - self._refused_logged_s >= _REFUSED_LOG_PERIOD_S:
            self._refused_logged_s = now_s
            log.warning("%s: refused %s (%d so far)", self._name, error, self.refused)
