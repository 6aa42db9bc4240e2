"""All detectors over all places: events in, findings out; what a finding recalls is added here.

An event goes to the places it happened at: its connector, its charge point (connector 0), the fleet. What
concerns a whole charge point (connector 0, or none named) goes to each of its connectors that are known.
Where there is a memory that learns, it sees the same events and what was found in them.
"""

import logging
from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import structs

from contracts.events import FLEET, Anomaly, Event, Reading
from memorybank import lifecycle
from memorybank.detector import (
    SCOPES,
    AnyDetector,
    Place,
    Scope,
    Sign,
    nothing_learned,
)
from memorybank.event_clock import EventClock
from memorybank.learning import Learning
from memorybank.lifecycle import Life
from memorybank.patterns import Pattern, Patterns, learned, recollection
from memorybank.routing import Fork, Rank, Steps, forks, rank

log = logging.getLogger("memorybank")

SILENCE_S = 120.0
"""An anomaly at a place that nothing was heard of for so long (by our clock) is over."""
FORGET_S = 3600.0
_RECALLS = "; "
"""Before what is recalled, which has none of it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A change of an anomaly, and the pattern that it shows as it is known now."""

    anomaly: Anomaly
    pattern: Pattern


@dataclass(frozen=True, slots=True)
class _Recalled:
    """The pattern that an anomaly shows, the like of it at another charge point, and both in words."""

    pattern: Pattern
    elsewhere: Pattern | None
    words: str


@dataclass(slots=True)
class _Watched:
    """A place with the states of its scope's detectors and what is open there, by kind."""

    place: Place
    rank: Rank
    states: list[Any]
    clock: EventClock
    heard_s: float = 0.0
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
    _recalled: dict[UUID, _Recalled] = field(default_factory=dict)
    """Of each open anomaly that was told of."""
    _ranks: dict[Scope, Rank] = field(init=False)
    _forks: dict[type[Event], Fork] = field(init=False)
    _places: dict[str, dict[int, _Watched]] = field(default_factory=dict)
    """By charge point and connector: 0 is the whole charge point; the fleet is FLEET's."""

    def __post_init__(self, detectors: Iterable[AnyDetector]) -> None:
        """Sort the detectors by scope and by what they take."""
        detectors = tuple(detectors)
        self._ranks = {scope: rank(detectors, scope) for scope in SCOPES}
        self._forks = forks(self._ranks.values())

    @property
    def places(self) -> int:
        """How many places are watched."""
        return sum(map(len, self._places.values()))

    def observe(self, event: Event, heard_s: float) -> list[Finding]:
        """Take an event, heard at `heard_s` of our clock; what one source tells of a place comes in order."""
        return self.observe_all((event,), heard_s)

    def observe_all(self, events: Iterable[Event], heard_s: float) -> list[Finding]:
        """Take events one after the other, as `observe` does each."""
        findings: list[Finding] = []
        told: list[Anomaly] = []
        learning = self.learning
        for event in events:
            self._observed(event, heard_s, told)
            if learning is not None and type(event) is Reading:
                learning.observe(event)
            if told:
                findings += map(self._found, told)
                told.clear()
        return findings

    def _observed(self, event: Event, heard_s: float, told: list[Anomaly]) -> None:
        fork = self._forks.get(type(event))
        if fork is None:
            return
        detail, by_detail, others = fork
        route = others if detail is None else by_detail.get(detail(event), others)
        if route is None:
            return
        of_connector, of_charge_point, of_fleet = route
        charge_point_id = event.charge_point_id
        if charge_point_id is not None:
            if of_connector:
                connector = event.connector
                if connector:
                    self._give(charge_point_id, connector, of_connector, event, heard_s, told)
                else:
                    for number in self._connectors(charge_point_id):
                        self._give(charge_point_id, number, of_connector, event, heard_s, told)
            if of_charge_point:
                self._give(charge_point_id, 0, of_charge_point, event, heard_s, told)
        if of_fleet:
            self._give(FLEET, 0, of_fleet, event, heard_s, told)

    def _connectors(self, charge_point_id: str) -> list[int]:
        """Return the connectors of a charge point that are known."""
        return [number for number in self._places.get(charge_point_id, ()) if number]

    def expire(self, now_s: float) -> list[Finding]:
        """Close the anomalies of places that fell silent; forget places of an hour ago."""
        findings: list[Finding] = []
        for charge_point_id, places in list(self._places.items()):
            for connector, watched in list(places.items()):
                silent_s = now_s - watched.heard_s
                if silent_s >= SILENCE_S:
                    findings += [self._found(lifecycle.closed(life)) for life in watched.lives.values()]
                    watched.lives.clear()
                if silent_s >= FORGET_S:
                    del places[connector]
            if not places:
                del self._places[charge_point_id]
        return findings

    def resume(self, events: Iterable[Event], anomalies: Iterable[Anomaly], heard_s: float) -> None:
        """Take up after a restart: the last events before it, already told of, then what was open."""
        for event in events:
            self._observed(event, heard_s, [])
        for places in self._places.values():
            for watched in places.values():
                watched.lives.clear()
        for anomaly in anomalies:
            charge_point_id, connector = anomaly.charge_point_id, anomaly.connector
            known = self._places.get(charge_point_id, {}).get(connector)
            watched = known or self._new(charge_point_id, connector, anomaly.updated_at)
            watched.heard_s = known.heard_s if known else heard_s
            own_words = anomaly.explanation.rpartition(_RECALLS)[0] or anomaly.explanation
            life = lifecycle.resumed(structs.replace(anomaly, explanation=own_words))
            # What happened since is known: its quiet counts from the start, not from before it.
            life.signed_at = max(life.signed_at, watched.clock.now)
            watched.lives[anomaly.kind] = life
            if self.learning is not None:
                self.learning.note(anomaly)

    def _give(
        self,
        charge_point_id: str,
        connector: int,
        steps: Steps,
        event: Event,
        heard_s: float,
        told: list[Anomaly],
    ) -> None:
        """Step and tick the detectors of a place."""
        at = event.at
        try:
            watched = self._places[charge_point_id][connector]
        except KeyError:
            watched = self._new(charge_point_id, connector, at)
        clock = watched.clock
        ticks = not clock.now <= at < clock.due_at and clock.move(at, heard_s - watched.heard_s)
        watched.heard_s = heard_s
        states = watched.states
        for index, step in steps:
            try:
                sign = step(states[index], event)
                if sign is not None:
                    self._signed(watched, sign, clock.told(at), told)
            except Exception as error:  # noqa: BLE001 - a detector's bug must not stop the memory
                self._failed(watched, index, error)
        if ticks and (watched.rank.ticks or watched.lives):
            self._tick(watched, told)

    def _tick(self, watched: _Watched, told: list[Anomaly]) -> None:
        now = watched.clock.now
        for index, tick in watched.rank.ticks:
            try:
                sign = tick(watched.states[index], now)
                if sign is not None:
                    self._signed(watched, sign, now, told)
            except Exception as error:  # noqa: BLE001 - a detector's bug must not stop the memory
                self._failed(watched, index, error)
        for kind, life in list(watched.lives.items()) if watched.lives else ():
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
        place.cores.clear()
        watched.states[index] = detector.start(place)

    def _new(self, charge_point_id: str, connector: int, at: datetime) -> _Watched:
        scope: Scope = "connector" if connector else "fleet" if charge_point_id == FLEET else "charge_point"
        rank = self._ranks[scope]
        learned = self.learning.expectation(charge_point_id, connector) if self.learning else nothing_learned
        place = Place(charge_point_id, connector, learned)
        states = [detector.start(place) for detector in rank.detectors]
        watched = _Watched(place, rank, states, EventClock(at))
        self._places.setdefault(charge_point_id, {})[connector] = watched
        return watched

    def _found(self, anomaly: Anomaly) -> Finding:
        if self.learning is not None:
            self.learning.note(anomaly)
        pattern = self.patterns.get(self.shown.get(anomaly.id, anomaly.id))
        if pattern is None or anomaly.phase == "opened":
            pattern = learned(self.patterns.of(anomaly.charge_point_id, anomaly.kind), anomaly)
            self.patterns.keep(pattern)
        self.shown[anomaly.id] = pattern.id
        known = self._recalled.get(anomaly.id)
        if known is None or known.pattern is not pattern:
            elsewhere = known.elsewhere if known else self.patterns.elsewhere(anomaly)
            known = _Recalled(pattern, elsewhere, f"{_RECALLS}{recollection(pattern, elsewhere)}")
            self._recalled[anomaly.id] = known
        if anomaly.phase == "closed":
            del self.shown[anomaly.id], self._recalled[anomaly.id]
        return Finding(structs.replace(anomaly, explanation=anomaly.explanation + known.words), pattern)
