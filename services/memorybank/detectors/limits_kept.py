"""Limits that are none: a profile above what the connector is rated for, or a current above its own limit.

The current is held against what the module itself offers, so whoever set that limit, it is the converter that
does not keep it. While a current falls it may be above a limit that was lowered: ramps take their time.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.sent_limits import SentLimits
from memorybank.detectors.telling import Telling

KIND = "profile-over-limit"

_HIGHEST_V = 1000.0
"""A limit in watts is above a rating in amperes only if it is so at the highest voltage of any connector."""
_ROUNDING_A = 0.5
_FALLING_A = 1.5
"""A current that falls by more from one reading to the next is on its way down; noise is a third of it."""
_GAP_S = 3.0
_DANGER = 1.1
"""From so much over its rating on a module switches off, if it can."""


@dataclass(slots=True)
class State(Telling):
    """The profiles in force, and since when the current is over its limit; changed in place."""

    limits: SentLimits = field(default_factory=SentLimits)
    set_a: float = 0.0
    """The set point, where that is over the rating; else 0."""
    set_s: float = 0.0
    before_a: float = 0.0
    before_s: float = float("-inf")
    over_s: float | None = None
    """Since when the current is over its limit."""


@dataclass(frozen=True, slots=True)
class LimitsKept:
    """The detector and its thresholds."""

    rated_a: float = 300.0
    """What a connector can deliver: no set point is higher."""
    over: float = 1.1
    """Times the limit that a current may reach (EVerest's soft over-current rule)."""
    over_a: float = 0.5
    """Amperes that it may be above that (the same rule)."""
    sensor_a: float = 1.0
    """Amperes that the current's sensor may be off: a bias of 0.5 A, and its noise."""
    hold_s: float = 7.0
    """Seconds for which it must be above (the same rule)."""
    name: ClassVar[str] = "limits_kept"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, _place: Place) -> State:
        """Return the state before the first event."""
        return State()

    def step(self, state: State, event: Reading | CommandSent) -> Sign | None:
        """Take the connector's next reading or command."""
        if isinstance(event, CommandSent):
            return self._ordered(state, event)
        current_a, offered_a = event.current_a, event.offered_a
        if current_a is None or offered_a is None:
            return None
        if state.set_a and event.transaction_id is not None:
            return self._said(state, event.at.timestamp(), current_a, offered_a)
        if current_a <= self.over * offered_a + self.over_a + self.sensor_a:
            state.over_s = None
            return None
        return self._exceeded(state, event.at.timestamp(), current_a, offered_a)

    def _ordered(self, state: State, command: CommandSent) -> Sign | None:
        """Take note of a command; a profile over the rating is one as soon as it is accepted."""
        if "Profile" not in command.command:
            return None
        state.limits.note(command, _HIGHEST_V)
        limit_a, at_s = state.limits.limit_a, command.at.timestamp()
        if limit_a is None or limit_a <= self.rated_a + _ROUNDING_A:
            state.set_a = 0.0
            return None
        if not state.set_a:
            state.set_s = at_s
        state.set_a = limit_a
        return self._said(state, at_s, 0.0, 0.0)

    def _exceeded(self, state: State, at_s: float, current_a: float, offered_a: float) -> Sign | None:
        """Take a current over its limit; return a sign once that has lasted."""
        fell, gap_s = current_a < state.before_a - _FALLING_A, at_s - state.before_s
        state.before_a, state.before_s = current_a, at_s
        if state.over_s is None or fell or not 0.0 <= gap_s <= _GAP_S:
            state.over_s = at_s
        if at_s - state.over_s < self.hold_s:
            return None
        return self._said(state, at_s, current_a, offered_a)

    def _said(self, state: State, at_s: float, current_a: float, offered_a: float) -> Sign | None:
        since_s = state.set_s if state.set_a else state.over_s or at_s
        if not state.is_due(at_s, since_s):
            return None
        over_a = max(state.set_a - self.rated_a, current_a - offered_a)
        said = []
        if state.set_a:
            said.append(f"the limit was set to {state.set_a:.0f} A, and {self.rated_a:.0f} A is the rating")
        if current_a > offered_a + self.sensor_a:
            said.append(f"{current_a:.0f} A flow where {offered_a:.0f} A are offered")
        if not state.set_a:
            said.append(f"more than {self.over * 100:.0f} % and {self.over_a:g} A for {at_s - since_s:.0f} s")
        grade: Severity = "critical" if current_a > _DANGER * self.rated_a else "warning"
        return Sign(
            kind=KIND,
            since=state.since,
            score=round(max(state.set_a, current_a) / (self.rated_a if state.set_a else offered_a or 1.0), 2),
            threshold=1.0 if state.set_a else self.over,
            deviation=round(over_a, 1),
            severity=grade,
            explanation="; ".join(said),
            pattern={"set_a": round(state.set_a, 1)} if state.set_a else {"over_a": round(over_a, 1)},
        )


DETECTOR = LimitsKept()
