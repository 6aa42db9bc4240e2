"""False readings on the bus: 0x300 more often than a module sends it, or against its own 0x301.

A module sends 0x301 and then 0x300, once a second each, and both say the same.
"""

from binascii import unhexlify
from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar

from contracts.can_frames import CURRENT_ID, OUTPUT_ID
from contracts.events import CanFrameSeen, Event, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.frame_rate import FrameRate
from memorybank.detectors.telling import Telling

KIND = "can-reading-spoof"

_CALM_S = 10.0
_LONG_S = 2.0
_BRIM = 1.5
"""How much fuller than it takes a bucket gets."""
_ALONE_PER_S, _AGAINST_PER_S = 0.2, 0.1
"""0x300 without a 0x301, and against one, that are usual."""
_READING, _OUTPUT = Struct("<H"), Struct("<i4x")
"""The current in 0x300, in A, and in 0x301, in 0.01 A."""
_READING_DIGITS, _OUTPUT_DIGITS = 2 * _READING.size, 2 * _OUTPUT.size


@dataclass(slots=True)
class State(Telling):
    """The last frames of a bus; changed in place."""

    readings: FrameRate = field(default_factory=FrameRate)
    """0x300."""
    alone: FrameRate = field(default_factory=FrameRate)
    """0x300 without a 0x301 since the one before."""
    against: FrameRate = field(default_factory=FrameRate)
    """0x300 that contradict the last 0x301."""
    output_a: float | None = None
    """The current of the last 0x301."""
    output_s: float = float("-inf")
    output_gap_s: float = 1.0
    """The mean of the last gaps between 0x301, fading."""
    alone_a: float | None = None
    """The current of the last 0x300 that came without one."""
    is_paired: bool = False
    """Whether a 0x301 came since the last 0x300."""
    apart_a: float = 0.0
    """How far they were apart at most since it shows."""


@dataclass(frozen=True, slots=True)
class ReadingSpoof:
    """The detector and its thresholds."""

    usual_per_s: float = 1.15
    """0x300 a second; a module sends one."""
    surplus: float = 5.0
    """0x300 beyond what is usual: a late host may bring four at once."""
    alone: float = 3.2
    """0x300 without a 0x301 before them, beyond one in five seconds: lost frames make fewer."""
    against: float = 2.2
    """0x300 that contradict 0x301, beyond one in ten seconds."""
    replay_gap_s: float = 0.75
    """Seconds between 0x301 below which all of the module's frames are doubled, which is another anomaly."""
    silent_s: float = 5.0
    """Seconds without 0x301 after which 0x300 speaks for nobody."""
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
    can_ids: ClassVar[frozenset[int]] = frozenset({OUTPUT_ID, CURRENT_ID})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first frame."""
        return State()

    def step(self, state: State, event: CanFrameSeen) -> Sign | None:
        """Take the bus's next frame."""
        data = event.data
        if event.can_id == CURRENT_ID:
            if len(data) == _READING_DIGITS:
                return self._reading(state, float(_READING.unpack(unhexlify(data))[0]), event.at.timestamp())
        elif event.can_id == OUTPUT_ID and len(data) == _OUTPUT_DIGITS:
            self._output(state, _OUTPUT.unpack(unhexlify(data))[0] / 100, event.at.timestamp())
        return None

    def _output(self, state: State, output_a: float, at_s: float) -> None:
        """Take the module's own word, and hold what stood alone before against it."""
        if output_a < 0.0:  # noqa: PLR1730 - the call of max would cost as much as all of this
            output_a = 0.0
        before_a, state.output_a = state.output_a, output_a
        gap_s = at_s - state.output_s
        if gap_s > _LONG_S:
            gap_s = _LONG_S
        elif gap_s < 0.0:
            gap_s = 0.0
        state.output_gap_s += (gap_s - state.output_gap_s) * 0.2
        state.output_s = at_s
        if state.alone_a is not None and before_a is not None:
            # Its own 0x301 may be lost: then it lies between the one before and this one.
            low_a, high_a = sorted((before_a, output_a))
            self._compare(state, state.alone_a, max(low_a, min(high_a, state.alone_a)), at_s)
        state.is_paired, state.alone_a = True, None

    def _reading(self, state: State, current_a: float, at_s: float) -> Sign | None:
        state.readings.add(at_s, self.usual_per_s, self.surplus + _BRIM)
        if state.output_a is None:  # a plain module has no 0x301
            pass
        elif state.is_paired:
            self._compare(state, current_a, state.output_a, at_s)
        else:
            state.alone.add(at_s, _ALONE_PER_S, self.alone + _BRIM)
            state.alone_a = current_a
        state.is_paired = False
        if (
            state.readings.level > self.surplus
            or state.alone.level > self.alone
            or state.against.level > self.against
        ):
            return self._judged(state, at_s)
        return None

    def _compare(self, state: State, current_a: float, true_a: float, at_s: float) -> None:
        apart_a = current_a - true_a if current_a > true_a else true_a - current_a
        if apart_a > self.tolerance_a and apart_a > self.tolerance * true_a:
            state.against.add(at_s, _AGAINST_PER_S, self.against + _BRIM)
            if at_s - state.shown_s > _CALM_S:
                state.apart_a = 0.0
            state.apart_a = max(state.apart_a, apart_a)

    def _judged(self, state: State, at_s: float) -> Sign | None:
        is_dense = state.readings.level > self.surplus
        is_alone, is_against = (
            state.alone.exceeds(self.alone, at_s, _ALONE_PER_S),
            state.against.exceeds(self.against, at_s, _AGAINST_PER_S),
        )
        if state.output_gap_s < self.replay_gap_s:
            return None  # all frames come twice: a replay
        is_silent = state.output_a is None or at_s - state.output_s > self.silent_s
        if not is_against and not (is_alone and (is_dense or is_silent)) and not (is_dense and is_silent):
            return None
        if not state.is_due(at_s, at_s):
            return None
        said = []
        if is_dense:
            per_s = 1 / max(0.01, state.readings.gap_s)
            said.append(f"0x300 comes {per_s:.1f} times a second, a module's once")
        if is_alone:
            said.append("it comes without its 0x301")
        if is_against:
            said.append(f"it was up to {state.apart_a:.0f} A apart from 0x301")
        share = state.apart_a / self.rated_a
        grade: Severity = "critical" if share >= 0.5 else "warning"
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(1.0 + is_dense + is_alone + is_against, 2),
            threshold=1.0,
            deviation=round(state.apart_a, 1),
            severity=grade,
            explanation="; ".join(said),
            pattern={
                "apart_a": round(state.apart_a, 1),
                "every_s": round(state.readings.gap_s, 2),
            },
        )


DETECTOR = ReadingSpoof()
