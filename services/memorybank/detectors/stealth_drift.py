"""Stealth drift: the limit creeps one way in steps too small to see, by commands or on the bus.

Judged is the limit, never the current: a vehicle that tapers by itself (H2) or a module that derates (H8)
leaves the limit where it is.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from msgspec import Struct

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors.sent_limits import SentLimits

KIND = "stealth-drift"

_TOLD_AGAIN_S = 10.0
_NOMINAL_V = 400.0
_LEAST_A = 0.05
"""Limits are multiples of 0.1 A."""


class Creep(Struct, gc=False):
    """The CUSUM of a limit's small steps one way; changed in place. `sum_a` has the direction's sign."""

    limit_a: float | None = None
    sum_a: float = 0.0
    against_a: float = 0.0
    """How far it went back on the way."""
    steps: int = 0
    from_a: float = 0.0
    since_s: float = 0.0
    at_s: float = 0.0
    """When the last step was."""

    def restart(self, at_s: float, limit_a: float) -> None:
        """Begin to count at this limit."""
        self.limit_a = self.from_a = limit_a
        self.sum_a, self.against_a, self.steps = 0.0, 0.0, 0
        self.since_s = self.at_s = at_s


@dataclass(slots=True)
class State:
    """What a connector's limit did; changed in place."""

    limits: SentLimits
    asked: Creep = field(default_factory=Creep)
    """By the CSMS's commands, in tenths of an ampere."""
    told: Creep = field(default_factory=Creep)
    """What the charge point told its module, in whole amperes."""
    voltage_v: float = _NOMINAL_V
    told_a: float | None = None
    said_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class StealthDrift:
    """The detector and its thresholds."""

    most_step_a: float = 2.0
    """Amperes from which a change is a step that everybody sees; it begins the count anew."""
    drift_a: float = 8.0
    """Amperes of drift that are told: photovoltaic control of AC (H3) has 6 to 11 A, which is less."""
    steps: int = 6
    """Steps that it takes at least."""
    least_a_per_min: float = 0.2
    """Slower than that a limit follows the day; it is taken off the sum as time goes by."""
    most_a_per_min: float = 4.0
    """Faster than that a limit is controlled for all to see."""
    back: float = 0.15
    """Share of the way by which it may go back: a control loop goes to and fro."""
    pause_s: float = 1200.0
    """Without a step for so long the count begins anew."""
    rated_a: float = 300.0
    """What a connector can deliver: a drift is as grave as its share of that."""
    name: ClassVar[str] = "stealth_drift"
    layer: ClassVar[Layer] = "residual"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})
    tick = no_tick

    def start(self, place: Place) -> State:
        """Return the state before the first event."""
        return State(place.core(SentLimits))

    def step(self, state: State, event: Reading | CommandSent) -> Sign | None:
        """Take the connector's next reading or command."""
        if isinstance(event, CommandSent):
            if state.limits.note(event, state.voltage_v) is not None:
                limit_a = state.limits.limit_a
                if limit_a is not None:
                    self._note(state.asked, event.at.timestamp(), limit_a)
            return None
        commanded_a = event.commanded_a
        if commanded_a != state.told_a and commanded_a is not None:
            state.told_a = commanded_a
            self._note(state.told, event.at.timestamp(), commanded_a)
        if event.voltage_v:
            state.voltage_v = event.voltage_v
        if state.asked.steps < self.steps and state.told.steps < self.steps:
            return None
        return self._judged(state, event.at.timestamp())

    def _note(self, creep: Creep, at_s: float, limit_a: float) -> None:
        """Add a change of the limit to its sum, or begin anew where it is none of a creep."""
        before_a, passed_s = creep.limit_a, at_s - creep.at_s
        if (
            before_a is None
            or not 0.0 <= passed_s <= self.pause_s
            or abs(limit_a - before_a) > self.most_step_a
        ):
            creep.restart(at_s, limit_a)
            return
        change_a = limit_a - before_a
        if abs(change_a) < _LEAST_A:
            return
        creep.limit_a = limit_a
        if creep.sum_a * change_a < 0.0:
            creep.against_a += abs(change_a)
            if creep.against_a > max(1.0, self.back * abs(creep.sum_a)):
                creep.restart(at_s, limit_a)
                creep.sum_a, creep.steps, creep.from_a = change_a, 1, before_a
                return
        allowed_a = self.least_a_per_min * passed_s / 60
        sum_a = abs(creep.sum_a + change_a) - allowed_a
        direction = 1.0 if creep.sum_a + change_a > 0.0 else -1.0
        if sum_a <= 0.0:
            creep.restart(at_s, limit_a)
            return
        creep.sum_a, creep.steps, creep.at_s = direction * sum_a, creep.steps + 1, at_s

    def _drifts(self, creep: Creep, at_s: float) -> bool:
        if creep.limit_a is None or creep.steps < self.steps:
            return False
        drift_a, lasted_s = abs(creep.limit_a - creep.from_a), creep.at_s - creep.since_s
        still_s = max(180.0, 3 * lasted_s / creep.steps)
        is_slow = drift_a <= self.most_a_per_min * max(lasted_s, 1.0) / 60
        return drift_a >= self.drift_a and is_slow and at_s - creep.at_s <= still_s

    def _judged(self, state: State, at_s: float) -> Sign | None:
        drifting = [creep for creep in (state.asked, state.told) if self._drifts(creep, at_s)]
        if not drifting:
            return None
        if not 0.0 <= at_s - state.said_s < _TOLD_AGAIN_S:
            state.said_s = at_s
            return self._sign(max(drifting, key=lambda creep: abs(creep.sum_a)))
        return None

    def _sign(self, creep: Creep) -> Sign:
        limit_a = creep.limit_a or 0.0
        drift_a, lasted_s = limit_a - creep.from_a, max(1.0, creep.at_s - creep.since_s)
        rate = drift_a / lasted_s * 60
        share = abs(drift_a) / self.rated_a
        grade: Severity = "critical" if share >= 0.5 else "warning" if share >= 0.1 else "info"
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(creep.since_s, UTC),
            score=round(abs(drift_a) / self.drift_a, 2),
            threshold=1.0,
            deviation=round(abs(drift_a), 1),
            severity=grade,
            explanation=(
                f"limit crept from {creep.from_a:.1f} to {limit_a:.1f} A in {creep.steps} steps of"
                f" {abs(drift_a) / creep.steps:.1f} A within {lasted_s / 60:.0f} min ({rate:+.2f} A a minute)"
            ),
            pattern={
                "a_per_min": round(rate, 3),
                "step_a": round(abs(drift_a) / creep.steps, 2),
                "every_s": round(lasted_s / creep.steps, 1),
            },
        )


DETECTOR = StealthDrift()
