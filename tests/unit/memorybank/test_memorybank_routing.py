"""Who is given what: types, identifiers of frames, origins of readings, ticks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import pytest

from contracts.events import CanFrameSeen, CommandSent, Event, OcppMessageSeen, Reading, StatusChanged
from detector_parts import at, command, reading
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors import found
from memorybank.routing import DETAILS, NARROWED
from memorybank.watch import Watch


@dataclass(frozen=True)
class Given:
    """Notes what it is given and when it ticks."""

    name: str = "given"
    scope: Scope = "connector"
    layer: ClassVar[Layer] = "consistency"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CanFrameSeen, CommandSent, OcppMessageSeen)
    events: list[Event] = field(default_factory=list)
    ticks: list[datetime] = field(default_factory=list)

    def start(self, _place: Place) -> None:
        return None

    def step(self, _state: None, event: Event) -> Sign | None:
        self.events.append(event)
        return None

    def tick(self, _state: None, now: datetime) -> Sign | None:
        self.ticks.append(now)
        return None


@dataclass(frozen=True)
class Narrow(Given):
    """Keeps to some of the frames and readings."""

    can_ids: ClassVar[frozenset[int]] = frozenset({0x300, 0x7FF})
    origins: ClassVar[frozenset[str]] = frozenset({"ocpp"})
    messages: ClassVar[frozenset[tuple[str, str]]] = frozenset({("call", "Heartbeat")})
    tick = no_tick


def frame(second: float, can_id: int) -> CanFrameSeen:
    return CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data="")


def message(second: float, message_type: str, action: str) -> OcppMessageSeen:
    return OcppMessageSeen(
        at=at(second),
        charge_point_id="CP-1",
        connector=1,
        direction="received",
        message_type=message_type,
        action=action,
    )


def life() -> Iterator[Event]:
    for second in range(5):
        yield frame(second, 0x300)
        yield frame(second + 0.1, 0x301)
        yield frame(second + 0.2, 0x1FFF_FFFF)
        yield reading(second + 0.3, 10.0)
        yield reading(second + 0.4, 10.0, origin="ocpp")
        yield command(second + 0.5, "Reset")
        yield message(second + 0.52, "call", "Heartbeat")
        yield message(second + 0.54, "call_result", "Heartbeat")
        yield message(second + 0.56, "call", "DataTransfer")
        yield StatusChanged(at=at(second + 0.6), charge_point_id="CP-1", connector=1, status="Charging")


def watched(*detectors: Given) -> Watch:
    watch = Watch(detectors)
    for event in life():
        watch.observe(event, 0.0)
    return watch


@pytest.mark.parametrize("scope", ["connector", "charge_point", "fleet"])
def test_a_detector_is_given_what_it_takes(scope: Scope) -> None:
    """All of the types that it names, in order, and a tick a second."""
    detector = Given(scope=scope)
    watched(detector)
    assert detector.events == [event for event in life() if isinstance(event, Given.takes)]
    assert len(detector.ticks) == 4


def test_a_detector_that_keeps_to_less_is_given_less() -> None:
    """Its frames, its readings, all commands; whoever is beside it gets all."""
    narrow, wide = Narrow(), Given()
    watched(narrow, wide)
    assert {event.can_id for event in narrow.events if isinstance(event, CanFrameSeen)} == {0x300}
    assert {event.origin for event in narrow.events if isinstance(event, Reading)} == {"ocpp"}
    messages = [event for event in narrow.events if isinstance(event, OcppMessageSeen)]
    assert {(event.message_type, event.action) for event in messages} == {("call", "Heartbeat")}
    assert sum(isinstance(event, CommandSent) for event in narrow.events) == 5
    assert narrow.ticks == []
    assert len(wide.events) == 9 * 5


def test_what_nobody_takes_makes_no_place() -> None:
    """A frame of an identifier that none asked for."""
    watch = Watch((Narrow(),))
    watch.observe(frame(0.0, 0x123), 0.0)
    assert watch.places == 0
    watch.observe(frame(1.0, 0x300), 0.0)
    assert watch.places == 1


@pytest.mark.parametrize("detector", found(), ids=lambda detector: str(detector.name))
def test_ours_narrow_what_they_take(detector: Given) -> None:
    """What a detector names it can be given: of a type that it takes, in the form that events have."""
    for event in life():
        asked = getattr(detector, NARROWED.get(type(event), ""), None)
        if asked is not None:
            assert type(event) in detector.takes
            assert {type(detail) for detail in asked} == {type(DETAILS[type(event)](event))}
