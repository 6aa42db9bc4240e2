"""False readings on the bus: 0x300 more often than a module sends it, or against its own 0x301.

A module sends 0x301 and then 0x300, once a second each, and both say the same.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from contracts.can_frames import CURRENT_ID, OUTPUT_ID
from contracts.events import CanFrameSeen, Event, Severity
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.frame_times import FrameTimes
from memorybank.detectors.telling import Telling

KIND = "can-reading-spoof"

_READING_DIGITS, _OUTPUT_DIGITS = 4, 16


@dataclass(slots=True)
class State:
    """The last frames of a bus; changed in place."""

    readings: FrameTimes
    """0x300."""
    outputs: FrameTimes
    """0x301."""
    alone: FrameTimes
    """0x300 without a 0x301 since the one before."""
    against: FrameTimes
    """0x300 that contradict the last 0x301."""
    output_a: float | None = None
    """The current of the last 0x301."""
    alone_a: float | None = None
    """The current of the last 0x300 that came without one."""
    is_paired: bool = False
    """Whether a 0x301 came since the last 0x300."""
    apart_a: float = 0.0
    """How far they were apart at most since it shows."""
    telling: Telling = field(default_factory=Telling)


@dataclass(frozen=True, slots=True)
class ReadingSpoof:
    """The detector and its thresholds."""

    window_s: float = 10.0
    """Seconds over which frames are counted."""
    most: int = 14
    """0x300 within the window; a module sends 10, or 12 where a late host bunches them."""
    alone: int = 4
    """0x300 within the window without a 0x301 before them: with 5 % of frames lost there are 0 or 1."""
    against: int = 3
    """0x300 within the window that contradict 0x301."""
    tolerance_a: float = 3.0
    """Amperes by which they may differ: a lost 0x301 at the top of a swing makes the others a second off."""
    tolerance: float = 0.15
    """The same as a share: on a ramp a second is much."""
    rated_a: float = 300.0
    """What a connector can deliver: a lie is as grave as its share of that."""
    name: ClassVar[str] = "reading_spoof"
    layer: ClassVar[Layer] = "residual"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (CanFrameSeen,)

    def start(self, _place: Place) -> State:
        """Return the state before the first frame."""
        return State(
            FrameTimes(self.most), FrameTimes(self.most), FrameTimes(self.alone), FrameTimes(self.against)
        )

    def step(self, state: State, event: CanFrameSeen) -> Sign | None:
        """Take the bus's next frame."""
        if event.can_id == OUTPUT_ID and len(event.data) == _OUTPUT_DIGITS:
            self._output(state, event)
        elif event.can_id == CURRENT_ID and len(event.data) == _READING_DIGITS:
            at_s = event.at.timestamp()
            self._reading(state, event.data, at_s)
            return self._judged(state, at_s)
        return None

    def tick(self, _state: State, _now: datetime) -> Sign | None:
        """Nothing is told by an absence."""
        return None

    def _output(self, state: State, event: CanFrameSeen) -> None:
        """Take the module's own word, and hold what stood alone before against it."""
        at_s, before_a = event.at.timestamp(), state.output_a
        state.output_a = max(0.0, _amperes(event.data[:8]) / 100)
        state.outputs.add(at_s)
        if state.alone_a is not None and before_a is not None:
            # Its own 0x301 may be lost: then it lies between the one before and this one.
            low_a, high_a = sorted((before_a, state.output_a))
            self._compare(state, state.alone_a, max(low_a, min(high_a, state.alone_a)), at_s)
        state.is_paired, state.alone_a = True, None

    def _reading(self, state: State, data: str, at_s: float) -> None:
        state.readings.add(at_s)
        if state.output_a is None:
            return  # a plain module has no 0x301
        current_a = float(_amperes(data))
        if state.is_paired:
            self._compare(state, current_a, state.output_a, at_s)
        else:
            state.alone.add(at_s)
            state.alone_a = current_a
        state.is_paired = False

    def _compare(self, state: State, current_a: float, true_a: float, at_s: float) -> None:
        apart_a = abs(current_a - true_a)
        if apart_a > max(self.tolerance_a, self.tolerance * true_a):
            state.against.add(at_s)
            if at_s - state.telling.shown_s > self.window_s:
                state.apart_a = 0.0
            state.apart_a = max(state.apart_a, apart_a)

    def _judged(self, state: State, at_s: float) -> Sign | None:
        window_s = self.window_s
        is_dense = state.readings.within(window_s, at_s)
        is_alone = state.alone.within(window_s, at_s)
        is_against = state.against.within(window_s, at_s)
        if not (is_dense or is_alone or is_against):
            return None
        if state.outputs.within(window_s, at_s):
            return None  # all frames come twice: a replay
        is_silent = state.output_a is None or at_s - state.outputs.at_s[-1] > window_s / 2
        if not is_against and not (is_alone and (is_dense or is_silent)) and not (is_dense and is_silent):
            return None
        if not state.telling.is_due(at_s, state.readings.at_s[0]):
            return None
        said = []
        if is_dense:
            span_s = state.readings.span_s
            said.append(f"0x300 came {self.most} times within {span_s:.1f} s, a module's comes once a second")
        if is_alone:
            said.append(f"{self.alone} times it came without its 0x301")
        if is_against:
            said.append(f"it was up to {state.apart_a:.0f} A apart from 0x301")
        share = state.apart_a / self.rated_a
        grade: Severity = "critical" if share >= 0.5 else "warning"
        return Sign(
            kind=KIND,
            since=state.telling.since,
            score=round(1.0 + is_dense + is_alone + is_against, 2),
            threshold=1.0,
            deviation=round(state.apart_a, 1),
            severity=grade,
            explanation="; ".join(said),
            pattern={
                "apart_a": round(state.apart_a, 1),
                "every_s": round(state.readings.span_s / self.most, 2),
            },
        )


def _amperes(digits: str) -> int:
    """Return the little-endian number of a 0x300 (two bytes), or of a 0x301 in 0.01 A (four, with sign)."""
    return int.from_bytes(bytes.fromhex(digits), "little", signed=len(digits) == 8)


DETECTOR = ReadingSpoof()
