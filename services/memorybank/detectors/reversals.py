"""Repeated current fluctuation: the current follows commands that alternate, or reverses too often by itself.

All times are event times: a backlog is judged as it happened.
"""

import math
from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.cadence import KEEP, Cadence
from memorybank.detectors.wished import Wished
from memorybank.detectors.zigzag import ZigZag

KIND = "repeated-current-fluctuation"

_WARNING_CYCLES = 3.0
"""EVerest's documentation: three openings under load may be all that a contactor survives."""
_CRITICAL_CYCLES = 10.0
_BOUND_A = 1e6
"""No current is; a false reading beyond must not overflow the sums."""
_BELIEVED_AFTER = 10
"""A clock was set back when so many readings in a row are older than the newest; fewer are late ones."""
_TOO_SOON_S = 0.6
"""After the reading before: one of the two is not the module's."""
_CONTESTED = 4
"""Readings that are doubted from then on."""
_TOLD_AGAIN_S = 10.0
_CALM_S = 60.0
"""Without a sign for so long it is over, and the wear of the next one counts from nothing."""
_FADING = 1 / 40
"""Of a second: what was 40 s ago counts a third."""


@dataclass(slots=True)
class State:
    """What a connector's current and commands did lately; changed in place."""

    swings: ZigZag
    ripples: ZigZag
    wished: Wished
    middle_a: float = 0.0
    """Between the last two turns."""
    duty: float = 0.0
    """The share of time above that, fading."""
    at_s: float = float("-inf")
    current_a: float = 0.0
    late: int = 0
    contested: int = 0
    has_can: bool = False
    swung_a: float = 0.0
    since_s: float = 0.0
    shown_s: float = float("-inf")
    told_s: float = float("-inf")
    grade: Severity = "info"


@dataclass(frozen=True, slots=True)
class Reversals:
    """The detector and its thresholds."""

    gate_a: float = 20.0
    """Amperes by which the current must come back where nothing but the current speaks: real saw-tooth ramps
    reverse by 10 A and more several times within a minute (H1)."""
    threshold: int = 10
    """Reversals within `window_s` where nothing but the current speaks: 8 gave 13 false events in 54
    half-real hours, 10 none."""
    window_s: float = 60.0
    """Seconds in which those reversals must lie."""
    longest_s: float = 75.0
    """The longest period of commands, in seconds: photovoltaic control has minutes (H3)."""
    follow_a: float = 2.5
    """Amperes by which the current must move to have followed a command: eight times a sensor's noise."""
    alternations: int = 4
    """Regular changes of the commanded current, two periods of them, if limits alternate among the
    commands."""
    starts_and_stops: int = 6
    """The same for starts and stops alone, and for changes seen only in what the module was told: a driver
    who pauses and resumes makes four within a minute (H9)."""
    rated_a: float = 300.0
    """What a connector can deliver; one that is seen to do more counts with that."""
    name: ClassVar[str] = "reversals"
    layer: ClassVar[Layer] = "periodicity"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State(ZigZag(self.gate_a, self.threshold), ZigZag(self.follow_a, KEEP), Wished(self.rated_a))

    def step(self, state: State, event: Reading | CommandSent) -> Sign | None:
        """Take the connector's next reading or command."""
        if isinstance(event, CommandSent):
            state.wished.command(event)
            return None
        current_a = event.current_a
        if current_a is None or (state.has_can and event.origin != "can"):
            return None
        at_s = event.at.timestamp()
        if at_s < state.at_s:
            state.late += 1
            if state.late < _BELIEVED_AFTER:
                return None
            _begin_anew(state)
        has_turned = self._move(state, event, at_s, current_a)
        if at_s - state.told_s < _TOLD_AGAIN_S and not has_turned:
            return None
        wished = state.wished
        if (
            wished.by_csms.run >= self.alternations
            or wished.by_charge_point.run >= self.starts_and_stops
            or state.swings.count >= self.threshold
        ):
            return self._judged(state)
        return None

    def _move(self, state: State, reading: Reading, at_s: float, current_a: float) -> bool:
        """Move the zigzags and the wishes on to a reading; return whether the current turned."""
        if not -_BOUND_A <= current_a <= _BOUND_A:
            current_a = math.copysign(_BOUND_A, current_a)
        gap_s = at_s - state.at_s
        ripples, swings, wished = state.ripples, state.swings, state.wished
        state.duty += ((state.current_a > state.middle_a) - state.duty) * _FADING
        has_turned = False
        if not ripples.quiet_from_a <= current_a <= ripples.quiet_to_a:
            has_turned = ripples.step(at_s, current_a)
            if has_turned:
                self._turned(state)
        # Two readings where one belongs: somebody else speaks for the module, and what swings may be his.
        if gap_s < _TOO_SOON_S:
            state.contested = _CONTESTED
        elif state.contested:
            state.contested -= 1
        if not (swings.quiet_from_a <= current_a <= swings.quiet_to_a or state.contested):
            if swings.step(at_s, current_a):
                has_turned = True
            wished.rating_a = max(wished.rating_a, current_a)
        state.at_s, state.late, state.current_a = at_s, 0, current_a
        if not state.has_can:
            state.has_can = reading.origin == "can"
        wished.reading(reading, at_s)
        return has_turned

    def _turned(self, state: State) -> None:
        """Take note of a ripple's turn."""
        turns = state.ripples.turns
        if len(turns) > 2:
            earlier_a, later_a = turns[-3], turns[-1]
            state.swung_a += abs(later_a - earlier_a)
            state.middle_a = (later_a + earlier_a) / 2

    def _swings_alone(self, state: State) -> bool:
        """Return whether the current reverses often enough around one middle, whatever was commanded."""
        swings = state.swings
        if swings.count < self.threshold or state.at_s - swings.last_s(self.threshold) > self.window_s:
            return False
        # A saw tooth on a ramp climbs by more than it comes back.
        turn_a, swings_a = swings.turn_a, swings.swings_a(self.threshold - 1)
        climbed_a = abs(turn_a[-1] + turn_a[-2] - turn_a[0] - turn_a[1]) / 2
        return climbed_a <= sum(swings_a) / max(1, len(swings_a))

    def _following(self, state: State) -> Cadence | None:
        """Return the wish that the current follows, if one alternates regularly."""
        wished = state.wished
        by_csms, by_charge_point = wished.by_csms, wished.by_charge_point
        if by_csms.run >= self.alternations:
            has_limits = wished.limit_moves >= self.alternations - 1
            if self._follows(state, by_csms, self.alternations if has_limits else self.starts_and_stops):
                return by_csms
        if by_charge_point.run >= self.starts_and_stops:
            return by_charge_point if self._follows(state, by_charge_point, self.starts_and_stops) else None
        return None

    def _follows(self, state: State, wish: Cadence, changes: int) -> bool:
        return (
            wish.run >= changes
            and wish.period_s <= self.longest_s
            and state.at_s - wish.last_s <= 1.5 * wish.period_s
            # The first movement turns from an extreme of long ago; another may fall into a lost reading.
            and state.ripples.turns_since(wish.since_s) >= changes - 2
        )

    def _judged(self, state: State) -> Sign | None:
        """Return what is seen now, if it is time to tell."""
        at_s = state.at_s
        wish = self._following(state)
        if wish is None and not self._swings_alone(state):
            return None
        if at_s - state.shown_s > _CALM_S:
            self._begins(state, wish)
        state.shown_s = at_s
        grade = severity(state.swung_a / 2 / state.wished.rating_a)
        if at_s - state.told_s < _TOLD_AGAIN_S and grade == state.grade:
            return None
        state.told_s, state.grade = at_s, grade
        return self._sign(state, wish, is_alone=self._swings_alone(state))

    def _begins(self, state: State, wish: Cadence | None) -> None:
        """Take note of since when it lasts; what wore the contactor before is none of it."""
        starts_s = [wish.since_s] if wish else []
        starts_s += [state.swings.last_s(self.threshold)] if self._swings_alone(state) else []
        state.since_s = min(starts_s)
        state.swung_a = sum(state.ripples.swings_a(state.ripples.turns_since(state.since_s)))
        state.told_s, state.grade = float("-inf"), "info"

    def _sign(self, state: State, wish: Cadence | None, *, is_alone: bool) -> Sign:
        """Return the sign of what the zigzags and the cadence show."""
        zigzag, wished = state.swings if is_alone else state.ripples, state.wished
        count = zigzag.turns_since(state.since_s)
        swings_a = zigzag.swings_a(count)
        span_s = state.at_s - zigzag.last_s(count) if count else 0.0
        period_s = wish.period_s if wish else _period_s(zigzag.at_s[-count:])
        smallest_a = math.floor(min(swings_a, default=zigzag.gate_a))
        said = [f"current reversed {count} times by more than {smallest_a} A within {span_s:.0f} s"]
        score = count / self.threshold if is_alone else 0.0
        if wish is not None:
            commands = "limit commands" if wished.limit_moves >= self.alternations - 1 else "commands"
            low_a, high_a = sorted((wish.to_a[-1], wish.to_a[-2]))
            said.append(f"{commands} alternated {low_a:.0f} and {high_a:.0f} A {wish.run} times")
            score = max(score, wish.run / self.alternations)
        duty = wish.duty if wish else state.duty
        full_cycles = state.swung_a / 2 / wished.rating_a
        said.append(
            f"period {period_s:.1f} s, duty {duty:.0%}, as wearing as {full_cycles:.1f} full-load cycles"
            f" at {wished.rating_a:.0f} A"
        )
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.since_s, UTC),
            score=round(score, 2),
            threshold=1.0,
            deviation=round(max(swings_a, default=0.0), 2),
            severity=state.grade,
            explanation="; ".join(said),
            pattern={
                "period_s": round(period_s, 2),
                "amplitude_a": round(sum(swings_a) / max(1, len(swings_a)), 2),
                "duty": round(duty, 3),
                "reversals": float(count),
            },
        )


def severity(full_cycles: float) -> Severity:
    """Return the severity of so many full-load cycles: all swings, two to a cycle, by the rating.

    So a small swing must last longer to weigh the same, and on a larger station longer still.
    """
    if full_cycles >= _CRITICAL_CYCLES:
        return "critical"
    return "warning" if full_cycles >= _WARNING_CYCLES else "info"


def _period_s(turns_s: "array[float]") -> float:
    """Return the mean of whole periods: from a turn to the next but one."""
    back = (len(turns_s) - 1) // 2 * 2
    return 2 * (turns_s[-1] - turns_s[-1 - back]) / back if back > 0 else 0.0


def _begin_anew(state: State) -> None:
    """Forget all that was measured with a clock that was set back since."""
    fresh = State(
        ZigZag(state.swings.gate_a, state.swings.keep),
        ZigZag(state.ripples.gate_a, state.ripples.keep),
        Wished(state.wished.rating_a),
    )
    fresh.has_can = state.has_can
    for name in State.__slots__:
        setattr(state, name, getattr(fresh, name))


DETECTOR = Reversals()
