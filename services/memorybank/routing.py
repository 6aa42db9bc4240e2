"""Who is given what: from an event to the steps of those detectors that take it, of each scope."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeAlias

from contracts.events import CanFrameSeen, Event, OcppMessageSeen, Reading
from memorybank.detector import AnyDetector, Scope, Sign, no_tick

Detail: TypeAlias = int | str | tuple[str, str]
"""A frame's identifier, a reading's origin, the type of an OCPP message and its action."""

NARROWED: dict[type[Event], str] = {
    CanFrameSeen: "can_ids",
    Reading: "origins",
    OcppMessageSeen: "messages",
}
"""Attributes that a detector may have, by the type of which it is then given only these."""
DETAILS: dict[type[Event], Callable[[Any], Detail]] = {
    CanFrameSeen: attrgetter("can_id"),
    Reading: attrgetter("origin"),
    OcppMessageSeen: attrgetter("message_type", "action"),
}
"""What those name of an event."""

Step: TypeAlias = tuple[int, Callable[[Any, Any], Sign | None]]
"""A detector's place among those of its scope, and its step."""
Tick: TypeAlias = tuple[int, Callable[[Any, datetime], Sign | None]]
Steps: TypeAlias = tuple[Step, ...]
Route: TypeAlias = tuple[Steps, Steps, Steps]
"""Of those that watch an event's connector, its charge point and the fleet."""
Fork: TypeAlias = tuple[Callable[[Any], Detail] | None, dict[Detail, Route | None], Route | None]
"""Of one type: what to ask of an event, the route by the answer, and that of all others (None: nobody's)."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The detectors of one scope and those of their ticks that do something."""

    detectors: tuple[AnyDetector, ...]
    ticks: tuple[Tick, ...]


def rank(detectors: Iterable[AnyDetector], scope: Scope) -> Rank:
    """Return those of a scope."""
    own = tuple(detector for detector in detectors if detector.scope == scope)
    ticks = tuple((index, one.tick) for index, one in enumerate(own) if type(one).tick is not no_tick)
    return Rank(own, ticks)


def forks(ranks: Iterable[Rank]) -> dict[type[Event], Fork]:
    """Return the routes of events to the ranks of connector, charge point and fleet, by type.

    By detail where a detector names some: all others of its type go together.
    """
    ranks = tuple(ranks)
    detectors = [detector for rank in ranks for detector in rank.detectors]

    def fork(kind: type[Event]) -> Fork:
        narrowed = NARROWED.get(kind, "")
        details = {detail for detector in detectors for detail in getattr(detector, narrowed, ())}
        by_detail = {detail: _route(ranks, kind, detail) for detail in details}
        return DETAILS[kind] if details else None, by_detail, _route(ranks, kind, None)

    return {kind: fork(kind) for detector in detectors for kind in detector.takes}


def _route(ranks: tuple[Rank, ...], kind: type[Event], detail: Detail | None) -> Route | None:
    of_connector, of_charge_point, of_fleet = (_steps(rank, kind, detail) for rank in ranks)
    route = of_connector, of_charge_point, of_fleet
    return route if any(route) else None


def _steps(rank: Rank, kind: type[Event], detail: Detail | None) -> Steps:
    """Return the steps of those that are given a type with that detail."""
    narrowed = NARROWED.get(kind, "")
    return tuple(
        (index, one.step)
        for index, one in enumerate(rank.detectors)
        if kind in one.takes and detail in getattr(one, narrowed, (detail,))
    )
