"""Sessions that are over as soon as they began: storms, floods, and what only looks like them."""

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, ended, reading, started, told

from contracts.events import Event
from memorybank.detectors.starts_stops import DETECTOR


def sessions(
    count: int,
    *,
    lasts_s: float,
    pause_s: float,
    energy_wh: float = 0.0,
    reason: str = "Remote",
    begin_s: float = 10.0,
    first: int = 1,
) -> Iterator[Event]:
    for number in range(count):
        second = begin_s + number * (lasts_s + pause_s)
        yield started(second, first + number)
        yield ended(second + lasts_s, first + number, reason, energy_wh=energy_wh)


def seen(*parts: Iterable[Event], until_s: float = 600.0) -> list[Told]:
    """Return the signs over these events beside a reading a second, which lets time pass."""
    readings = (reading(second + 0.5, 0.0) for second in range(int(until_s)))
    return told(DETECTOR, sorted(chain(readings, *parts), key=lambda event: event.at))


def test_three_sessions_that_were_cut_off_are_a_storm() -> None:
    first = seen(sessions(3, lasts_s=20.0, pause_s=15.0, energy_wh=150.0))[0]
    assert first.sign.kind == "stop-storm"
    assert first.second == pytest.approx(100.0)
    assert first.sign.since == at(10.0)
    assert first.sign.explanation == (
        "3 sessions one after the other were stopped from afar after 20 s on average, within 90 s"
        " (103 an hour, 150 Wh each)"
    )
    assert first.sign.pattern == {"session_s": 20.0, "period_s": 35.0, "energy_wh": 150.0}


def test_four_sessions_without_energy_are_a_flood_whoever_ends_them() -> None:
    first = seen(sessions(4, lasts_s=4.0, pause_s=4.0, reason="Local"))[0]
    assert first.sign.kind == "zero-energy-flood"
    assert first.second == pytest.approx(38.0)
    assert first.sign.severity == "info"
    assert "4 sessions one after the other were over, with 0 Wh in all, after 4 s" in first.sign.explanation


def test_resets_that_end_every_session_are_a_storm() -> None:
    signs = seen(sessions(3, lasts_s=30.0, pause_s=20.0, energy_wh=90.0, reason="HardReset"))
    assert {told.sign.kind for told in signs} == {"stop-storm"}


def test_a_storm_is_told_again_until_the_next_session_is_missing() -> None:
    signs = seen(sessions(3, lasts_s=40.0, pause_s=60.0, energy_wh=300.0))
    assert signs[0].second == pytest.approx(250.0)
    assert 375.0 < signs[-1].second <= 400.5  # one and a half periods later
    gaps = [later.second - earlier.second for earlier, later in pairwise(signs)]
    assert max(gaps) <= 20.0


def test_a_contactor_that_opened_ten_times_is_in_danger() -> None:
    storm = seen(sessions(10, lasts_s=10.0, pause_s=10.0, energy_wh=90.0))
    flood = seen(sessions(10, lasts_s=4.0, pause_s=4.0))
    assert [signs[-1].sign.severity for signs in (storm, flood)] == ["critical", "warning"]


@pytest.mark.parametrize(
    "benign",
    [
        pytest.param(sessions(2, lasts_s=45.0, pause_s=25.0, energy_wh=300.0), id="paused once (H9)"),
        pytest.param(sessions(9, lasts_s=62.0, pause_s=25.0, energy_wh=300.0), id="of some duration"),
        pytest.param(sessions(9, lasts_s=30.0, pause_s=25.0, energy_wh=90.0, reason="Local"), id="own will"),
        pytest.param(sessions(3, lasts_s=10.0, pause_s=30.0, reason="Other"), id="a car that refuses"),
        pytest.param(sessions(9, lasts_s=10.0, pause_s=0.0, reason="Superseded"), id="ends nobody told"),
        pytest.param(sessions(3, lasts_s=30.0, pause_s=700.0, energy_wh=90.0), id="far apart"),
        pytest.param(
            sessions(9, lasts_s=-30.0, pause_s=90.0, reason="Remote"), id="a clock that was set back"
        ),
    ],
)
def test_what_is_no_row_of_sessions_without_use_is_silent(benign: Iterable[Event]) -> None:
    assert seen(benign, until_s=2400.0) == []


def test_a_session_of_its_own_length_in_between_ends_the_row() -> None:
    parts = (
        sessions(2, lasts_s=20.0, pause_s=15.0, energy_wh=90.0),
        sessions(1, lasts_s=120.0, pause_s=0.0, energy_wh=2000.0, begin_s=100.0, first=3),
        sessions(2, lasts_s=20.0, pause_s=15.0, energy_wh=90.0, begin_s=240.0, first=4),
    )
    assert seen(*parts) == []


def test_an_end_whose_start_is_unknown_says_nothing() -> None:
    """Joining midway, and a retry of an end that was told before."""
    before = [ended(5.0, 90)]
    storm = list(sessions(2, lasts_s=20.0, pause_s=15.0, energy_wh=90.0))
    assert seen(before, storm, [ended(66.0, 2, energy_wh=90.0)]) == []


@given(lasts_s=st.floats(5.0, 59.0), pause_s=st.floats(0.5, 80.0), flows=st.booleans())
def test_a_row_is_told_at_every_pace_with_the_session_that_completes_it(
    lasts_s: float, pause_s: float, *, flows: bool
) -> None:
    assume(abs(lasts_s - DETECTOR.flood_session_s) > 0.001)  # microseconds are rounded
    signs = told(DETECTOR, sessions(6, lasts_s=lasts_s, pause_s=pause_s, energy_wh=50.0 if flows else 0.0))
    is_flood = not flows and lasts_s < DETECTOR.flood_session_s
    least = DETECTOR.flood_sessions if is_flood else DETECTOR.storm_sessions
    assert signs[0].sign.kind == ("zero-energy-flood" if is_flood else "stop-storm")
    assert signs[0].second == pytest.approx(10.0 + least * lasts_s + (least - 1) * pause_s, abs=0.01)
    assert {told.sign.since for told in signs} == {at(10.0)}


def test_sessions_of_two_seconds_are_a_swing_of_the_current_and_told_of_as_such() -> None:
    assert not seen(sessions(30, lasts_s=2.0, pause_s=6.0, energy_wh=18.0))
