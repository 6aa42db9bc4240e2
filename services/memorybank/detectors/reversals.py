"""Repeated current fluctuation: the current reverses its direction too often.

A reversal is counted when the current has come back by the gate from its last extreme (hysteresis, so that
noise and ripple below the gate count nothing). All times are event times: a backlog is judged as it happened.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec

from contracts.events import Anomaly, Reading, Severity
from memorybank.detectors import anomaly_id

KIND = "repeated-current-fluctuation"


_GRAVITY: tuple[Severity, ...] = ("info", "warning", "critical")

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


@dataclass(frozen=True, slots=True)
class State:
    """Where the zigzag stands; `pivots` are the reversals within the window, oldest first.

    `swung_a` is the sum of the swings since the anomaly began: smaller ones heal no wear.
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
    anomaly: Anomaly | None = None
    crossed_at: datetime | None = None
    last_pivot_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reversals:
    """The detector and its parameters.

    `rating_a` is what a connector can deliver; one that is seen to do more counts with that.
    Eight reversals find the 8 s cycle of the base scenario about 30 s after its physical start; ten would
    need 38 s, and four would cry at every saw-tooth ramp. One start and one stop in a minute make two.
    """

    gate_a: float = 20.0
    threshold: int = 8
    rating_a: float = 300.0
    window_s: float = 60.0
    update_s: float = 10.0

    @property
    def kind(self) -> str:
        """The name of what it finds."""
        return KIND

    def start(self) -> State:
        """Return the state before the first reading."""
        return State()

    def step(self, state: State, reading: Reading) -> tuple[State, tuple[Anomaly, ...]]:
        """Take the connector's next reading; return what opened, changed or closed by it."""
        if reading.current_a is None:
            return state, ()
        closed: tuple[Anomaly, ...] = ()
        if state.at is not None and reading.at < state.at:
            if state.late + 1 < _BELIEVED_AFTER:
                return replace(state, late=state.late + 1), ()
            state, closed = self.end(state)
            state = State()
        current_a = max(-_BOUND_A, min(_BOUND_A, reading.current_a))
        offered_a = min(_BOUND_A, reading.offered_a or 0.0)
        state = self._moved(state, reading.at, current_a, offered_a)
        state, told = self._judged(state, reading)
        return state, closed + told

    def end(self, state: State) -> tuple[State, tuple[Anomaly, ...]]:
        """Close what is open, since the readings stopped coming or the clock was set back."""
        if state.anomaly is None:
            return state, ()
        ended_at = state.last_pivot_at or state.anomaly.updated_at
        closed = msgspec.structs.replace(
            state.anomaly, phase="closed", updated_at=state.at or ended_at, ended_at=ended_at
        )
        return replace(state, anomaly=None, crossed_at=None), (closed,)

    def resume(self, state: State, anomaly: Anomaly) -> State:
        """Return the state in which `anomaly`, opened before a restart, is open still."""
        crossed_at = max(state.crossed_at or anomaly.updated_at, anomaly.updated_at)
        last_pivot_at = max(state.last_pivot_at or anomaly.updated_at, anomaly.started_at)
        # What swung before the readings taken up again is known by its last period and amplitude only.
        period_s, amplitude_a = anomaly.pattern.get("period_s", 0.0), anomaly.pattern.get("amplitude_a", 0.0)
        lasted_s = (anomaly.updated_at - anomaly.started_at).total_seconds()
        swung_a = max(state.swung_a, 2 * amplitude_a * lasted_s / period_s if period_s else 0.0)
        return replace(
            state, anomaly=anomaly, crossed_at=crossed_at, last_pivot_at=last_pivot_at, swung_a=swung_a
        )

    def _moved(self, state: State, at: datetime, current_a: float, offered_a: float) -> State:
        """Return the state with the zigzag moved on to this current."""
        high_s = state.high_s
        if state.at and state.current_a > _middle_a(state):
            # A gap says nothing about the current within it.
            high_s += min((at - state.at).total_seconds(), self.window_s)
        here = Pivot(at, current_a, high_s)
        low, high, direction, reversal = state.low or here, state.high or here, state.direction, None
        if direction >= 0 and current_a > high.current_a:
            high = here
        if direction <= 0 and current_a < low.current_a:
            low = here
        if direction >= 0 and high.current_a - current_a >= self.gate_a:
            reversal, low, direction = (high if direction else None), here, -1
        elif direction <= 0 and current_a - low.current_a >= self.gate_a:
            reversal, high, direction = (low if direction else None), here, 1
        pivots, swung_a = state.pivots, state.swung_a
        if reversal is not None:
            swung_a += abs(reversal.current_a - pivots[-1].current_a) if pivots else 0.0
            pivots = (*pivots, reversal)
        begin = at - timedelta(seconds=self.window_s)
        while pivots and pivots[0].at < begin:
            pivots = pivots[1:]
        return replace(
            state,
            at=at,
            current_a=current_a,
            direction=direction,
            low=low,
            high=high,
            high_s=high_s,
            pivots=pivots,
            rating_a=max(self.rating_a, state.rating_a, current_a, offered_a),
            late=0,
            swung_a=swung_a,
            last_pivot_at=reversal.at if reversal else state.last_pivot_at,
        )

    def _judged(self, state: State, reading: Reading) -> tuple[State, tuple[Anomaly, ...]]:
        """Return the state with the anomaly opened, updated or closed, and what is to be told."""
        at, known = reading.at, state.anomaly
        if len(state.pivots) >= self.threshold:
            state = replace(state, crossed_at=at)
            if known is not None and (at - known.updated_at).total_seconds() < self.update_s:
                return state, ()
            if known is None:
                state = replace(state, swung_a=sum(_swings(state.pivots)))
            told = self._described(state, reading, known)
            return replace(state, anomaly=told), (told,)
        over = state.crossed_at and (at - state.crossed_at).total_seconds() >= self.window_s
        return self.end(state) if over else (state, ())

    def _described(self, state: State, reading: Reading, known: Anomaly | None) -> Anomaly:
        """Return the anomaly as the window shows it now."""
        charge_point_id, connector = reading.charge_point_id or "", reading.connector or 0
        pivots = state.pivots
        started_at = known.started_at if known else pivots[0].at
        swings = _swings(pivots)
        # Whole cycles only: from a pivot to the next but one.
        cycles_s = [(b.at - a.at).total_seconds() for a, b in zip(pivots, pivots[2:], strict=False)]
        period_s = sum(cycles_s) / len(cycles_s)
        amplitude_a = sum(swings) / len(swings)
        high_s = [b.high_s - a.high_s for a, b in zip(pivots, pivots[2:], strict=False)]
        duty = sum(high_s) / sum(cycles_s) if sum(cycles_s) else 0.0
        currents = [pivot.current_a for pivot in pivots]
        full_cycles = state.swung_a / 2 / state.rating_a
        score = max(float(len(pivots)), known.score if known else 0.0)
        deviation_a = max(max(currents) - min(currents), known.deviation if known else 0.0)
        return Anomaly(
            id=anomaly_id(charge_point_id, connector, KIND, started_at),
            charge_point_id=charge_point_id,
            connector=connector,
            kind=KIND,
            severity=max(severity(full_cycles), known.severity if known else "info", key=_GRAVITY.index),
            phase="updated" if known else "opened",
            started_at=started_at,
            detected_at=known.detected_at if known else reading.at,
            updated_at=reading.at,
            score=score,
            threshold=float(self.threshold),
            deviation=round(deviation_a, 2),
            pattern={
                "period_s": round(period_s, 2),
                "amplitude_a": round(amplitude_a, 2),
                "duty": round(duty, 3),
                "reversals": float(len(pivots)),
            },
            explanation=(
                f"{len(pivots)} reversals of {amplitude_a:.0f} A within {self.window_s:.0f} s"
                f" (period {period_s:.1f} s, duty {duty:.0%}),"
                f" as wearing as {full_cycles:.1f} full-load cycles at {state.rating_a:.0f} A"
            ),
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
