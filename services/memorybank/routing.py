"""Who is given what: from an event to the steps of those detectors that take it, of each scope."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from contracts.events import CanFrameSeen, Event, Reading
from memorybank.detector import AnyDetector, Scope, Sign, no_tick

_CAN_IDS, _ORIGINS = "can_ids", "origins"
"""Attributes that a detector may have; without them it is given all."""

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


@dataclass(frozen=True, slots=True)
class Routes:
    """The routes by type of event; of frames and readings, where some take not all of them, by more."""

    by_type: dict[type[Event], Route]
    by_can_id: dict[int, Route]
    by_origin: dict[str, Route]


def routes(ranks: Iterable[Rank]) -> Routes:
    """Return the routes of events to the ranks of connector, charge point and fleet."""
    of_connector, of_charge_point, of_fleet = ranks

    def route(kind: type[Event], detail: int | str | None = None) -> Route:
        return (
            _steps(of_connector, kind, detail),
            _steps(of_charge_point, kind, detail),
            _steps(of_fleet, kind, detail),
        )

    detectors = (*of_connector.detectors, *of_charge_point.detectors, *of_fleet.detectors)
    named = {can_id for detector in detectors for can_id in getattr(detector, _CAN_IDS, ())}
    return Routes(
        {kind: route(kind) for detector in detectors for kind in detector.takes},
        {can_id: route(CanFrameSeen, can_id) for can_id in named},
        {origin: route(Reading, origin) for origin in ("can", "ocpp")},
    )


def _steps(rank: Rank, kind: type[Event], detail: int | str | None) -> Steps:
    """Return the steps of those that are given a type, and of it frames or readings of that detail."""
    narrowed = {CanFrameSeen: _CAN_IDS, Reading: _ORIGINS}.get(kind, "")
    return tuple(
        (index, one.step)
        for index, one in enumerate(rank.detectors)
        if kind in one.takes and detail in getattr(one, narrowed, (detail,))
    )
