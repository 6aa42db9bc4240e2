"""Meters against the bus: what is scaled, falls, stands or is in another unit, and what only looks so."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from chargepoint import meter
from contracts.events import Event, Reading
from detector_parts import START_S, Told, at, reading, told
from memorybank.detectors.flowed import Flowed
from memorybank.detectors.registers import Registers

INTERVALS = (1, 10, 60)
VOLTAGE_V = 400.0
SETTLED_A = 80.0  # 32 kW, 8.9 Wh a second


def honest(_second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
    return power_w, energy_wh


def ramping(second: float) -> float:
    """Return the current of a session from 20 s on, with a pause in it."""
    return 0.0 if second < 20 or 200 <= second < 260 else min(SETTLED_A, (second - 20) * 10)


@dataclass
class Metered:
    """A connector whose meter counts what its bus says, and tells `lie` of it every `interval_s`."""

    interval_s: int = 1
    lie: Callable[[float, float, float], tuple[float, float]] = honest
    current_a: Callable[[float], float] = ramping
    register_wh: float = 5000.0
    loss: float = 0.0
    seed: int = 0

    def run(self, until_s: int) -> Iterator[Event]:
        """Return readings of the bus and MeterValues, each when it happens."""
        rng, known, sampled_s = random.Random(self.seed), meter.Meter(self.register_wh), -60.0
        for number in range(until_s):
            second = number + 0.3004
            current_a = round(self.current_a(second) + rng.gauss(0.0, 0.2), 2)
            if rng.random() < self.loss:
                continue
            power_w = round(current_a * VOLTAGE_V, 1)
            known = meter.read(known, power_w, second)
            yield reading(second, current_a, power_w=power_w, energy_wh=known.energy_wh)
            if second - sampled_s < self.interval_s - 0.5:
                continue
            sampled_s = second
            told_w, told_wh = self.lie(second, max(0.0, power_w), known.energy_wh)
            yield reading(
                int(second * 1000) / 1000,
                current_a,
                origin="ocpp",
                power_w=round(told_w, 1),
                energy_wh=float(int(told_wh)),
            )


def scaled(gain: float) -> Callable[[float, float, float], tuple[float, float]]:
    """From second 100 on."""
    begin: list[float] = []

    def lie(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
        if second < 100:
            begin[:] = [energy_wh]
            return power_w, energy_wh
        return gain * power_w, energy_wh + (gain - 1) * (energy_wh - begin[0])

    return lie


def back(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
    return power_w, energy_wh - (800.0 if second >= 100 else 0.0)


def frozen() -> Callable[[float, float, float], tuple[float, float]]:
    stands: list[float] = []

    def lie(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
        if second < 100:
            stands[:] = [energy_wh]
        return power_w, stands[0]

    return lie


def kilo(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
    return power_w, energy_wh * (0.001 if second >= 100 else 1.0)


@pytest.mark.parametrize("interval_s", INTERVALS)
@pytest.mark.parametrize(
    ("lie", "kind"),
    [
        (scaled(0.45), "meter-scaling"),
        (scaled(0.94), "meter-scaling"),
        (scaled(10.0), "meter-scaling"),
        (back, "register-rollback"),
        (frozen(), "register-freeze"),
        (kilo, "register-unit-swap"),
    ],
)
def test_a_lie_is_found_and_named(
    interval_s: int, lie: Callable[[float, float, float], tuple[float, float]], kind: str
) -> None:
    """At the first or second MeterValues of it, however seldom they come, with 5 % of the frames lost."""
    found = told(Registers(), Metered(interval_s, lie, loss=0.05).run(190))
    assert {one.sign.kind for one in found} == {kind}
    assert 100 <= found[0].second <= 103 + interval_s
    assert found[0].sign.score > 1.0
    assert found[0].sign.since <= at(found[0].second)


def explanation(found: list[Told]) -> str:
    return found[0].sign.explanation


@pytest.mark.parametrize("register_wh", [0.0, 100.0, 5000.0])
def test_a_register_that_falls_just_after_the_session_began_fell(register_wh: float) -> None:
    """However little stood there, it was told before."""

    def lie(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
        return power_w, max(0.0, energy_wh - (800.0 if second >= 45 else 0.0))

    found = told(Registers(), Metered(1, lie, register_wh=register_wh).run(90))
    assert found[0].sign.kind == "register-rollback"
    assert found[0].sign.explanation.startswith("the register fell by ")


def test_each_says_what_it_saw_in_numbers() -> None:
    """Power where the power is wrong, else the register and what flowed."""
    assert explanation(told(Registers(), Metered(10, scaled(0.45)).run(190))).endswith("0.45 times as much")
    found = told(Registers(), Metered(10, back).run(190))
    assert explanation(found).startswith("the register fell by 711 Wh while 89 Wh flowed")
    assert found[0].sign.deviation == pytest.approx(800, abs=2)
    found = told(Registers(), Metered(60, frozen()).run(190))
    assert " where " in explanation(found)
    assert "fell" in explanation(told(Registers(), Metered(10, kilo).run(190)))


@pytest.mark.parametrize("interval_s", INTERVALS)
@pytest.mark.parametrize("lie", [scaled(0.45), frozen()])
def test_it_is_told_again_while_it_lasts(
    interval_s: int, lie: Callable[[float, float, float], tuple[float, float]]
) -> None:
    """Within 20 s each, so that it stays one anomaly, and its begin stays the same."""
    found = told(Registers(), Metered(interval_s, lie, current_a=lambda _: SETTLED_A).run(400))
    seconds = [one.second for one in found]
    assert max(b - a for a, b in itertools.pairwise(seconds)) <= 20.0
    assert len({one.sign.since for one in found}) == 1


def test_a_register_that_was_set_back_once_is_an_instant() -> None:
    """From there on it counts right, and it may come back."""

    def lie(second: float, power_w: float, energy_wh: float) -> tuple[float, float]:
        return power_w, energy_wh - (800.0 if 100 <= second < 300 else 0.0)

    found = told(Registers(), Metered(1, lie, current_a=lambda _: SETTLED_A).run(500))
    assert [round(one.second) for one in found] == [100]


@given(
    seed=st.integers(0, 2**31),
    interval_s=st.sampled_from(INTERVALS),
    loss=st.sampled_from((0.0, 0.05, 0.3)),
    steps=st.lists(st.floats(0.0, 300.0), min_size=1, max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_an_honest_meter_is_silent(seed: int, interval_s: int, loss: float, steps: list[float]) -> None:
    """Whatever current flows and however many frames are lost."""
    metered = Metered(
        interval_s, current_a=lambda second: steps[int(second / 40) % len(steps)], loss=loss, seed=seed
    )
    assert told(Registers(), metered.run(320)) == []


@pytest.mark.parametrize("lie", [honest, frozen()])
def test_meter_values_may_come_before_their_reading(
    lie: Callable[[float, float, float], tuple[float, float]],
) -> None:
    """The two come from two sources: by three seconds too early changes nothing."""
    events = list(Metered(1, lie).run(190))
    early = [(event.at.timestamp() - 3.0 * (event.origin == "ocpp"), event) for event in events]  # type: ignore[attr-defined]
    found = told(Registers(), [event for _, event in sorted(early, key=lambda one: one[0])])
    assert {one.sign.kind for one in found} == ({"register-freeze"} if lie is not honest else set())


def test_queued_meter_values_are_not_judged() -> None:
    """They come a minute late, in a burst: their instants are forgotten, whatever they say."""
    events, queued = [], []
    for event in Metered(10, honest).run(400):
        second = event.at.timestamp() - START_S
        if 60 <= second < 120 and isinstance(event, Reading) and event.origin == "ocpp":
            queued.append(structs.replace(event, power_w=1.0))
            continue
        events.append(event)
        if second >= 120 and queued:
            events += queued
            queued = []
    assert told(Registers(), events) == []


def test_who_joins_midway_is_silent_until_it_knows() -> None:
    """The first register says nothing; a foreign clock's MeterValues never do."""
    events = [event for event in Metered(1, honest).run(300) if event.at >= at(130)]
    assert told(Registers(), events) == []
    ahead = [
        structs.replace(event, at=at(event.at.timestamp() - START_S + 900), power_w=1.0)
        if isinstance(event, Reading) and event.origin == "ocpp"
        else event
        for event in events
    ]
    assert told(Registers(), ahead) == []


def test_what_flowed_in_a_long_gap_may_have_been_counted() -> None:
    """The memory did not hear the bus for half a minute, the meter did; with losses both did not."""
    events = [
        event
        for event in Metered(1, current_a=lambda _: SETTLED_A).run(300)
        if not at(100) < event.at < at(130)
    ]
    assert told(Registers(), events) == []


def test_what_flowed_is_known_for_the_last_seconds() -> None:
    """At a reading, between readings, and neither long ago nor in a gap."""
    flowed = Flowed()
    for second in range(20):
        flowed.add(float(second), 3600.0)
    assert flowed.at(19.0) == (19.0, 3600.0, 0.0)
    assert flowed.at(15.5) == (15.5, 3600.0, 0.5)
    assert flowed.at(3.0) is None
    flowed.add(40.0, 3600.0)
    assert flowed.at(30.0) is None
    assert flowed.at(40.0) == (19.0, 3600.0, 0.0)
    assert flowed.unsure_wh == 21.0
