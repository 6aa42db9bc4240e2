"""Readings that were recorded: the noise of a sensor never comes twice in the same order.

Who replays a module's frames beside it doubles them; who replays them in its place repeats them.
"""

from binascii import unhexlify
from dataclasses import dataclass, field
from typing import ClassVar

from contracts.can_frames import OUTPUT_ID
from contracts.events import CanFrameSeen, Event
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.frame_rate import FrameRate
from memorybank.detectors.telling import Telling

KIND = "can-reading-replay"

_DIGITS = 16
_NO_CURRENT = "00000000"
_RECORD_DIGITS = 2
"""Of 0x301: the current's lowest byte, in 0.01 A; it has all of the noise."""
_LOOK_EVERY = 5
_BRIM = 1.5
"""How much fuller than it takes the bucket gets."""


@dataclass(slots=True)
class State(Telling):
    """The last 0x301 of a bus; changed in place."""

    outputs: FrameRate = field(default_factory=FrameRate)
    history: bytearray = field(default_factory=bytearray)
    """A record of each while a current flowed, the oldest first."""
    count: int = 0
    repeated_s: float = float("-inf")
    """When a repetition was last seen."""
    before: int = 0
    """How many 0x301 before it the same ones came."""


@dataclass(frozen=True, slots=True)
class ReadingReplay:
    """The detector and its thresholds."""

    usual_per_s: float = 1.15
    """0x301 a second; a module sends one."""
    surplus: float = 5.0
    """0x301 beyond what is usual: a late host may bring four at once."""
    lasts_s: float = 10.0
    """Seconds for which a repetition counts."""
    repeated: int = 12
    """0x301 in a row that came in the same order before: with a noise of 0.06 A, the least that real sensors
    have, it happens by chance once in a hundred thousand years."""
    remembered: int = 300
    """0x301 that are remembered: the longest recording that is recognised, in seconds."""
    name: ClassVar[str] = "reading_replay"
    layer: ClassVar[Layer] = "residual"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (CanFrameSeen,)
    can_ids: ClassVar[frozenset[int]] = frozenset({OUTPUT_ID})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first frame."""
        return State()

    def step(self, state: State, event: CanFrameSeen) -> Sign | None:
        """Take the bus's next frame."""
        if event.can_id != OUTPUT_ID or len(event.data) != _DIGITS:
            return None
        at_s = event.at.timestamp()
        state.outputs.add(at_s, self.usual_per_s, self.surplus + _BRIM)
        if event.data[:8] != _NO_CURRENT:  # an open contactor has no noise
            self._remember(state, event.data, at_s)
        is_dense = state.outputs.level > self.surplus
        is_recorded = at_s - state.repeated_s <= self.lasts_s
        if not (is_dense or is_recorded) or not state.is_due(at_s, at_s):
            return None
        said = []
        if is_dense:
            per_s = 1 / max(0.01, state.outputs.gap_s)
            said.append(f"0x301 comes {per_s:.1f} times a second, a module's once")
        if is_recorded:
            said.append(
                f"{self.repeated} values of 0x301 in a row came in the same order {state.before} before"
            )
        return Sign(
            kind=KIND,
            since=state.since,
            score=2.0 if is_recorded else round(state.outputs.level / self.surplus, 2),
            threshold=1.0,
            deviation=float(self.repeated) if is_recorded else round(state.outputs.level, 1),
            severity="warning",
            explanation="; ".join(said),
            pattern={"before": float(state.before)},
        )

    def _remember(self, state: State, data: str, at_s: float) -> None:
        """Add a 0x301 to the history and look whether the last ones were there before."""
        history = state.history
        history += unhexlify(data[:_RECORD_DIGITS])
        state.count += 1
        if state.count % _LOOK_EVERY:
            return
        excess = len(history) - (self.remembered + self.repeated + _LOOK_EVERY)
        if excess > 0:
            del history[:excess]
        length = self.repeated
        if len(history) < 2 * length:
            return
        last = history[-length:]
        found = history.rfind(last, 0, -1)
        if found >= 0 and len(set(last)) >= length // 2:  # a sensor without noise repeats itself
            state.repeated_s, state.before = at_s, len(history) - length - found


DETECTOR = ReadingReplay()
