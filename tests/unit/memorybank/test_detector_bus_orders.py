"""Orders on the bus that nobody gave, and those that only look so."""

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, reading, told

from contracts import can_frames
from contracts.can_frames import Start, Stop
from contracts.events import CanFrameSeen, Event, SystemEvent
from memorybank.detectors.bus_orders import COMMAND, DETECTOR, LIMIT


def order(second: float, frame: Start | Stop | can_frames.SetLimit) -> CanFrameSeen:
    can_id, data = can_frames.encode(frame)
    return CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data=data.hex())


def limit(second: float, limit_a: int) -> CanFrameSeen:
    return order(second, can_frames.SetLimit(limit_a))


def session(since_s: int, until_s: int, number: int | None = 7, limit_a: float = 80.0) -> Iterator[Event]:
    for second in range(since_s, until_s):
        yield reading(second, 0.9 * limit_a, transaction_id=number, commanded_a=limit_a)


def word(second: float, name: str) -> SystemEvent:
    return SystemEvent(at=at(second), charge_point_id="CP-1", service="chargepoint", name=name)


def seen(*parts: Iterable[Event]) -> list[Told]:
    events = [event for part in parts for event in part]
    return told(DETECTOR, sorted(events, key=lambda event: event.at))


def test_a_stop_whose_transaction_runs_on_is_nobodys() -> None:
    (one,) = seen(session(0, 60), [order(20.3, Stop())])
    assert one.sign.kind == "can-command-injection"
    assert one.second == 22.0
    assert one.sign.since == at(20.3)
    assert one.sign.severity == "warning"
    assert one.sign.explanation == (
        "the module was ordered to stop on the bus at 12:00:20 UTC, and transaction 7 runs on with 80 A"
        " allowed: once so far"
    )


def test_stops_again_and_again_are_told_again_and_become_critical() -> None:
    signs = seen(session(0, 120), [order(20.3 + 8 * number, Stop()) for number in range(10)])
    assert len(signs) >= 4
    assert signs[-1].sign.severity == "critical"


def test_a_stop_that_ends_its_transaction_is_the_charge_points() -> None:
    assert not seen(session(0, 20), [order(19.7, Stop())], session(20, 40, None))


def test_a_stop_and_the_next_session_at_once_are_no_anomaly() -> None:
    assert not seen(session(0, 20), [order(19.2, Stop()), order(19.6, Start())], session(20, 40, 8))


def test_a_start_without_a_transaction_is_nobodys() -> None:
    (one,) = seen([word(-30.0, "csms_connected")], session(0, 60, None), [order(20.3, Start())])
    assert one.second == 31.0
    assert "no transaction began; 72 A flow" in one.sign.explanation


def test_a_start_whose_transaction_gets_its_number_late_is_none() -> None:
    parts = session(0, 26, None), [order(20.3, Start())], session(26, 60)
    assert not seen([word(-30.0, "csms_connected")], *parts)


def test_while_the_csms_is_away_no_transaction_has_a_number() -> None:
    assert not seen([word(5.0, "csms_lost")], session(0, 60, None), [order(20.3, Start())])


def test_who_joins_midway_does_not_know_whether_transactions_have_numbers() -> None:
    """Nor does who reads a CAN log. One that had a number is enough."""
    start = [order(40.3, Start())]
    assert not seen(session(0, 80, None), start)
    assert seen(session(0, 5), session(5, 80, None), start)


def test_a_charge_point_that_starts_anew_orders_what_it_wants() -> None:
    """After a gap between readings nothing is known."""
    assert not seen(session(0, 20), [order(30.0, Stop()), limit(30.0, 300)], session(31, 60))


def test_limits_that_are_not_the_charge_points_are_told_at_the_second_one() -> None:
    signs = seen(session(0, 60), [limit(20.3, 30), limit(21.3, 30)])
    assert signs[0].sign.kind == "can-limit-injection"
    assert signs[0].second == 22.0
    assert signs[0].sign.severity == "warning"
    assert signs[0].sign.explanation == (
        "a limit of 30 A stands on the bus where the charge point ordered 80 A: 2 times within 2 s"
    )


def test_one_strange_limit_is_told_when_it_stands() -> None:
    signs = seen(session(0, 60), [limit(20.3, 120)])
    assert signs[0].second == 24.0
    assert signs[0].sign.severity == "critical"


def test_a_start_is_told_beside_a_limit_that_is_told_at_the_same_reading() -> None:
    signs = seen(
        [word(-30.0, "csms_connected")],
        session(0, 60, None),
        [limit(20.3 + number, 30) for number in range(30)],
        [order(21.3 + 5 * number, Start()) for number in range(6)],
    )
    first = {kind: next(one.second for one in signs if one.sign.kind == kind) for kind in (COMMAND, LIMIT)}
    assert first == {LIMIT: 22.0, COMMAND: 32.0}


def test_a_limit_is_told_while_it_is_ordered_or_holds_a_session_back() -> None:
    orders = [limit(20.3 + number, 30) for number in range(10)]
    (*_, last) = seen(session(0, 200, None), orders)
    assert last.second < 45.0
    (*_, last) = seen(session(0, 200), orders)
    assert last.second > 185.0


def test_a_limit_that_nobody_repeats_is_not_told_anew_when_readings_come_again() -> None:
    """Where nobody charges, hours may pass without a reading."""
    orders = [limit(20.3 + number, 30) for number in range(10)]
    signs = seen(session(0, 30, None), orders, session(3600, 3700, None))
    assert signs[-1].second < 45.0


@pytest.mark.parametrize("data", ["", "1e", "1e0000"])
def test_a_frame_of_another_length_is_no_limit(data: str) -> None:
    """No module obeys it."""
    broken = CanFrameSeen(at=at(20.3), charge_point_id="CP-1", connector=1, can_id=0x210, data=data)
    assert not seen(session(0, 60), [broken])


def test_the_charge_points_own_limits_are_no_anomaly() -> None:
    parts = [
        part
        for number, limit_a in enumerate((80, 0, 63, 32, 16, 6))
        for part in ([limit(10 * number - 0.4, limit_a)], session(10 * number, 10 * number + 10, 7, limit_a))
    ]
    assert not seen(*parts)


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.01, 0.99)), max_size=30))
def test_whatever_the_charge_point_orders_it_is_not_told_of(changes: list[tuple[int, float]]) -> None:
    """Each second at most one new limit, which the next reading says."""
    events: list[Event] = []
    limit_a = 80
    for second, (new_a, late_s) in enumerate(changes):
        events.append(reading(second, 50.0, transaction_id=7, commanded_a=float(limit_a)))
        if new_a % 3 == 0:
            limit_a = new_a
            events.append(limit(second + late_s, limit_a))
    assert not told(DETECTOR, events)
