"""Mass step: many connectors start, or stop, within a second or two, far more than arrive so by chance."""

import math
from bisect import bisect_left, bisect_right
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from contracts.events import CommandSent, Event, Reading, Severity
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.onsets import Onset, Onsets
from memorybank.detectors.totals import Totals

KIND = "mass-step"

_LATE_S = 3.0
"""Readings and commands may come in either order within so much: who counts waits for it."""
_RECENT_S = 15.0
"""A command may be so much older than the movement that follows it, and the readings so late."""
_TOLD_AGAIN_S = 10.0
_KEPT_ONSETS = 4096
_PRIOR_STARTS_PER_S = 1.0 / 7200.0
"""Of one connector, before anything was seen: a busy one starts a session every two hours."""
_PRIOR_S = 3600.0
"""So long a connector is seen until what was seen weighs as much as that."""
_FORGET_S = 6 * 3600.0


@dataclass(slots=True)
class State:
    """The fleet's onsets of the last seconds, how often they come, and its power; changed in place."""

    onsets: Onsets
    totals: Totals
    waiting: deque[Onset] = field(default_factory=lambda: deque(maxlen=_KEPT_ONSETS))
    recent: deque[Onset] = field(default_factory=lambda: deque(maxlen=_KEPT_ONSETS))
    ticked_s: float = 0.0
    seen_s: float = 0.0
    seen: dict[int, float] = field(default_factory=lambda: {1: 0.0, -1: 0.0})
    """Starts (1) and stops (-1) that belonged to no step, fading."""
    shown_s: float = float("-inf")
    told_s: float = float("-inf")
    since_s: float = 0.0
    direction: int = 0
    moved: int = 0
    spread_s: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class MassStep:
    """The detector and its thresholds."""

    within_s: float = 1.5
    """Seconds within which the commands of a step are sent."""
    observed_s: float = 3.0
    """The same where only readings speak, which come once a second."""
    chance: float = 1e-3
    """How probable the others may be to follow a start by chance, where all of them were commanded."""
    observed_chance: float = 1e-6
    """The same where only readings speak."""
    share: float = 0.1
    """The least share of the connectors that are seen."""
    lasts_s: float = 20.0
    """Seconds for which a step is told: until then linear ramps are through."""
    grave_w: float = 100_000.0
    """From so much power on a step is critical (judgement: a feeder carries some megawatts)."""
    name: ClassVar[str] = "mass_step"
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
            if onset is not None and onset.is_whole:
                state.waiting.append(onset)
        return None

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Judge the onsets of some seconds ago."""
        now_s = now.timestamp()
        passed_s = now_s - state.ticked_s
        state.ticked_s = now_s
        if not 0.0 <= passed_s <= 3600.0:
            passed_s = 0.0
        connectors = len(state.onsets.lines)
        self._fade(state, passed_s)
        state.totals.add(now_s, state.onsets.total_w)
        due = []
        while state.waiting and state.waiting[0].at_s <= now_s - _LATE_S:
            due.append(state.onsets.caused(state.waiting.popleft()))
        while state.recent and state.recent[0].at_s < now_s - _LATE_S - _RECENT_S:
            self._learn(state, state.recent.popleft())
        if due:
            state.recent.extend(due)
            for direction in (1, -1):
                own = [onset for onset in due if onset.direction == direction]
                if own:
                    self._judge(state, direction, own)
        if now_s - state.shown_s > self.lasts_s or now_s - state.told_s < _TOLD_AGAIN_S:
            return None
        state.told_s = now_s
        return self._sign(state, connectors)

    def _fade(self, state: State, passed_s: float) -> None:
        kept = math.exp(-passed_s / _FORGET_S)
        state.seen_s = (state.seen_s + passed_s) * kept
        for direction in state.seen:
            state.seen[direction] *= kept

    def _learn(self, state: State, onset: Onset) -> None:
        """Count an onset of some time ago as one that comes by chance, unless it was part of a step."""
        is_of_step = onset.direction == state.direction and (
            state.since_s - self.within_s <= onset.at_s <= state.shown_s + self.observed_s
        )
        if not is_of_step:
            state.seen[onset.direction] += 1.0

    def _judge(self, state: State, direction: int, due: list[Onset]) -> None:
        """Count who moved together with each onset, and compare it with what comes by chance."""
        connectors = max(1, len(state.onsets.lines))
        rate = self._rate_per_s(state, direction, connectors)
        alike = [onset for onset in state.recent if onset.direction == direction]
        # Of each connector the last one: who swings fast is one all the same.
        all_s = sorted({onset.key: onset.cause_s for onset in alike}.values())
        commands_s = {onset.key: onset.command_s for onset in alike if onset.command_s is not None}
        commanded_s = sorted(commands_s.values())
        for onset in due:
            is_commanded = onset.command_s is not None
            causes_s, within_s = (commanded_s, self.within_s) if is_commanded else (all_s, self.observed_s)
            first = bisect_left(causes_s, onset.cause_s - within_s)
            last = bisect_right(causes_s, onset.cause_s + within_s) - 1
            others = last - first
            most = self.chance if is_commanded else self.observed_chance
            chance = _at_least(others, rate * 2 * within_s)
            if others < 1 or chance > most or others + 1 < self.share * connectors:
                continue
            self._found(
                state, onset, causes_s[first : last + 1], math.log(max(chance, 1e-30)) / math.log(most)
            )

    def _found(self, state: State, onset: Onset, causes_s: list[float], score: float) -> None:
        if onset.direction != state.direction or onset.at_s - state.shown_s > self.lasts_s:
            state.moved, state.score, state.told_s = 0, 0.0, float("-inf")
            state.direction, state.since_s = onset.direction, causes_s[0]
        if len(causes_s) > state.moved:
            state.moved, state.spread_s, state.score = len(causes_s), causes_s[-1] - causes_s[0], score
        state.shown_s = max(state.shown_s, onset.at_s)

    def _rate_per_s(self, state: State, direction: int, connectors: int) -> float:
        """Return how many of the others start (or stop) in a second, as seen so far."""
        seen = state.seen[direction] + connectors * _PRIOR_STARTS_PER_S * _PRIOR_S
        return seen / (state.seen_s + _PRIOR_S) * (connectors - 1) / connectors

    def _sign(self, state: State, connectors: int) -> Sign:
        before_w = state.totals.before(state.since_s)
        step_w = state.onsets.total_w - before_w
        word = "started" if state.direction > 0 else "stopped"
        grade: Severity = "critical" if abs(step_w) >= self.grave_w else "warning"
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(state.since_s, UTC),
            score=round(state.score, 2),
            threshold=1.0,
            deviation=round(abs(step_w), 0),
            severity=grade,
            explanation=(
                f"{state.moved} of {connectors} connectors {word} within {max(state.spread_s, 0.1):.1f} s;"
                f" the summed power moved from {before_w / 1000:.0f} to {state.onsets.total_w / 1000:.0f} kW"
            ),
            pattern={
                "direction": float(state.direction),
                "share": round(state.moved / max(1, connectors), 3),
                "spread_s": round(state.spread_s, 2),
                "step_w": round(step_w, 0),
            },
        )


def _at_least(count: int, mean: float) -> float:
    """Return the probability of so many or more where `mean` are expected (Poisson)."""
    if count <= 0:
        return 1.0
    if mean > count:
        return 1.0  # no surprise, however much more
    # The first term and a bound of the others, which fall at least as fast as mean / count.
    term = math.exp(-mean + count * math.log(max(mean, 1e-12)) - math.lgamma(count + 1))
    return min(1.0, term / (1.0 - mean / (count + 1)))


DETECTOR = MassStep()
