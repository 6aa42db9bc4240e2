"""Transactions without a stop, stops without a session, values from elsewhere, and what merely comes late."""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, ended, reading, started, status, told

from contracts.events import Event, StatusChanged, SystemEvent
from memorybank.detector import Place
from memorybank.detectors.orphan_transaction import DETECTOR


def oddity(second: float, name: str, connector: int | None = 1, **detail: Any) -> SystemEvent:
    return SystemEvent(
        at=at(second),
        charge_point_id="CP-1",
        connector=connector,
        service="csms",
        name=name,
        detail={"transaction_id": 7, **detail},
    )


def seen(*events: Event, until_s: int = 200, place: Place | None = None) -> list[Told]:
    """Return the signs over these events, in their order, beside a reading a second: time passes by them."""
    readings: Iterable[Event] = (reading(second + 0.5, 0.0) for second in range(until_s))
    return told(DETECTOR, sorted(chain(readings, events), key=lambda event: event.at), place)


SESSION = (started(10, 1), status(10.5, "Charging"), status(60, "Finishing"))


def test_a_transaction_whose_connector_rests_has_no_stop() -> None:
    signs = seen(*SESSION)
    first = signs[0]
    assert first.sign.kind == "orphan-transaction"
    assert first.second == pytest.approx(60 + DETECTOR.hold_s, abs=1.6)
    assert first.sign.explanation == "transaction 1 has no stop, but its connector is Finishing for 30 s"
    assert {sign.sign.severity for sign in signs} == {"info"}


def test_it_is_told_again_while_it_lasts_and_over_with_its_stop() -> None:
    signs = seen(*SESSION, ended(130, 1, energy_wh=900))
    assert [round(sign.second - signs[0].second) for sign in signs] == [0, 10, 20, 30]
    assert signs[-1].second < 130


def test_a_bill_that_stays_open_is_told_of_for_a_quarter_of_an_hour() -> None:
    signs = seen(*SESSION, until_s=2000)
    assert 60 + DETECTOR.tell_s - 10 < signs[-1].second <= 62 + DETECTOR.tell_s


def test_the_next_start_shows_at_once_that_a_stop_is_missing() -> None:
    signs = seen(*SESSION[:2], ended(70, 1, "Superseded", energy_wh=900), started(70, 2))
    assert [sign.second for sign in signs] == [70]
    assert signs[0].sign.explanation == "transaction 1 has no stop, and the next one began here"


def test_the_third_one_within_an_hour_weighs_more() -> None:
    row: list[Event] = [started(10, 1)]
    for number in range(1, 4):
        row += [ended(10 + 50 * number, number, "Superseded"), started(10 + 50 * number, number + 1)]
    signs = seen(*row)
    assert [sign.sign.severity for sign in signs] == ["info", "info", "warning"]
    assert signs[-1].sign.explanation.endswith("; 3 of them, an hour apart at most")


def test_a_session_that_goes_on_after_its_stop_is_on_nobody_s_bill() -> None:
    first = seen(*SESSION[:2], ended(60, 1, energy_wh=900))[0]
    assert first.second == pytest.approx(60 + DETECTOR.hold_s, abs=1.6)
    assert first.sign.explanation == "transaction 1 was stopped, but its connector is Charging for 30 s"
    assert first.sign.severity == "warning"


@pytest.mark.parametrize(
    ("name", "detail", "said"),
    [
        (
            "transaction_stopped_twice",
            {},
            "transaction 7 was stopped a second time, otherwise than the first",
        ),
        ("transaction_unknown", {}, "transaction 7 was stopped, but never started"),
        (
            "transaction_of_another_charge_point",
            {},
            "transaction 7 was stopped here, but runs at another charge point",
        ),
        (
            "transaction_at_another_connector",
            {"named_connector": 2},
            "transaction 7 runs here, but its values name connector 2",
        ),
    ],
)
def test_what_the_central_system_finds_odd_is_told_at_once(name: str, detail: Any, said: str) -> None:
    signs = seen(oddity(20, name, **detail))
    assert [(sign.second, sign.sign.explanation) for sign in signs] == [(20, said)]


def test_odd_values_a_second_are_told_every_ten_seconds() -> None:
    values = [oddity(20.0 + second, "transaction_at_another_connector") for second in range(60)]
    signs = seen(*values)
    assert [sign.second for sign in signs] == [20, 30, 40, 50, 60, 70]
    assert {(sign.sign.since, sign.sign.deviation) for sign in signs} == {(at(20), 1.0)}


def test_a_stop_that_names_no_connector_is_told_once_at_a_charge_point() -> None:
    stop = oddity(20, "transaction_unknown", None)
    assert len(seen(stop)) == 1
    assert seen(stop, place=Place("CP-1", 2)) == []


SILENT = {
    "a whole session": (*SESSION, ended(60.2, 1, energy_wh=900), status(90, "Available")),
    "its stop comes late": (*SESSION, ended(85, 1, energy_wh=900)),
    "its status comes late": (*SESSION[:2], ended(60, 1), status(80, "Finishing")),
    "it is offline": (*SESSION[:2], status(50, "Offline")),
    "its stop waits for an outage's end": (
        *SESSION[:2],
        status(50, "Offline"),
        status(120, "Finishing"),
        ended(145, 1, energy_wh=900),
    ),
    "its first status comes after its start": (
        started(10, 1),
        status(11, "Preparing"),
        status(35, "Charging"),
    ),
    "joined midway": (status(10, "Charging"), status(60, "Finishing")),
    "an end that the central system concluded": (*SESSION[:2], ended(60, 1, "Stale")),
    "the end of one from before": (started(10, 1), status(10, "Charging"), ended(60, 99)),
    "a retry of its end": (*SESSION, ended(60.2, 1), started(80, 2), status(80, "Charging"), ended(90, 1)),
    "the whole station's status": (*SESSION[:2], status(60, "Available", connector=0)),
    "another fact": (oddity(20, "meter_ran_backwards"),),
}


@pytest.mark.parametrize("events", SILENT.values(), ids=SILENT.keys())
def test_silent(events: tuple[Event, ...]) -> None:
    assert seen(*events) == []


def test_a_charge_point_s_wrong_clock_changes_nothing() -> None:
    shifted = StatusChanged(at=at(-3000), charge_point_id="CP-1", connector=1, status="Finishing")
    state = DETECTOR.start(Place("CP-1", 1))
    for event in (*SESSION[:2], shifted):
        DETECTOR.step(state, event)
    signs = [second for second in range(60, 120) if DETECTOR.tick(state, at(second)) is not None]
    assert signs == [90, 100, 110]


@given(
    lasts_s=st.lists(st.tuples(st.floats(1, 90), st.floats(1, 90)), min_size=1, max_size=5),
    late_s=st.floats(-3, 3),
)
def test_whole_sessions_are_silent_whichever_comes_first(
    lasts_s: list[tuple[float, float]], late_s: float
) -> None:
    events: list[Event] = []
    second = 10.0
    for number, (charges_s, rests_s) in enumerate(lasts_s, 1):
        events += [started(second, number), status(second + 0.2, "Charging")]
        second += charges_s
        events += [status(second + max(0.0, late_s), "Finishing"), ended(second + max(0.0, -late_s), number)]
        second += rests_s + 3.5
    assert seen(*events, until_s=int(second) + 60) == []
