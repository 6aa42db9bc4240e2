"""Repeated current fluctuation: the current reverses its direction too often.

A reversal is counted when the current has come back by the gate from its last extreme (hysteresis, so that
noise and ripple below the gate count nothing). All times are event times: a backlog is judged as it happened.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import ClassVar

from contracts.events import Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign

KIND = "repeated-current-fluctuation"


_WARNING_CYCLES = 3.0
"""EVerest's documentation: three openings under load may be all that a contactor survives."""
_CRITICAL_CYCLES = 10.0
_BOUND_A = 1e6
"""No current is; a false reading beyond must not overflow the sums."""
_BELIEVED_AFTER = 10
"""A clock was set back when so many readings in a row are older than the newest; fewer are late ones."""


@dataclass(frozen=True, slots=True)
class Pivot:
    """An extreme from which the current turned back; `high_s`: time above the middle up to here."""

    at: datetime
    current_a: float
    high_s: float


@dataclass(slots=True)
class State:
    """Where the zigzag stands; `pivots` are the reversals within the window, oldest first.

    `swung_a` is the sum of the swings since `since`: smaller ones heal no wear.
    """

    at: datetime | None = None
    current_a: float = 0.0
    direction: int = 0
    low: Pivot | None = None
    high: Pivot | None = None
    high_s: float = 0.0
    pivots: tuple[Pivot, ...] = ()
    rating_a: float = 0.0
    late: int = 0
    swung_a: float = 0.0
    since: datetime | None = None
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reversals:
    """The detector and its thresholds."""

    gate_a: float = 20.0
    """Amperes by which the current must come back: ripple and noise below count nothing."""
    threshold: int = 8
    """Reversals within the window. Eight find the 8 s cycle of the base scenario about 30 s after its
    physical start; ten need 38 s, and four cry at every saw-tooth ramp. A start and a stop make two."""
    rated_a: float = 300.0
    """What a connector can deliver; one that is seen to do more counts with that."""
    window_s: float = 60.0
    """Seconds in which the reversals must lie."""
    name: ClassVar[str] = "reversals"
    layer: ClassVar[Layer] = "periodicity"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading,)

    def start(self, _place: Place) -> State:
        """Return the state before the first reading."""
        return State()

    def step(self, state: State, reading: Reading) -> Sign | None:
        """Take the connector's next reading."""
        if reading.current_a is None or reading.origin != "can":
            return None
        if state.at is not None and reading.at < state.at:
            state.late += 1
            if state.late < _BELIEVED_AFTER:
                return None
            for name, value in zip(
                State.__slots__, map(State().__getattribute__, State.__slots__), strict=True
            ):
                setattr(state, name, value)
        current_a = max(-_BOUND_A, min(_BOUND_A, reading.current_a))
        self._move(state, reading.at, current_a, min(_BOUND_A, reading.offered_a or 0.0))
        return self._judged(state, reading.at)

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Nothing is told by an absence."""

    def _move(self, state: State, at: datetime, current_a: float, offered_a: float) -> None:
        """Move the zigzag on to this current."""
        if state.at and state.current_a > _middle_a(state):
            # A gap says nothing about the current within it.
            state.high_s += min((at - state.at).total_seconds(), self.window_s)
        here = Pivot(at, current_a, state.high_s)
        low, high, direction, reversal = state.low or here, state.high or here, state.direction, None
        if direction >= 0 and current_a > high.current_a:
            high = here
        if direction <= 0 and current_a < low.current_a:
            low = here
        if direction >= 0 and high.current_a - current_a >= self.gate_a:
            reversal, low, direction = (high if direction else None), here, -1
        elif direction <= 0 and current_a - low.current_a >= self.gate_a:
            reversal, high, direction = (low if direction else None), here, 1
        pivots = state.pivots
        if reversal is not None:
            state.swung_a += abs(reversal.current_a - pivots[-1].current_a) if pivots else 0.0
            pivots = (*pivots, reversal)
        begin = at - timedelta(seconds=self.window_s)
        while pivots and pivots[0].at < begin:
            pivots = pivots[1:]
        state.at, state.current_a, state.direction, state.late = at, current_a, direction, 0
        state.low, state.high, state.pivots = low, high, pivots
        state.rating_a = max(self.rated_a, state.rating_a, current_a, offered_a)

    def _judged(self, state: State, at: datetime) -> Sign | None:
        """Return the sign that the window gives now."""
        if len(state.pivots) < self.threshold:
            if state.signed_at and (at - state.signed_at).total_seconds() >= self.window_s:
                state.since = state.signed_at = None
            return None
        if state.since is None:
            state.since, state.swung_a = state.pivots[0].at, sum(_swings(state.pivots))
        state.signed_at = at
        return self._sign(state, state.since)

    def _sign(self, state: State, since: datetime) -> Sign:
        pivots = state.pivots
        swings = _swings(pivots)
        # Whole cycles only: from a pivot to the next but one.
        cycles_s = [(b.at - a.at).total_seconds() for a, b in zip(pivots, pivots[2:], strict=False)]
        period_s = sum(cycles_s) / len(cycles_s)
        amplitude_a = sum(swings) / len(swings)
        high_s = [b.high_s - a.high_s for a, b in zip(pivots, pivots[2:], strict=False)]
        duty = sum(high_s) / sum(cycles_s) if sum(cycles_s) else 0.0
        currents = [pivot.current_a for pivot in pivots]
        full_cycles = state.swung_a / 2 / state.rating_a
        return Sign(
            kind=KIND,
            since=since,
            score=float(len(pivots)),
            threshold=float(self.threshold),
            deviation=round(max(currents) - min(currents), 2),
            severity=severity(full_cycles),
            explanation=(
                f"{len(pivots)} reversals of {amplitude_a:.0f} A within {self.window_s:.0f} s"
                f" (period {period_s:.1f} s, duty {duty:.0%}),"
                f" as wearing as {full_cycles:.1f} full-load cycles at {state.rating_a:.0f} A"
            ),
            pattern={
                "period_s": round(period_s, 2),
                "amplitude_a": round(amplitude_a, 2),
                "duty": round(duty, 3),
                "reversals": float(len(pivots)),
            },
        )


def _swings(pivots: tuple[Pivot, ...]) -> list[float]:
    return [abs(b.current_a - a.current_a) for a, b in pairwise(pivots)]


def _middle_a(state: State) -> float:
    return (state.low.current_a + state.high.current_a) / 2 if state.low and state.high else 0.0


def severity(full_cycles: float) -> Severity:
    """Return the severity of so many full-load cycles: all swings, two to a cycle, by the rating.

    So a small swing must last longer to weigh the same, and on a larger station longer still.
    """
    if full_cycles >= _CRITICAL_CYCLES:
        return "critical"
    return "warning" if full_cycles >= _WARNING_CYCLES else "info"


DETECTOR = Reversals()
