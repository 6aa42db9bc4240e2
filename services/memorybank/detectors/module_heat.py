"""Temperatures that are told and cannot be: a leap, a standstill against the current's square, no derating.

A module warms towards its surroundings' temperature plus a rise that goes with the square of its load, within
minutes. The surroundings are learned from how it moves (a Kalman filter of one number), so a hot day (H8) is
none.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from contracts.events import Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.telling import Telling

KIND = "thermal-tamper"

_EVERY = timedelta(seconds=5)
"""Heat moves within minutes: every reading would say no more."""
_PAST = datetime(2000, 1, 1, tzinfo=UTC)
_LONG_S = 30.0
"""After a longer gap between readings nothing is known."""
_SAME_C = 0.05
_RESOLUTION_C = 0.05
"""Half of the tenth of a degree in which it is told."""
_UNKNOWN = 400.0
_WANDERS = 0.002
"""Square degrees a second by which the surroundings become less known: a degree in eight minutes."""
_KNOWN = 1.0
_SETTLES_S = 15.0
"""So long a leap must last: a module whose frames somebody replays goes to and fro."""
_DERATING_HOLD_S = 10.0
_MARGIN_A = 8.0
"""Half a degree of derating: what rounding hides."""


@dataclass(slots=True)
class State(Telling):
    """The temperature, and what is known of the surroundings; changed in place."""

    late_at: datetime = _PAST
    due_at: datetime = _PAST
    """Readings between the two are passed over."""
    at_s: float = float("-inf")
    told_c: float = 0.0
    still_c: float = 0.0
    """The temperature as of its last move."""
    still_s: float = 0.0
    rise_c: float = 0.0
    """What the load adds, as a mean since then."""
    around_c: float = 0.0
    doubt: float = _UNKNOWN
    """The variance of `around_c`."""
    model_c: float = 0.0
    """Where the temperature should be by now, since its last move."""
    leapt_c: float = 0.0
    leapt_s: float | None = None
    """When it leapt, by `leapt_c`, and stands since."""
    underated_s: float | None = None


@dataclass(frozen=True, slots=True)
class ModuleHeat:
    """The detector and its thresholds."""

    rise_c: float = 30.0
    """Degrees that the rated current adds: such a module just keeps full power at 25 °C around it."""
    time_s: float = 180.0
    """Seconds within which most of that comes: a forced-air heat sink settles within minutes."""
    leap_c: float = 2.0
    """Degrees from one look to the next, 5 s later, that no heat explains."""
    still_c: float = 2.5
    """Degrees by which it should have risen while it stood; who cools too late hides nothing."""
    full_power_to_c: float = 55.0
    """Degrees up to which a module gives all it can (State Grid's specification)."""
    off_at_c: float = 75.0
    """Degrees at which it is to be off (the same)."""
    rated_a: float = 300.0
    """What a connector can deliver: the load is a share of it."""
    name: ClassVar[str] = "module_heat"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading,)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first reading."""
        return State()

    def step(self, state: State, event: Reading) -> Sign | None:
        """Take the connector's next reading; most are passed over."""
        at = event.at
        if state.late_at < at < state.due_at:
            return None
        told_c, current_a = event.temperature_c, event.current_a
        if told_c is None or current_a is None:
            return None
        state.late_at, state.due_at = at - _EVERY, at + _EVERY
        at_s = at.timestamp()
        gap_s = at_s - state.at_s
        load = current_a / self.rated_a
        if not 0.0 < gap_s <= _LONG_S:
            self._anew(state, told_c, at_s)
        else:
            self._moved(state, told_c, self.rise_c * load * load, at_s, gap_s)
        state.at_s, state.told_c = at_s, told_c
        self._derated(state, told_c, event.offered_a, at_s)
        return self._judged(state, told_c, load, at_s)

    def _anew(self, state: State, told_c: float, at_s: float) -> None:
        state.still_c = state.model_c = told_c
        state.still_s, state.doubt, state.leapt_s, state.rise_c = at_s, _UNKNOWN, None, 0.0

    def _moved(self, state: State, told_c: float, rise_c: float, at_s: float, gap_s: float) -> None:
        """Take the next temperature: it stands, it moves as heat does, or it leaps."""
        stood_s = at_s - state.still_s
        state.rise_c += (rise_c - state.rise_c) * gap_s / stood_s
        is_known = state.doubt <= _KNOWN
        around_c = state.around_c if is_known else state.told_c - rise_c
        state.model_c += (around_c + rise_c - state.model_c) * (1.0 - math.exp(-gap_s / self.time_s))
        state.doubt += _WANDERS * gap_s
        if abs(told_c - state.still_c) <= _SAME_C:
            return
        apart_c = (
            told_c - state.model_c
        )  # back from a standstill that was none of heat's it is near the model
        if abs(apart_c) > self.leap_c and abs(told_c - state.told_c) > self.leap_c:
            self._anew(state, told_c, at_s)
            state.leapt_s, state.leapt_c = at_s, apart_c
            return
        gain = 1.0 - math.exp(-stood_s / self.time_s)
        seen_c = state.still_c + (told_c - state.still_c) / gain - state.rise_c
        error = (_RESOLUTION_C / gain) ** 2
        weight = state.doubt / (state.doubt + error)
        state.around_c += (seen_c - state.around_c) * weight
        state.doubt *= 1.0 - weight
        state.still_c = state.model_c = told_c
        state.still_s, state.leapt_s, state.rise_c = at_s, None, 0.0

    def _derated(self, state: State, told_c: float, offered_a: float | None, at_s: float) -> None:
        """Take note of an offer that heat should have lowered."""
        share = (self.off_at_c - told_c) / (self.off_at_c - self.full_power_to_c)
        if share >= 1.0 or offered_a is None or offered_a <= max(0.0, share) * self.rated_a + _MARGIN_A:
            state.underated_s = None
        elif state.underated_s is None:
            state.underated_s = at_s

    def _judged(self, state: State, told_c: float, load: float, at_s: float) -> Sign | None:
        said, since_s, deviation_c = "", state.still_s, state.model_c - told_c
        if state.leapt_s is not None and at_s - state.leapt_s >= _SETTLES_S:
            deviation_c = abs(state.leapt_c)
            said = f"the temperature leapt by {state.leapt_c:+.0f} °C to {told_c:.0f} °C and stands since"
        elif state.doubt <= _KNOWN and deviation_c >= self.still_c:
            said = (
                f"the temperature stood at {told_c:.1f} °C for {at_s - state.still_s:.0f} s"
                f" where {state.model_c:.1f} °C are due at {100 * load:.0f} % of the rated current"
            )
        elif state.underated_s is not None and at_s - state.underated_s >= _DERATING_HOLD_S:
            since_s, deviation_c = state.underated_s, told_c - self.full_power_to_c
            said = f"no derating at {told_c:.0f} °C, and it begins at {self.full_power_to_c:.0f} °C"
        if not said or not state.is_due(at_s, since_s):
            return None
        grade: Severity = "critical" if abs(load) >= 0.5 else "warning"
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(deviation_c / self.leap_c, 2),
            threshold=1.0,
            deviation=round(deviation_c, 1),
            severity=grade,
            explanation=said,
            pattern={"told_c": round(told_c, 1)},
        )


DETECTOR = ModuleHeat()
