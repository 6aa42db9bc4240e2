"""Floods and silences on the bus, and what only looks like them."""

import random
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st
from tests.detector_parts import Told, at, told

from contracts.can_frames import CURRENT_ID, KEEPALIVE_ID
from contracts.events import CanFrameSeen
from memorybank.detectors.bus_load import DETECTOR

FLOOD_ID = 0x001


def frame(second: float, can_id: int, data: str = "") -> CanFrameSeen:
    return CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data=data)


def life(since_s: int, until_s: int, *, current_a: int = 80, module: bool = True) -> Iterator[CanFrameSeen]:
    """A second of a bus: the module's reading and three more frames, the charge point's keepalive."""
    for second in range(since_s, until_s):
        if module:
            yield frame(second, CURRENT_ID, current_a.to_bytes(2, "little").hex())
            yield from (frame(second + 0.01 * n, CURRENT_ID + n, "00") for n in range(1, 4))
        yield frame(second + 0.5, KEEPALIVE_ID, "00")


def flood(since_s: float, lasts_s: float, frames_per_s: float) -> Iterator[CanFrameSeen]:
    for number in range(int(lasts_s * frames_per_s)):
        yield frame(since_s + number / frames_per_s, FLOOD_ID, "00" * 8)


def seen(*parts: Iterable[CanFrameSeen]) -> list[Told]:
    events = [event for part in parts for event in part]
    return told(DETECTOR, sorted(events, key=lambda event: event.at))


def test_a_flood_is_told_within_seconds_and_again() -> None:
    signs = seen(life(0, 60), flood(20.0, 30.0, 500.0))
    assert {one.sign.kind for one in signs} == {"can-flood"}
    assert 20.0 < signs[0].second < 24.0
    assert "frames a second on the bus" in signs[0].sign.explanation
    assert signs[0].sign.severity == "warning"
    assert max(one.sign.deviation for one in signs) == 505.0
    assert signs[-1].second > 35.0


def test_a_flood_that_nobody_else_gets_through_is_critical() -> None:
    signs = seen(life(0, 20), life(20, 60, module=False), flood(20.0, 30.0, 900.0))
    assert {one.sign.kind for one in signs} == {"can-flood", "telemetry-dropout"}
    assert signs[-1].sign.severity == "critical"


def test_a_module_that_falls_silent_is_told_after_six_keepalives() -> None:
    signs = seen(life(0, 30), life(30, 60, module=False), life(60, 90))
    assert [one.sign.kind for one in signs] == ["telemetry-dropout"] * 3
    assert signs[0].second == 34.5
    assert signs[0].sign.since == at(29.0)
    assert signs[0].sign.severity == "critical"
    assert signs[0].sign.explanation == (
        "no reading of the module for 6 s, 6 keepalives without an answer; 80 A flowed when it was last heard"
    )


def test_where_nothing_flowed_a_silence_is_less_grave() -> None:
    (first, *_) = seen(life(0, 30, current_a=0), life(30, 60, module=False))
    assert first.sign.severity == "warning"


def test_a_module_that_was_never_heard_is_not_missed() -> None:
    assert not seen(life(0, 60, module=False))


def test_a_bus_that_nobody_hears_is_not_silent() -> None:
    """Without the charge point's own frames it is not the module that is away."""
    assert not seen(life(0, 30), life(4000, 4030))


def test_a_second_with_many_frames_is_no_flood() -> None:
    assert not seen(life(0, 60), flood(20.2, 0.5, 400.0))


@given(st.integers(0, 2**32), st.floats(0.0, 0.05))
def test_lost_frames_are_no_silence(seed: int, lost: float) -> None:
    draws = random.Random(seed)
    kept = [event for event in life(0, 300) if draws.random() >= lost]
    assert not told(DETECTOR, kept)
