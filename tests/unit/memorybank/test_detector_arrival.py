"""Instants that messages name, against their arrival: ahead, late, twice; a queue that empties is none."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from contracts import ocpp_time
from contracts.events import Event, OcppMessageSeen
from detector_parts import at, told
from memorybank.detectors.arrival import Arrival

INTERVALS = (1, 10, 60)


def meter_values(arrived: float, second: float, connector: int = 1, value: str = "") -> OcppMessageSeen:
    sampled = [{"value": value or f"{second:.0f}"}, {"value": "100.0", "measurand": "Voltage"}]
    content = [{"timestamp": ocpp_time.text(at(second)), "sampledValue": sampled}]
    return message(arrived, "MeterValues", connectorId=connector, meterValue=content)


def message(arrived: float, action: str, **payload: Any) -> OcppMessageSeen:
    return OcppMessageSeen(
        at=at(arrived),
        charge_point_id="CP-1",
        direction="received",
        message_type="call",
        action=action,
        payload=payload,
    )


def life(
    interval_s: int, until_s: int, off_s: Callable[[float], float] = lambda _: 0.0, late_s: float = 0.05
) -> Iterator[Event]:
    for second in range(0, until_s, interval_s):
        yield meter_values(second + late_s, second + off_s(second))


@pytest.mark.parametrize("interval_s", INTERVALS)
@pytest.mark.parametrize("off_s", [60.0, 900.0, 31_000_000.0])
def test_a_clock_ahead_is_found_at_its_first_message(interval_s: int, off_s: float) -> None:
    """And told again as long as messages say so."""
    found = told(Arrival(), life(interval_s, 400, lambda second: off_s if 120 <= second < 300 else 0.0))
    assert found[0].second == pytest.approx(120.05)
    assert found[0].sign.since == at(120.05)
    assert found[0].sign.kind == "clock-desync"
    assert found[0].sign.deviation == pytest.approx(off_s, abs=0.2)
    assert found[0].sign.severity == ("critical" if off_s >= 3600 else "warning")
    assert 240 <= found[-1].second <= 300


def test_it_says_by_how_much() -> None:
    """In minutes, where it is much."""
    (first, *_) = told(Arrival(), life(10, 200, lambda second: 900.0 if second >= 100 else 0.0))
    assert first.sign.explanation == "a message names an instant 15 min after its arrival"


@pytest.mark.parametrize("action", ["StatusNotification", "StartTransaction", "StopTransaction"])
def test_any_message_with_an_instant_tells(action: str) -> None:
    """Where a charge point sends no values."""
    assert told(Arrival(), [message(10, action, timestamp=ocpp_time.text(at(100)))])
    assert told(Arrival(), [message(10, action, timestamp=ocpp_time.text(at(12)))]) == []


@pytest.mark.parametrize("interval_s", INTERVALS)
def test_messages_that_all_come_late_are_found(interval_s: int) -> None:
    """After three of them over a minute, whether the clock is behind or the way is long."""
    behind = told(Arrival(), life(interval_s, 400, lambda _: -45.0))
    delayed = told(Arrival(), life(interval_s, 400, late_s=45.0))
    for found, begin_s in ((behind, 0.0), (delayed, 45.0)):
        assert begin_s + 60 <= found[0].second <= begin_s + 1 + max(60, 2 * interval_s)
        assert found[0].sign.since == at(begin_s + (0.05 if found is behind else 0.0))
        assert " s after the instants they name" in found[0].sign.explanation


@given(
    interval_s=st.sampled_from(INTERVALS),
    away_s=st.integers(5, 900),
    drain_s=st.sampled_from((0.002, 0.05, 0.3)),
)
@settings(max_examples=40, deadline=None)
def test_a_queue_that_empties_is_silent(interval_s: int, away_s: int, drain_s: float) -> None:
    """H7: what waited for a connection comes in a burst, with old instants, the present behind it."""
    free_s, events = 0.0, []
    for second in range(0, 2400, interval_s):
        arrived = second + 0.05 if not 600 <= second < 600 + away_s else 600.0 + away_s
        free_s = max(arrived, free_s + drain_s)
        events.append(meter_values(free_s, second))
    assert told(Arrival(), events) == []


@given(st.lists(st.floats(0.0, 8.0), min_size=3, max_size=60))
@settings(max_examples=40, deadline=None)
def test_a_slow_network_is_silent(delays: list[float]) -> None:
    """Some seconds late, now more, now less."""
    events = [meter_values(10 * number + delay, 10 * number) for number, delay in enumerate(delays)]
    assert told(Arrival(), sorted(events, key=lambda event: event.at)) == []


@pytest.mark.parametrize("interval_s", INTERVALS)
def test_values_that_come_again_and_again_are_found(interval_s: int) -> None:
    """After three; one or two are the answer that was lost."""
    twice = [event for one in life(interval_s, 600) for event in (one, one)]
    found = told(Arrival(), twice)
    assert found[0].second == pytest.approx(2 * interval_s + 0.05)
    assert found[0].sign.explanation == "values came again 3 times, each of the same instant"
    once = list(life(interval_s, 600))
    assert told(Arrival(), [*once[:3], once[2], once[2], *once[3:]]) == []


def test_several_messages_of_one_instant_are_not_the_same_message() -> None:
    """A station of two connectors, or one that sends each measurand by itself."""
    events: list[Event] = []
    for second in range(0, 300, 10):
        events += [meter_values(second, second, connector, "5") for connector in (1, 2)]
        events += [meter_values(second, second, 1, value) for value in ("6", "7")]
    assert told(Arrival(), events) == []


@pytest.mark.parametrize(
    "odd",
    [
        message(10, "MeterValues"),
        message(10, "MeterValues", meterValue=[]),
        message(10, "MeterValues", meterValue=[{}]),
        message(10, "MeterValues", meterValue=7),
        message(10, "MeterValues", meterValue=[{"timestamp": ocpp_time.text(at(10)), "sampledValue": [7]}]),
        message(10, "StatusNotification"),
        message(10, "StatusNotification", timestamp=None),
        message(10, "StatusNotification", timestamp="tomorrow"),
        message(10, "StatusNotification", timestamp="0001-01-01T00:00:00Z"),
        message(10, "BootNotification", timestamp=ocpp_time.text(at(900))),
        structs.replace(message(10, "MeterValues", timestamp=ocpp_time.text(at(900))), direction="sent"),
    ],
)
def test_what_names_no_instant_says_nothing(odd: OcppMessageSeen) -> None:
    """Foreign charge points send what they like; the CSMS refuses it."""
    assert told(Arrival(), [odd, odd, odd, odd]) == []
