"""States of charge against the energy that flowed: frozen, leaping, falling; any honest battery."""

import itertools
import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.events import Event
from detector_parts import at, reading, told
from memorybank.detectors.state_of_charge import StateOfCharge

LATER_S = 120.0


def session(second: float) -> float:
    """Return the power of a session from 20 s on."""
    return 50_000.0 if second >= 20 else 0.0


def honest(_second: float, true_percent: float) -> float:
    return true_percent


def charged(
    until_s: int,
    lie: Callable[[float, float], float] = honest,
    *,
    power_w: Callable[[float], float] = session,
    capacity_wh: float = 64_000.0,
    soc_percent: float = 30.0,
    resolution_percent: float = 0.1,
    loss: float = 0.0,
    seed: int = 0,
) -> Iterator[Event]:
    """Return the readings of a vehicle that takes in all energy."""
    rng = random.Random(seed)
    for second in range(until_s):
        flows_w = power_w(second) if soc_percent < 100 else 0.0
        soc_percent = min(100.0, soc_percent + flows_w / 3600 / capacity_wh * 100)
        if rng.random() < loss:
            continue
        told_percent = lie(second, soc_percent) // resolution_percent * resolution_percent
        yield reading(
            second,
            flows_w / 400,
            power_w=flows_w * rng.gauss(1.0, 0.005),
            soc_percent=round(told_percent, 1),
            transaction_id=1 if second >= 20 else None,
        )


def frozen() -> Callable[[float, float], float]:
    """Return a state of charge that stands from second 120 on."""
    stands: list[float] = []

    def lie(second: float, true_percent: float) -> float:
        if second < LATER_S:
            stands[:] = [true_percent]
        return stands[0]

    return lie


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_frozen_state_of_charge_is_found_by_the_steps_it_took_before(loss: float) -> None:
    """After some tenths of a percent that should have come, and told again while it stands."""
    found = told(StateOfCharge(), charged(600, frozen(), loss=loss))
    assert LATER_S + 20 < found[0].second <= LATER_S + 60
    assert found[0].sign.kind == "soc-spoofing"
    assert found[0].sign.explanation.startswith("the state of charge stood at 32.1 % while 0.4")
    assert found[0].sign.since == pytest.approx(at(LATER_S), abs=at(10) - at(0))
    seconds = [one.second for one in found]
    assert max(after - before for before, after in itertools.pairwise(seconds)) <= 20
    assert seconds[-1] > 580


def test_one_that_tells_whole_percents_may_stand_longer() -> None:
    """A step of this battery takes 640 Wh, three of them are enough."""
    found = told(StateOfCharge(), charged(900, frozen(), resolution_percent=1.0, power_w=lambda _: 100_000.0))
    assert LATER_S + 55 < found[0].second <= LATER_S + 100


def test_who_joins_while_it_stands_needs_a_percent_of_the_largest_battery() -> None:
    """Nothing was seen to move: 2.5 kWh, at 50 kW three minutes."""
    midway = [event for event in charged(600, frozen()) if event.at >= at(200)]
    found = told(StateOfCharge(), midway)
    assert 200 + 175 <= found[0].second <= 200 + 195


@pytest.mark.parametrize(("offset", "said"), [(-10.0, "went by -"), (20.0, "went by +")])
def test_a_leap_is_told_for_some_seconds(offset: float, said: str) -> None:
    """No battery loses ten percent while it is charged; nor does any gain as much at once."""
    lie = lambda second, true: true + offset if second >= LATER_S else true  # noqa: E731
    found = told(StateOfCharge(), charged(600, lie))
    assert LATER_S + 10 <= found[0].second <= LATER_S + 20
    assert said in found[0].sign.explanation
    assert found[-1].second <= LATER_S + 45


@given(
    seed=st.integers(0, 2**31),
    capacity_wh=st.floats(10_000.0, 200_000.0),
    soc_percent=st.floats(5.0, 99.0),
    resolution_percent=st.sampled_from((0.1, 0.5, 1.0)),
    loss=st.sampled_from((0.0, 0.05)),
    steps=st.lists(st.floats(0.0, 250_000.0), min_size=1, max_size=8),
)
@settings(max_examples=40, deadline=None)
def test_an_honest_battery_is_silent(
    seed: int,
    capacity_wh: float,
    soc_percent: float,
    resolution_percent: float,
    loss: float,
    steps: list[float],
) -> None:
    """Of any size, however fine it tells, at any power that it can take, full or not."""
    most_w = 4 * capacity_wh
    events = charged(
        1200,
        power_w=lambda second: min(most_w, steps[int(second / 150) % len(steps)]),
        capacity_wh=capacity_wh,
        soc_percent=soc_percent,
        resolution_percent=resolution_percent,
        loss=loss,
        seed=seed,
    )
    assert told(StateOfCharge(), events) == []


def test_another_vehicle_and_a_gap_begin_anew() -> None:
    """Neither is a leap: a new transaction, another car at rest, half a minute without readings."""
    first = [*charged(300), *charged(320, power_w=lambda second: 0.0 if second >= 300 else 50_000.0)][:-20]
    second = [
        reading(400 + number, 100.0, power_w=40_000.0, soc_percent=70.0 + number / 60, transaction_id=2)
        for number in range(200)
    ]
    assert told(StateOfCharge(), [*first[:300], *second]) == []
    gap = [event for event in charged(900) if not at(100) < event.at < at(400)]
    assert told(StateOfCharge(), gap) == []
    parked = [
        reading(second, 0.0, power_w=0.0, soc_percent=20.0 if second < 60 else 80.0) for second in range(120)
    ]
    assert told(StateOfCharge(), parked) == []


def test_frames_that_somebody_replays_and_readings_without_it_say_nothing() -> None:
    """They go to and fro between old and new; a lone 0x300 tells no state of charge."""
    events = list(charged(400, power_w=lambda _: 100_000.0))
    old = [
        reading(s + 0.5, 250.0, power_w=100_000.0, soc_percent=31.0 + s % 30 / 30) for s in range(150, 400)
    ]
    assert told(StateOfCharge(), sorted([*events, *old], key=lambda event: event.at)) == []
    lone = [reading(s + 0.5, 900.0, power_w=360_000.0) for s in range(400)]
    assert told(StateOfCharge(), sorted([*charged(400), *lone], key=lambda event: event.at)) == []
