"""What is on the bus, and what is not: a flood of frames, a module that falls silent.

Between module and charge point some seven frames a second pass. A rogue node that floods the bus sends
hundreds; a module that is silent leaves the charge point's keepalive without an answer.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from contracts.can_frames import CURRENT_ID, KEEPALIVE_ID
from contracts.events import CanFrameSeen, Event
from memorybank.detector import Layer, Place, Scope, Sign

FLOOD = "can-flood"
DROPOUT = "telemetry-dropout"

_TOLD_AGAIN_S = 10.0
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class State:
    """Frames since the last tick, and keepalives since the module's last reading; changed in place."""

    frames: int = 0
    ticked_at: datetime = _LONG_AGO
    crowded: int = 0
    """Ticks in a row with too many frames."""
    flooded_s: float = 0.0
    told_s: float = float("-inf")
    unanswered: int = 0
    heard: CanFrameSeen | None = None
    """The module's last 0x300; None: it was never heard."""


@dataclass(frozen=True, slots=True)
class BusLoad:
    """The detector and its thresholds."""

    frames_per_s: float = 100.0
    """Frames a second from which on the bus is crowded: it carries 800 to 950 at 125 kbit/s, and some seven
    are usual."""
    crowded_ticks: int = 2
    """Seconds in a row that are crowded."""
    unanswered: int = 6
    """Keepalives, one a second, without a reading of the module: where each twentieth frame is lost, so many
    are lost in a row once in years. A module that hears nothing must be off after 10 s (InfyPower)."""
    flowing_a: float = 1.0
    """Amperes from which on current flowed when the module was last heard."""
    name: ClassVar[str] = "bus_load"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (CanFrameSeen,)

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State()

    def step(self, state: State, event: CanFrameSeen) -> Sign | None:
        """Take the next frame of the bus."""
        state.frames += 1
        if event.can_id == CURRENT_ID:
            state.heard, state.unanswered = event, 0
        elif event.can_id == KEEPALIVE_ID and state.heard is not None:
            state.unanswered += 1
            over = state.unanswered - self.unanswered
            if over >= 0 and over % _TOLD_AGAIN_S == 0:
                return self._silent(state, state.heard, event.at)
        return None

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Count what came since the last tick."""
        frames, state.frames = state.frames, 0
        if frames < self.frames_per_s and not state.crowded:
            state.ticked_at = now
            return None
        now_s = now.timestamp()
        passed_s, state.ticked_at = max(1.0, now_s - state.ticked_at.timestamp()), now
        rate = frames / passed_s
        if rate < self.frames_per_s:
            state.crowded = 0
            return None
        if not state.crowded:
            state.flooded_s, state.told_s = now_s - passed_s, float("-inf")
        state.crowded += 1
        if state.crowded < self.crowded_ticks or now_s - state.told_s < _TOLD_AGAIN_S:
            return None
        state.told_s = now_s
        return self._flooded(state, rate, now_s)

    def _flooded(self, state: State, rate: float, now_s: float) -> Sign:
        gap = f", {state.unanswered} keepalives without an answer" if state.unanswered > 1 else ""
        return Sign(
            kind=FLOOD,
            since=datetime.fromtimestamp(state.flooded_s, UTC),
            score=round(rate / self.frames_per_s, 2),
            threshold=1.0,
            deviation=round(rate, 0),
            severity="critical" if state.unanswered >= self.unanswered else "warning",
            explanation=(
                f"{rate:.0f} frames a second on the bus for {now_s - state.flooded_s:.0f} s, some seven are"
                f" usual{gap}"
            ),
            pattern={"frames_per_s": round(rate, 0)},
        )

    def _silent(self, state: State, heard: CanFrameSeen, now: datetime) -> Sign:
        current_a = int.from_bytes(bytes.fromhex(heard.data)[:2], "little")
        flowed = current_a >= self.flowing_a
        silent_s = (now - heard.at).total_seconds()
        return Sign(
            kind=DROPOUT,
            since=heard.at,
            score=round(state.unanswered / self.unanswered, 2),
            threshold=1.0,
            deviation=round(silent_s, 1),
            severity="critical" if flowed else "warning",
            explanation=(
                f"no reading of the module for {silent_s:.0f} s, {state.unanswered} keepalives without an"
                f" answer; {current_a} A flowed when it was last heard"
            ),
            pattern={"current_a": float(current_a)},
        )


DETECTOR = BusLoad()
