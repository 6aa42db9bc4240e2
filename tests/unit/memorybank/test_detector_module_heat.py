"""Temperatures against the current: leaps, standstills, no derating; a hot day and an odd module are none."""

import itertools
import math
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Event
from detector_parts import at, reading, told
from memorybank.detectors.module_heat import ModuleHeat

LATER_S = 120.0


def session(second: float) -> float:
    """Return the current of a session from 30 s on."""
    return 0.0 if second < 30 else 250.0


def honest(_second: float, true_c: float) -> float:
    return true_c


def heated(
    until_s: int,
    lie: Callable[[float, float], float] = honest,
    *,
    current_a: Callable[[float], float] = session,
    around_c: Callable[[float], float] = lambda _: 25.0,
    time_s: float = 180.0,
    rise_c: float = 30.0,
    derates: bool = True,
    loss: float = 0.0,
    seed: int = 0,
) -> Iterator[Event]:
    """Return the readings of a module that warms with the square of its current."""
    rng, true_c = random.Random(seed), around_c(0.0)
    for second in range(until_s):
        share = max(0.0, min(1.0, (75.0 - true_c) / 20.0)) if derates else 1.0
        offered_a = 300.0 * share
        actual_a = min(current_a(second), offered_a)
        settled_c = around_c(second) + rise_c * (actual_a / 300.0) ** 2
        true_c += (settled_c - true_c) * (1.0 - math.exp(-1.0 / time_s))
        if rng.random() < loss:
            continue
        told_c = round(lie(second, true_c), 1)
        noisy_a = actual_a + rng.gauss(0.0, 0.3) if actual_a else 0.0
        yield reading(second, noisy_a, offered_a=offered_a, temperature_c=told_c)


@pytest.mark.parametrize("told_c", [10.0, 28.0, 50.0])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_calm_temperature_that_is_told_from_now_on_leaps(told_c: float, loss: float) -> None:
    """No heat moves by degrees within seconds; half a minute later it stands."""
    lie = lambda second, true_c: told_c if second >= LATER_S else true_c  # noqa: E731
    found = told(ModuleHeat(), heated(400, lie, loss=loss))
    assert LATER_S < found[0].second <= LATER_S + 30
    assert found[0].sign.kind == "thermal-tamper"
    assert found[0].sign.severity == "critical"
    assert found[0].sign.explanation.endswith(f"to {told_c:.0f} °C and stands since")
    seconds = [one.second for one in found]
    assert max(after - before for before, after in itertools.pairwise(seconds)) <= 20
    assert seconds[-1] >= 380


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_temperature_that_stands_where_it_is_stands_against_the_current(loss: float) -> None:
    """Without a leap: where it should have risen by 2.5 degrees."""
    stands: list[float] = []

    def lie(second: float, true_c: float) -> float:
        if second < LATER_S:
            stands[:] = [true_c]
        return stands[0]

    found = told(ModuleHeat(), heated(400, lie, loss=loss))
    assert LATER_S + 10 < found[0].second <= LATER_S + 90
    assert found[0].sign.explanation.startswith("the temperature stood at ")
    assert found[0].sign.explanation.endswith(" °C are due at 83 % of the rated current")
    assert found[0].sign.since <= at(LATER_S + 6)


def test_a_module_that_no_longer_derates_is_found() -> None:
    """Over 55 degrees it may offer less and less."""
    found = told(ModuleHeat(), heated(900, around_c=lambda _: 48.0, derates=False))
    assert found[0].sign.explanation == "no derating at 57 °C, and it begins at 55 °C"
    assert found[0].sign.deviation == pytest.approx(1.5, abs=0.8)


@given(
    seed=st.integers(0, 2**31),
    around_c=st.floats(-10.0, 50.0),
    warmer_c=st.floats(-5.0, 25.0),
    time_s=st.floats(120.0, 240.0),
    rise_c=st.floats(20.0, 40.0),
    steps=st.lists(st.floats(0.0, 300.0), min_size=1, max_size=10),
    loss=st.sampled_from((0.0, 0.05)),
)
@settings(max_examples=20, deadline=None)
def test_honest_heat_is_silent(
    seed: int,
    around_c: float,
    warmer_c: float,
    time_s: float,
    rise_c: float,
    steps: list[float],
    loss: float,
) -> None:
    """Modules a third off the usual one, any currents, and surroundings that warm at once (H8)."""
    events = heated(
        2400,
        current_a=lambda second: steps[int(second / 240) % len(steps)],
        around_c=lambda second: around_c + (warmer_c if second > 700 else 0.0),
        time_s=time_s,
        rise_c=rise_c,
        loss=loss,
        seed=seed,
    )
    assert told(ModuleHeat(), events) == []


def test_who_joins_midway_knows_nothing_yet() -> None:
    """Warm from before, at rest or in a session; nor is a telemetry gap a leap."""
    warm = [event for event in heated(900) if event.at >= at(500)]
    assert told(ModuleHeat(), warm) == []
    gap = [event for event in heated(900) if not at(40) < event.at < at(300)]
    assert told(ModuleHeat(), gap) == []


def test_frames_that_somebody_replays_go_to_and_fro() -> None:
    """Between the true temperature and that of before: no leap stands."""
    events = list(heated(300))
    old = [
        reading(second + 0.5, 250.0, offered_a=300.0, temperature_c=25.0 + (second % 7) / 10)
        for second in range(150, 300)
    ]
    assert told(ModuleHeat(), sorted([*events, *old], key=lambda event: event.at)) == []
