"""All detectors over all places: events in, findings out; what a finding recalls is added here.

An event goes to the places it happened at: its connector, its charge point (connector 0), the fleet. What
concerns a whole charge point (connector 0, or none named) goes to each of its connectors that are known.
Where there is a memory that learns, it sees the same events and what was found in them.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from msgspec import structs

from contracts.events import FLEET, Anomaly, Event
from memorybank import lifecycle
from memorybank.detector import AnyDetector, Place, Scope, Sign, nothing_learned
from memorybank.event_clock import EventClock
from memorybank.learning import Learning
from memorybank.lifecycle import Life
from memorybank.patterns import Pattern, Patterns, learned, recollection

log = logging.getLogger("memorybank")

SILENCE_S = 120.0
"""An anomaly at a place that nothing was heard of for so long (by our clock) is over."""
FORGET_S = 3600.0
_RECALLS = "; "
"""Before what is recalled, which has none of it."""

PlaceKey: TypeAlias = tuple[str, int]
"""Charge point and connector; connector 0 is the whole charge point, FLEET and 0 are all of them."""

_FLEET: PlaceKey = (FLEET, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """A change of an anomaly, and the pattern that it shows as it is known now."""

    anomaly: Anomaly
    pattern: Pattern


_Step: TypeAlias = tuple[int, Callable[[Any, Any], Sign | None]]
"""A detector's place among those of its scope, and its step."""


@dataclass(slots=True)
class _Rank:
    """The detectors of one scope, their ticks, and the steps of those that take a type of event."""

    detectors: tuple[AnyDetector, ...]
    ticks: tuple[Callable[[Any, datetime], Sign | None], ...]
    steps: dict[type[Event], tuple[_Step, ...]]


@dataclass(slots=True)
class _Watched:
    """A place with the states of its scope's detectors and what is open there, by kind."""

    place: Place
    rank: _Rank
    states: list[Any]
    clock: EventClock
    heard_s: float
    lives: dict[str, Life] = field(default_factory=dict)


@dataclass(slots=True)
class Watch:
    """The detectors' states. `shown` is which of the patterns an open anomaly shows.

    `learning` is what learns from the events and tells detectors what is usual; None: nobody does.
    """

    detectors: InitVar[Iterable[AnyDetector]]
    patterns: Patterns = field(default_factory=Patterns)
    shown: dict[UUID, UUID] = field(default_factory=dict)
    learning: Learning | None = None
    failures: int = 0
    """How often a detector failed and began afresh."""
    _elsewhere: dict[UUID, Pattern | None] = field(default_factory=dict)
    """Of each open anomaly that was told of: the like of it at another charge point."""
    _ranks: dict[Scope, _Rank] = field(init=False)
    _taken: frozenset[type[Event]] = field(init=False)
    _watched: dict[PlaceKey, _Watched] = field(default_factory=dict)
    _connectors: dict[str, dict[PlaceKey, _Watched]] = field(default_factory=dict)

    def __post_init__(self, detectors: Iterable[AnyDetector]) -> None:
        """Sort the detectors by scope and by what they take."""
        detectors = tuple(detectors)
        self._ranks = {
            scope: _rank(tuple(detector for detector in detectors if detector.scope == scope))
            for scope in ("connector", "charge_point", "fleet")
        }
        self._taken = frozenset(kind for detector in detectors for kind in detector.takes)

    @property
    def places(self) -> int:
        """How many places are watched."""
        return len(self._watched)

    def observe(self, event: Event, heard_s: float) -> list[Finding]:
        """Take an event, heard at `heard_s` of our clock; what one source tells of a place comes in order."""
        told = self._observed(event, heard_s)
        if self.learning is not None:
            self.learning.observe(event)
        return [self._found(anomaly) for anomaly in told] if told else []

    def _observed(self, event: Event, heard_s: float) -> list[Anomaly]:
        told: list[Anomaly] = []
        if type(event) not in self._taken:
            return told
        charge_point_id, connector, ranks = event.charge_point_id, event.connector, self._ranks
        if charge_point_id is not None:
            if ranks["connector"].detectors:
                if connector:
                    self._give((charge_point_id, connector), "connector", event, heard_s, told)
                elif charge_point_id in self._connectors:
                    for key in self._connectors[charge_point_id]:
                        self._give(key, "connector", event, heard_s, told)
            if ranks["charge_point"].detectors:
                self._give((charge_point_id, 0), "charge_point", event, heard_s, told)
        if ranks["fleet"].detectors:
            self._give(_FLEET, "fleet", event, heard_s, told)
        return told

    def expire(self, now_s: float) -> list[Finding]:
        """Close the anomalies of places that fell silent; forget places of an hour ago."""
        findings: list[Finding] = []
        for key, watched in list(self._watched.items()):
            silent_s = now_s - watched.heard_s
            if silent_s >= SILENCE_S:
                findings += [self._found(lifecycle.closed(life)) for life in watched.lives.values()]
                watched.lives.clear()
            if silent_s >= FORGET_S:
                del self._watched[key]
                self._connectors.get(key[0], {}).pop(key, None)
                if not self._connectors.get(key[0]):
                    self._connectors.pop(key[0], None)
        return findings

    def resume(self, events: Iterable[Event], anomalies: Iterable[Anomaly], heard_s: float) -> None:
        """Take up after a restart: the last events before it, already told of, then what was open."""
        for event in events:
            self._observed(event, heard_s)
        for watched in self._watched.values():
            watched.lives.clear()
        for anomaly in anomalies:
            key = (anomaly.charge_point_id, anomaly.connector)
            scope: Scope = "fleet" if key == _FLEET else "connector" if anomaly.connector else "charge_point"
            watched = self._watched.get(key) or self._new(key, scope, anomaly.updated_at, heard_s)
            own_words = anomaly.explanation.rpartition(_RECALLS)[0] or anomaly.explanation
            life = lifecycle.resumed(structs.replace(anomaly, explanation=own_words))
            # What happened since is known: its quiet counts from the start, not from before it.
            life.signed_at = max(life.signed_at, watched.clock.now)
            watched.lives[anomaly.kind] = life
            if self.learning is not None:
                self.learning.note(anomaly)

    def _give(self, key: PlaceKey, scope: Scope, event: Event, heard_s: float, told: list[Anomaly]) -> None:
        """Step and tick the detectors of a place."""
        at = event.at
        watched = self._watched.get(key)
        if watched is None:
            watched = self._new(key, scope, at, heard_s)
        watched.heard_s = heard_s
        states, clock, rank = watched.states, watched.clock, watched.rank
        ticks = not clock.late_at <= at < clock.due_at and clock.move(at)
        for index, step in rank.steps.get(type(event), ()):
            try:
                sign = step(states[index], event)
                if sign is not None:
                    self._signed(watched, sign, clock.told(at), told)
            except Exception as error:  # noqa: BLE001 - a detector's bug must not stop the memory
                self._failed(watched, index, error)
        if ticks:
            self._tick(watched, told)

    def _tick(self, watched: _Watched, told: list[Anomaly]) -> None:
        now, states = watched.clock.now, watched.states
        for index, tick in enumerate(watched.rank.ticks):
            try:
                sign = tick(states[index], now)
                if sign is not None:
                    self._signed(watched, sign, now, told)
            except Exception as error:  # noqa: BLE001 - a detector's bug must not stop the memory
                self._failed(watched, index, error)
        if watched.lives:
            for kind, life in list(watched.lives.items()):
                if lifecycle.is_over(life, now):
                    del watched.lives[kind]
                    told.append(lifecycle.closed(life))

    def _signed(self, watched: _Watched, sign: Sign, at: datetime, told: list[Anomaly]) -> None:
        life = watched.lives.get(sign.kind)
        if life is None:
            life = watched.lives[sign.kind] = lifecycle.opened(watched.place, sign, at)
            change: Anomaly | None = life.anomaly
        else:
            change = lifecycle.signed(life, sign, at)
        if change is not None:
            told.append(change)

    def _failed(self, watched: _Watched, index: int, error: Exception) -> None:
        """Let a detector start afresh at this place."""
        detector, place = watched.rank.detectors[index], watched.place
        log.error("%s failed on %s", detector.name, place.charge_point_id, exc_info=error)
        self.failures += 1
        watched.states[index] = detector.start(place)

    def _new(self, key: PlaceKey, scope: Scope, at: datetime, heard_s: float) -> _Watched:
        rank = self._ranks[scope]
        place = Place(*key, self.learning.expectation(*key) if self.learning else nothing_learned)
        states = [detector.start(place) for detector in rank.detectors]
        watched = self._watched[key] = _Watched(place, rank, states, EventClock(at), heard_s)
        if scope == "connector":
            self._connectors.setdefault(key[0], {})[key] = watched
        return watched

    def _found(self, anomaly: Anomaly) -> Finding:
        if self.learning is not None:
            self.learning.note(anomaly)
        pattern = self.patterns.get(self.shown.get(anomaly.id, anomaly.id))
        if pattern is None or anomaly.phase == "opened":
            pattern = learned(self.patterns.of(anomaly.charge_point_id, anomaly.kind), anomaly)
            self.patterns.keep(pattern)
        self.shown[anomaly.id] = pattern.id
        if anomaly.id not in self._elsewhere:
            self._elsewhere[anomaly.id] = self.patterns.elsewhere(anomaly)
        recalled = recollection(pattern, self._elsewhere[anomaly.id])
        if anomaly.phase == "closed":
            del self.shown[anomaly.id], self._elsewhere[anomaly.id]
        return Finding(
            structs.replace(anomaly, explanation=f"{anomaly.explanation}{_RECALLS}{recalled}"), pattern
        )


def _rank(detectors: tuple[AnyDetector, ...]) -> _Rank:
    kinds = {kind for detector in detectors for kind in detector.takes}
    return _Rank(
        detectors,
        tuple(detector.tick for detector in detectors),
        {
            kind: tuple((i, detector.step) for i, detector in enumerate(detectors) if kind in detector.takes)
            for kind in kinds
        },
    )
