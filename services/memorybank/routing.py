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


def routes(ranks: Iterable[Rank]) -> tuple[dict[type[Event], Route], dict[Detail, Route]]:
    """Return the routes of events to the ranks of connector, charge point and fleet.

    By type, and by detail where a detector names some: all others of its type go by their type.
    """
    of_connector, of_charge_point, of_fleet = ranks

    def route(kind: type[Event], detail: Detail | None = None) -> Route:
        return (
            _steps(of_connector, kind, detail),
            _steps(of_charge_point, kind, detail),
            _steps(of_fleet, kind, detail),
        )

    detectors = (*of_connector.detectors, *of_charge_point.detectors, *of_fleet.detectors)
    return (
        {kind: route(kind) for detector in detectors for kind in detector.takes},
        {
            detail: route(kind, detail)
            for kind, name in NARROWED.items()
            for detector in detectors
            for detail in getattr(detector, name, ())
        },
    )


def _steps(rank: Rank, kind: type[Event], detail: Detail | None) -> Steps:
    """Return the steps of those that are given a type with that detail."""
    narrowed = NARROWED.get(kind, "")
    return tuple(
        (index, one.step)
        for index, one in enumerate(rank.detectors)
        if kind in one.takes and detail in getattr(one, narrowed, (detail,))
    )
