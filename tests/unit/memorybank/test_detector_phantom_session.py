"""Sessions in which nothing flows: the one that nobody accounts for, and all that have a reason."""

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import RAMPS, Told, at, reading, status, told

from contracts.events import Event
from memorybank.detectors.phantom_session import DETECTOR

FAILS_S = 60.0


def session(
    current_a: Callable[[int], float],
    until_s: int = 180,
    *,
    from_s: int = 5,
    loss: float = 0.0,
    seed: int = 0,
    **more: Any,
) -> Iterator[Event]:
    """Return the readings of a session from `from_s` on, with a sensor that is 0.5 A off and noisy."""
    rng = random.Random(seed)
    known: dict[str, Any] = {"transaction_id": 7, "offered_a": 80.0, "soc_percent": 40.0, "voltage_v": 380.0}
    for second in range(from_s, until_s):
        measured_a = current_a(second) + 0.5 + rng.gauss(0.0, 0.2)
        if rng.random() >= loss:
            yield reading(second + 0.3, round(measured_a, 2), **(known | more))


def defect(second: float) -> float:
    return 77.5 if second < FAILS_S else 0.0


def charging(events: Iterable[Event], *statuses: Event) -> list[Event]:
    """Return the events with the status Charging from second 5 on, and what statuses follow."""
    return sorted([*events, status(5.0, "Charging"), *statuses], key=lambda event: event.at)


def seen(events: Iterable[Event], *statuses: Event) -> list[Told]:
    return told(DETECTOR, charging(events, *statuses))


def test_a_converter_that_delivers_nothing_is_told_of_with_what_is_missing() -> None:
    signs = seen(session(defect))
    first = signs[0]
    assert first.sign.kind == "phantom-session"
    assert first.second == pytest.approx(FAILS_S + DETECTOR.hold_s, abs=1.0)
    assert first.sign.since == at(FAILS_S + 0.3)
    assert first.sign.explanation.startswith(
        "transaction 7 is Charging and 80 A are offered, but for 12 s no more than 0."
    )
    assert first.sign.explanation.endswith("A flowed; 78 A flowed before")
    assert first.sign.deviation == pytest.approx(79.0, abs=0.6)
    assert (first.sign.severity, signs[-1].sign.severity) == ("info", "warning")
    assert signs[-1].second > 165.0


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_it_is_seen_after_every_ramp_and_with_lost_frames(ramp: Any, loss: float) -> None:
    def ramped(second: int) -> float:
        return float(ramp.moved(150.0, 0.0, second - FAILS_S)) if second > FAILS_S else 150.0

    signs = seen(session(ramped, loss=loss, offered_a=150.0))
    assert signs[0].second <= FAILS_S + 150.0 / 10.0 + DETECTOR.hold_s + 4.0


def test_a_session_in_which_nothing_ever_flowed_gets_time_for_its_tests() -> None:
    signs = seen(session(lambda _: 0.0))
    assert signs[0].second == pytest.approx(5.3 + DETECTOR.begin_s, abs=1.0)
    assert signs[0].sign.explanation.endswith("nothing ever flowed in it")


def test_the_status_may_come_some_seconds_late() -> None:
    late = status(FAILS_S + 4.0, "SuspendedEV")
    assert seen(session(defect), late) == []


BENIGN: dict[str, Iterable[Event]] = {
    "the vehicle takes nothing": charging(session(defect), status(FAILS_S + 1.0, "SuspendedEV")),
    "the charge point gives nothing": charging(session(defect), status(FAILS_S + 1.0, "SuspendedEVSE")),
    "nothing is offered": charging(session(defect, offered_a=0.0)),
    "the battery is full": charging(session(defect, soc_percent=99.0)),
    "no transaction runs": charging(session(defect, transaction_id=None)),
    "the vehicle takes less and less": charging(session(lambda second: max(0.5, 20.0 - second / 4))),
    "a little flows": charging(session(lambda second: 6.0 if second > FAILS_S else 80.0)),
    "a pause of some seconds": charging(session(lambda second: 0.0 if 60 <= second < 70 else 80.0)),
    "the status is not known": list(session(defect)),
    "the next session begins": charging(
        [*session(defect, 71), *session(lambda _: 0.0, 150, from_s=71, transaction_id=8)]
    ),
}


@pytest.mark.parametrize("benign", BENIGN.values(), ids=BENIGN.keys())
def test_silent_where_there_is_a_reason(benign: Iterable[Event]) -> None:
    assert told(DETECTOR, benign) == []


def test_the_whole_station_s_status_is_of_no_connector() -> None:
    assert seen(session(defect), status(6.0, "Available", connector=0)) != []


@given(
    current_a=st.lists(st.one_of(st.none(), st.floats(-10, 500)), max_size=40),
    offered_a=st.one_of(st.none(), st.floats(0, 500)),
)
def test_nothing_is_told_within_the_hold_whatever_is_measured(
    current_a: list[float | None], offered_a: float | None
) -> None:
    events = [
        reading(5.0 + number / 4, value, transaction_id=7, offered_a=offered_a)
        for number, value in enumerate(current_a)
    ]
    assert seen(events) == []
