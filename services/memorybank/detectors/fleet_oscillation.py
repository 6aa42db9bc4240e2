"""Fleet oscillation: connectors swing with one period and in one phase, however little each of them does.

Each connector's rises are timed; those that come regularly have a period and a phase, and the phases of one
period are compared over the fleet.
"""

import cmath
import math
from array import array
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import msgspec

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.onsets import Key, Onset, Onsets
from memorybank.detectors.totals import Totals

KIND = "fleet-oscillation"

_LATE_S = 3.0
"""Readings and commands may come in either order within so much: who compares waits for it."""
_TOLD_AGAIN_S = 10.0
_CALM_S = 60.0
_MOST_RISERS = 4096


class Riser(msgspec.Struct, gc=False):
    """A connector's last rises, the oldest first."""

    at_s: "array[float]" = msgspec.field(default_factory=lambda: array("d"))
    period_s: float = 0.0
    """0: they are not regular."""
    is_commanded: bool = False


@dataclass(frozen=True, slots=True)
class Chorus:
    """Connectors that swing together."""

    period_s: float
    members: int
    coherence: float
    """Length of the mean of their phases: 1 is one phase, 0 is every phase."""
    since_s: float


@dataclass(slots=True)
class State:
    """The fleet's rises and the sums of its power, second by second; changed in place."""

    onsets: Onsets
    totals: Totals
    waiting: deque[Onset] = field(default_factory=lambda: deque(maxlen=_MOST_RISERS))
    risers: dict[Key, Riser] = field(default_factory=dict)
    regular: set[Key] = field(default_factory=set)
    chorus: Chorus | None = None
    """Those that swing together, as found at `found_s`; the same until a rise comes or one is overdue."""
    found_s: float = float("inf")
    overdue_s: float = 0.0
    shown_s: float = float("-inf")
    told_s: float = float("-inf")
    since_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FleetOscillation:
    """The detector and its thresholds."""

    rises: int = 3
    """Rises of a connector, two periods, from which on it is known to be regular."""
    regular: float = 0.1
    """Share by which its periods may differ."""
    longest_s: float = 130.0
    """The longest period, in seconds: the sun and the price move slower."""
    apart_s: float = 0.75
    """Seconds by which commands may differ within one phase; readings, once a second, may by twice that."""
    commanded: int = 2
    """Connectors in phase that are a chorus where their commands are known."""
    observed: int = 3
    """The same where only readings speak."""
    share: float = 0.6
    """Share of all that swing regularly which must be in phase: staggered swings cancel in the sum."""
    grave_w: float = 100_000.0
    """From so much swinging power on it is critical (judgement)."""
    name: ClassVar[str] = "fleet_oscillation"
    layer: ClassVar[Layer] = "fleet"
    scope: ClassVar[Scope] = "fleet"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CommandSent)
    origins: ClassVar[frozenset[str]] = frozenset({"can"})

    def start(self, place: Place) -> State:
        """Return the state before the first event."""
        return State(place.core(Onsets), place.core(Totals))

    def step(self, state: State, event: Reading | CommandSent) -> Sign | None:
        """Take the fleet's next reading or command."""
        if isinstance(event, CommandSent):
            state.onsets.command(event)
        else:
            onset = state.onsets.reading(event)
            if onset is not None and onset.direction > 0:
                state.waiting.append(onset)
        return None

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Compare the phases of those that swing."""
        now_s = now.timestamp()
        state.totals.add(now_s, state.onsets.total_w)
        while state.waiting and state.waiting[0].at_s <= now_s - _LATE_S:
            self._rise(state, state.onsets.caused(state.waiting.popleft()))
        if len(state.regular) < self.commanded:
            return None
        if not state.found_s <= now_s <= state.overdue_s:
            state.chorus, state.found_s = self._chorus(state, now_s), now_s
        chorus = state.chorus
        if chorus is None:
            return None
        if not 0.0 <= now_s - state.shown_s <= _CALM_S:
            state.since_s, state.told_s = chorus.since_s, float("-inf")
        state.shown_s = now_s
        if now_s - state.told_s < _TOLD_AGAIN_S:
            return None
        state.told_s = now_s
        return self._sign(state, chorus)

    def _rise(self, state: State, onset: Onset) -> None:
        """Take a connector's rise; find whether it rises regularly."""
        state.found_s = float("inf")
        riser = state.risers.get(onset.key)
        if riser is None:
            if len(state.risers) >= _MOST_RISERS:
                forgotten = next(iter(state.risers))
                del state.risers[forgotten]
                state.regular.discard(forgotten)
            riser = state.risers[onset.key] = Riser()
        at_s = riser.at_s
        if at_s and onset.cause_s < at_s[-1]:
            del at_s[:]  # a clock was set back
        at_s.append(onset.cause_s)
        riser.is_commanded = onset.command_s is not None
        del at_s[: -self.rises]
        period_s = (at_s[-1] - at_s[0]) / (len(at_s) - 1) if len(at_s) == self.rises else 0.0
        allowed_s = max(0.5 if riser.is_commanded else 1.5, self.regular * period_s)
        if 0.0 < period_s <= self.longest_s and all(
            abs(at_s[i + 1] - at_s[i] - period_s) <= allowed_s for i in range(len(at_s) - 1)
        ):
            riser.period_s = period_s
            state.regular.add(onset.key)
        else:
            riser.period_s = 0.0
            state.regular.discard(onset.key)

    def _chorus(self, state: State, now_s: float) -> Chorus | None:
        """Return the largest group of one period and phase, if it is one of the fleet."""
        swinging: list[Riser] = []
        state.overdue_s = float("inf")
        for key in list(state.regular):
            riser = state.risers[key]
            overdue_s = riser.at_s[-1] + 1.5 * riser.period_s + 2 * _LATE_S
            if not riser.at_s[-1] - 60.0 <= now_s <= overdue_s:
                state.regular.discard(key)
            else:
                swinging.append(riser)
                state.overdue_s = min(state.overdue_s, overdue_s)
        if len(swinging) < self.commanded:
            return None
        periods_s = sorted(riser.period_s for riser in swinging)
        period_s = periods_s[len(periods_s) // 2]
        alike = [r for r in swinging if abs(r.period_s - period_s) <= max(0.5, self.regular * period_s)]
        is_commanded = all(riser.is_commanded for riser in alike)
        apart_s = self.apart_s * (1 if is_commanded else 2)
        latest_s = max(riser.at_s[-1] for riser in alike)
        # A rise that is still to come, or was lost, is a period away from the others.
        phases_s = sorted((riser.at_s[-1] - latest_s) % period_s for riser in alike)
        members_s = _densest(phases_s, period_s, apart_s)
        needed = max(self.commanded if is_commanded else self.observed, self.share * len(swinging))
        if len(members_s) < needed:
            return None
        mean = sum(cmath.exp(2j * math.pi * phase_s / period_s) for phase_s in members_s) / len(members_s)
        return Chorus(period_s, len(members_s), abs(mean), min(riser.at_s[0] for riser in alike))

    def _sign(self, state: State, chorus: Chorus) -> Sign:
        swing_w, line = state.totals.line(chorus.period_s)
        connectors = len(state.onsets.lines)
        grade: Severity = "critical" if swing_w >= self.grave_w else "warning"
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.since_s, UTC),
            score=round(chorus.members * chorus.coherence / self.commanded, 2),
            threshold=1.0,
            deviation=round(swing_w, 0),
            severity=grade,
            explanation=(
                f"{chorus.members} of {connectors} connectors rise together every {chorus.period_s:.1f} s"
                f" (phase coherence {chorus.coherence:.2f}); the summed power swings by"
                f" {swing_w / 1000:.0f} kW, {line:.0%} of its variation at that period"
            ),
            pattern={
                "period_s": round(chorus.period_s, 2),
                "share": round(chorus.members / max(1, connectors), 3),
                "coherence": round(chorus.coherence, 3),
                "swing_w": round(swing_w, 0),
            },
        )


def _densest(phases_s: list[float], period_s: float, apart_s: float) -> list[float]:
    """Return the most of the sorted phases that lie within `apart_s`, around the circle."""
    count, best = len(phases_s), (0, 0)
    circle = phases_s + [phase_s + period_s for phase_s in phases_s]
    end = 0
    for begin in range(count):
        end = max(end, begin)
        while end + 1 < begin + count and circle[end + 1] - circle[begin] <= apart_s:
            end += 1
        best = max(best, (end - begin + 1, begin))
    return circle[best[1] : best[1] + best[0]]


DETECTOR = FleetOscillation()
