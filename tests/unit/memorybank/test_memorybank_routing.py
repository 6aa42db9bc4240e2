"""Who is given what: types, identifiers of frames, origins of readings, ticks."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

import pytest

from contracts.events import CanFrameSeen, CommandSent, Event, Reading, StatusChanged
from detector_parts import at, command, reading
from memorybank.detector import Layer, Place, Scope, Sign, no_tick
from memorybank.detectors import found
from memorybank.watch import Watch


@dataclass(frozen=True)
class Given:
    """Notes what it is given and when it ticks."""

    name: str = "given"
    scope: Scope = "connector"
    layer: ClassVar[Layer] = "consistency"
    takes: ClassVar[tuple[type[Event], ...]] = (Reading, CanFrameSeen, CommandSent)
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
    tick = no_tick


def frame(second: float, can_id: int) -> CanFrameSeen:
    return CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data="")


def life() -> Iterator[Event]:
    for second in range(5):
        yield frame(second, 0x300)
        yield frame(second + 0.1, 0x301)
        yield frame(second + 0.2, 0x1FFF_FFFF)
        yield reading(second + 0.3, 10.0)
        yield reading(second + 0.4, 10.0, origin="ocpp")
        yield command(second + 0.5, "Reset")
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
    assert sum(isinstance(event, CommandSent) for event in narrow.events) == 5
    assert narrow.ticks == []
    assert len(wide.events) == 6 * 5


def test_what_nobody_takes_makes_no_place() -> None:
    """A frame of an identifier that none asked for."""
    watch = Watch((Narrow(),))
    watch.observe(frame(0.0, 0x123), 0.0)
    assert watch.places == 0
    watch.observe(frame(1.0, 0x300), 0.0)
    assert watch.places == 1


@pytest.mark.parametrize("detector", found(), ids=lambda detector: str(detector.name))
def test_ours_say_nothing_to_what_they_do_not_ask_for(detector: Given) -> None:
    """Given it all the same, they see and change nothing: the narrowing only saves time."""
    state = detector.start(Place("CP-1", 1))
    before = repr(state)
    can_ids, origins = getattr(detector, "can_ids", None), getattr(detector, "origins", None)
    for event in life():
        is_frame, is_reading = isinstance(event, CanFrameSeen), isinstance(event, Reading)
        is_foreign = (is_frame and can_ids is not None and event.can_id not in can_ids) or (
            is_reading and origins is not None and event.origin not in origins
        )
        if is_foreign:
            assert detector.step(state, event) is None
    assert repr(state) == before
