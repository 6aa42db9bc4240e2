"""A flooded bus: what becomes of the others' frames."""

from uuid import UUID

import pytest

from charger import arbitration
from charger.arbitration import Flooded
from contracts.injections import CanFlood

ONE, TWO = UUID(int=1), UUID(int=2)
FULL = CanFlood(frames_per_s=1000, capacity_frames_per_s=900)
HALF = CanFlood(frames_per_s=450, capacity_frames_per_s=900)


def late(flooded: Flooded, frames: int = 200) -> list[float | None]:
    found = []
    for _ in range(frames):
        flooded, late_s = arbitration.late_s(flooded)
        found.append(late_s)
    return found


def test_without_a_flood_nothing_is_late() -> None:
    assert set(late(Flooded())) == {0.0}


def test_a_full_bus_lets_nothing_through() -> None:
    assert set(late(arbitration.began(Flooded(), ONE, FULL, 1))) == {None}


def test_a_half_full_bus_delays_and_the_seed_decides_by_how_much() -> None:
    delays = late(arbitration.began(Flooded(), ONE, HALF, 1))
    assert all(late_s is not None and 0 < late_s < 0.1 for late_s in delays)
    assert delays == late(arbitration.began(Flooded(), ONE, HALF, 1))
    assert delays != late(arbitration.began(Flooded(), ONE, HALF, 2))


def test_a_nearly_full_bus_loses_a_part() -> None:
    nearly = CanFlood(frames_per_s=855, capacity_frames_per_s=900)
    delays = late(arbitration.began(Flooded(), ONE, nearly, 1), 1000)
    # 19 times the share of 0.1 s: beyond a second for 9 of 19.
    assert delays.count(None) == pytest.approx(1000 * 9 / 19, rel=0.1)


def test_the_last_flood_counts_and_each_ends_alone() -> None:
    flooded = arbitration.began(Flooded(), ONE, FULL, 1)
    flooded = arbitration.began(flooded, TWO, HALF, 1)
    assert None not in late(flooded)
    assert set(late(arbitration.ended(flooded, TWO))) == {None}
    assert set(late(arbitration.ended(arbitration.ended(flooded, TWO), ONE))) == {0.0}


def test_others_wait_or_are_lost_the_more_the_fuller_the_bus_is() -> None:
    draws = [number / 100 for number in range(100)]
    lost = [
        sum(arbitration.fate_s(CanFlood(frames_per_s=rate), draw) is None for draw in draws)
        for rate in (100.0, 850.0, 895.0, 950.0)
    ]
    assert lost == sorted(lost)
    assert lost[0] == 0
    assert lost[-1] == 100
