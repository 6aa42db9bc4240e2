"""Somebody else under a charge point's identity, and what only looks like that."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, told

from contracts.events import Event, SystemEvent
from memorybank.detector import Place
from memorybank.detectors.charge_point_impersonation import DETECTOR


def fact(second: float, name: str, **detail: object) -> SystemEvent:
    return SystemEvent(at=at(second), charge_point_id="CP-1", service="csms", name=name, detail=detail)


def booted(second: float, serial_number: str | None = "SN-1") -> SystemEvent:
    return fact(second, "charge_point_booted", vendor="V", model="M", serial_number=serial_number)


def replaced(second: float) -> SystemEvent:
    return fact(second, "connection_replaced", enrolled=True)


def refused(second: float, http_status: int = 401) -> SystemEvent:
    return fact(second, "connection_refused", status=http_status, reason="wrong password")


def opened(second: float) -> SystemEvent:
    return fact(second, "connection_opened", enrolled=True)


def fight(begin_s: float, every_s: float, visits: int, serial_number: str) -> Iterator[Event]:
    """Somebody takes the connection and boots; the charge point takes it back two seconds later."""
    for visit in range(visits):
        second = begin_s + visit * every_s
        yield replaced(second)
        yield booted(second + 0.1, serial_number)
        yield replaced(second + 2.0)


def seen(*events: Event) -> list[Told]:
    return told(DETECTOR, events, Place("CP-1", 0))


def test_another_serial_number_is_told_of_at_its_boot() -> None:
    signs = seen(booted(0), *fight(100, 10, 4, "EVIL"))
    first = signs[0]
    assert first.second == pytest.approx(100.1)
    assert (first.sign.kind, first.sign.severity, first.sign.since) == (
        "charge-point-impersonation",
        "critical",
        at(100),
    )
    assert first.sign.explanation == (
        'serial number "EVIL" booted as CP-1, which is "SN-1"; its connection was taken over once'
    )
    assert signs[-1].sign.explanation.endswith("; its connection was taken over 7 times within 30 s")
    assert max(b.second - a.second for a, b in pairwise(signs)) <= 20.0


@pytest.mark.parametrize("every_s", [2.5, 10.0, 60.0])
def test_who_has_stolen_the_serial_number_too_is_seen_by_the_fight(every_s: float) -> None:
    first = seen(booted(0), *fight(100, every_s, 5, "SN-1"))[0]
    assert first.second == pytest.approx(100 + every_s + 2)
    assert first.sign.severity == "warning"
    assert first.sign.explanation == f"its connection was taken over 4 times within {every_s + 2:.0f} s"


def test_a_memory_that_knows_the_impostor_only_sees_the_fight() -> None:
    """Joining midway: nobody can tell which serial number is the right one."""
    signs = seen(*fight(100, 10, 5, "EVIL"))
    assert signs[0].second == pytest.approx(112)


def test_who_does_not_know_the_password_is_told_of_while_the_charge_point_is_there() -> None:
    first = seen(opened(0), booted(1), *map(refused, range(100, 200, 10)))[0]
    assert (first.second, first.sign.severity) == (120, "info")
    assert first.sign.explanation == "somebody else was refused in its name 3 times within 20 s"


SILENT = {
    "a charge point whose own password is wrong": [*map(refused, range(0, 100, 5))],
    "it was connected before": [
        opened(0),
        fact(50, "connection_closed", code=1006),
        *map(refused, range(60, 160, 5)),
    ],
    "somebody speaks another protocol": [opened(0), *(refused(second, 400) for second in range(0, 90, 9))],
    "somebody tries twice": [opened(0), refused(10), refused(20), refused(400), refused(410)],
    "boots": [booted(second) for second in range(0, 1000, 50)],
    "a line that broke unnoticed": [booted(0), replaced(100), booted(100.2)],
    "one that does so often": [booted(0), *map(replaced, range(100, 1000, 70))],
    "no serial number is told": [booted(0), booted(50, None), booted(60, "")],
    "connections come and go": [
        fact(second, name)
        for second in range(0, 100, 5)
        for name in ("connection_closed", "connection_opened")
    ],
}


@pytest.mark.parametrize("events", SILENT.values(), ids=SILENT.keys())
def test_silent(events: list[Event]) -> None:
    assert seen(*events) == []


def test_an_exchanged_controller_is_told_of_until_it_is_known() -> None:
    exchanged = [booted(second, "SN-2") for second in (100, 1000, 5000, 9000)]
    signs = seen(booted(0), *exchanged)
    assert [told.second for told in signs] == [100, 1000]
    assert {told.sign.severity for told in signs} == {"warning"}
    assert [told.second for told in seen(booted(0), *exchanged, booted(9100, "SN-1"))][-1] == 9100


@given(st.lists(st.tuples(st.integers(1, 120), st.booleans()), max_size=40))
def test_fewer_takeovers_than_two_peers_need_are_never_told(steps: list[tuple[int, bool]]) -> None:
    second, takeovers_s, events = 0.0, [], []
    for pause_s, takes_over in steps:
        second += pause_s
        events.append(replaced(second) if takes_over else booted(second))
        takeovers_s += [second] if takes_over else []
    most = max(
        (sum(0 <= one - first <= DETECTOR.window_s for one in takeovers_s) for first in takeovers_s),
        default=0,
    )
    assert bool(seen(*events)) is (most >= DETECTOR.takeovers)
