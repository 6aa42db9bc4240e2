"""Limits that creep, limits that throttle; what lowers a current for a reason is neither."""

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from contracts.events import Event, Reading
from detector_parts import Connector, command, limit, reading, start, stop, told
from memorybank.detector import Expected, Place
from memorybank.detectors.profile_throttling import ProfileThrottling
from memorybank.detectors.stealth_drift import StealthDrift


def creeping(a_per_min: float, every_s: float, begin_s: float, until_s: float, from_a: float) -> list[Event]:
    steps = int((until_s - begin_s) / every_s)
    return [
        limit(begin_s + number * every_s, round(from_a + number * a_per_min * every_s / 60, 1))
        for number in range(steps)
    ]


@pytest.mark.parametrize("a_per_min", [-1.0, 0.5])
@pytest.mark.parametrize("every_s", [15, 60, 120])
@pytest.mark.parametrize("source", ["commands", "readings"])
def test_a_limit_that_creeps_is_found_within_its_run(a_per_min: float, every_s: float, source: str) -> None:
    """By the CSMS's commands, or where only the bus speaks, which knows whole amperes: after 8 A."""
    connector = Connector(limit_a=63.0, loss=0.05, takes_a=lambda _: 50.0)
    commands = [start(10), *creeping(a_per_min, every_s, 120, 2100, 63.0)]
    events: Iterator[Event] = connector.run(commands, 2100)
    if source == "readings":
        events = (event for event in events if isinstance(event, Reading))
    found = told(StealthDrift(), events)
    assert 120 < found[0].second <= 120 + 9 / abs(a_per_min) * 60 + 3 * every_s
    assert found[-1].second >= 2000
    assert {told.sign.kind for told in found} == {"stealth-drift"}
    assert found[-1].sign.pattern["a_per_min"] == pytest.approx(a_per_min, rel=0.25)
    assert found[-1].sign.explanation.startswith("limit crept from 6")


def test_a_drift_ends_with_its_last_step() -> None:
    """Three minutes without one."""
    commands = [start(10), *creeping(-1.0, 30, 60, 900, 63.0)]
    found = told(StealthDrift(), Connector(limit_a=63.0).run(commands, 1800))
    assert 870 < found[-1].second <= 870 + 190


def sunny(seed: int, until_s: float) -> list[Event]:
    """Surplus control of an AC car: 6 to 11 A as the clouds go, now and then off for three minutes."""
    rng = random.Random(seed)
    second, limit_a, found = 30.0, 8.0, []
    while second < until_s:
        limit_a = max(6.0, min(11.0, limit_a + rng.choice((-1.0, -1.0, 0.0, 1.0, 1.0))))
        found.append(limit(second, limit_a))
        second += rng.uniform(8, 30)
        if rng.random() < 0.1:
            found += [limit(second, 0.0), limit(second + 180, 6.0)]
            second += 200
            limit_a = 6.0
    return found


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("detector", [StealthDrift(), ProfileThrottling()])
def test_photovoltaic_control_is_no_attack(detector: StealthDrift | ProfileThrottling, seed: int) -> None:
    """H3: an hour of it."""
    commands: list[Event] = [start(5), *sunny(seed, 3600)]
    assert told(detector, Connector(limit_a=16.0).run(commands, 3600)) == []


def taper(second: float) -> float:
    """H2: 1 A less every 20 s, down to 5 A."""
    return max(5.0, 60.0 - (second - 300) // 20)


@pytest.mark.parametrize("detector", [StealthDrift(), ProfileThrottling()])
def test_what_the_vehicle_or_the_module_does_is_no_attack(
    detector: StealthDrift | ProfileThrottling,
) -> None:
    """A taper in steps (H2), a module that derates to nothing (H8): the limit stays."""
    tapered = Connector(limit_a=60.0, takes_a=taper).run([start(5)], 2400)
    assert told(detector, tapered) == []
    derated = Connector(limit_a=300.0, takes_a=lambda second: max(0.0, 300.0 - second / 4)).run(
        [start(5)], 1800
    )
    assert told(detector, derated) == []


@pytest.mark.parametrize("detector", [StealthDrift(), ProfileThrottling()])
def test_power_sharing_is_no_attack(detector: StealthDrift | ProfileThrottling) -> None:
    """H4: half of the limit while the neighbour charges."""
    rng = random.Random(4)
    second, commands = 60.0, [start(5)]
    for number in range(40):
        commands.append(limit(second, 16.0 if number % 2 else 32.0))
        second += rng.uniform(60, 900)
    assert told(detector, Connector(limit_a=32.0).run(commands, second)) == []


@pytest.mark.parametrize("limit_a", [0.0, 3.0, 6.0])
def test_a_session_held_at_nothing_is_throttled(limit_a: float) -> None:
    """After four minutes, and for as long as it lasts."""
    commands = [start(5), limit(300, limit_a), limit(1200, 63.0)]
    found = told(ProfileThrottling(), Connector(limit_a=63.0, loss=0.05).run(commands, 1500))
    assert 540 <= found[0].second <= 545
    assert 1185 <= found[-1].second <= 1201
    assert {told.sign.kind for told in found} == {"profile-throttling"}
    assert found[0].sign.explanation.startswith(f"limit held at {limit_a:.0f} A for 240 s of a session, 63 A")


def test_the_sun_may_stay_away_for_long() -> None:
    """H3 of direct current: from 9 A to nothing for ten minutes."""
    commands = [limit(2, 9.0), start(5), limit(60, 0.0), limit(660, 7.0)]
    assert told(ProfileThrottling(), Connector().run(commands, 800)) == []


def test_far_below_the_usual_is_nothing_too() -> None:
    """Of 300 A 12 A are; of 63 A they are not."""
    commands = [start(5), limit(300, 12.0)]
    assert told(ProfileThrottling(), Connector(limit_a=300.0).run(commands, 600))
    assert told(ProfileThrottling(), Connector(limit_a=63.0).run(commands, 600)) == []


def test_a_profile_that_overrides_another_is_found_sooner() -> None:
    """The user's profile stands, one of a higher level says a fifth of it."""
    commands = [limit(2, 63.0), start(5), limit(300, 12.0, level=9)]
    found = told(ProfileThrottling(), Connector(limit_a=63.0).run(commands, 600))
    assert 390 <= found[0].second <= 395
    assert "it overrides one of 63 A" in found[0].sign.explanation


def test_the_first_session_may_be_throttled_already() -> None:
    """Then the rating says what is usual; of alternating current it is small."""
    found = told(ProfileThrottling(), Connector().run([limit(2, 6.0), start(5)], 400))
    assert "300 A are usual" in found[0].sign.explanation


def test_a_delayed_begin_is_no_attack() -> None:
    """H5: nothing flows for up to 600 s after the tag; what stays longer is one."""
    commands = [limit(2, 0.0), start(5), limit(605, 63.0)]
    assert told(ProfileThrottling(), Connector().run(commands, 1200)) == []
    found = told(ProfileThrottling(), Connector().run(commands[:2], 1200))
    assert 700 <= found[0].second <= 720


def ac(*commands: Event, until_s: float) -> Iterator[Event]:
    """The events of a charge point of alternating current."""
    for event in Connector(limit_a=32.0).run(commands, until_s):
        yield structs.replace(event, voltage_v=230.0) if isinstance(event, Reading) else event


def test_alternating_current_is_throttled_only_where_nobody_controls_it() -> None:
    """From 32 A to 6 A at once is an attack; the same after limits that followed the sun is the dusk."""
    assert told(ProfileThrottling(), ac(start(5), limit(300, 6.0), until_s=600))
    dusk = [limit(60.0 * number, 16.0 - 2 * number) for number in range(1, 7)]
    assert told(ProfileThrottling(), ac(start(5), *dusk, limit(420, 0.0), until_s=1500)) == []
    assert told(ProfileThrottling(), ac(limit(2, 0.0), start(5), until_s=3000)) == []


def test_what_was_learned_is_usual() -> None:
    """At a place where 8 A are usual, 6 A are."""
    commands = [start(5), limit(300, 6.0)]
    place = Place("CP-1", 1, lambda metric, _: Expected(8.0, 1.0, 9000) if metric == "commanded_a" else None)
    assert told(ProfileThrottling(), Connector(limit_a=63.0).run(commands, 900), place) == []


def test_a_full_battery_is_not_throttled() -> None:
    """Nor is a vehicle that takes less than the low limit."""
    commands = [start(5), limit(300, 6.0)]
    resting = Connector(limit_a=63.0, takes_a=lambda second: 0.5 if second > 290 else 60.0)
    assert told(ProfileThrottling(), resting.run(commands, 900)) == []
    full = [reading(s, 0.0, commanded_a=0.0, transaction_id=1, soc_percent=99.0) for s in range(600)]
    assert told(ProfileThrottling(), full) == []


def test_nobody_is_throttled_between_sessions() -> None:
    """A low limit that stands while no car charges."""
    commands = [start(5), stop(60), limit(70, 0.0), limit(900, 32.0)]
    assert told(ProfileThrottling(), Connector(limit_a=32.0).run(commands, 1200)) == []


amounts = st.none() | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e4, 1e8), amounts, amounts, st.none() | st.integers(1, 9), st.floats(0, 1e6)),
        max_size=60,
    )
)
def test_no_events_break_them(
    series: list[tuple[float, float | None, float | None, int | None, float]],
) -> None:
    """Whatever arrives, in whatever order: the same events give the same signs."""
    events: list[Event] = []
    for second, current_a, commanded_a, transaction_id, limit_a in series:
        events.append(limit(second, limit_a, level=int(limit_a) % 3))
        events.append(reading(second, current_a, commanded_a=commanded_a, transaction_id=transaction_id))
        events.append(command(second, "ClearChargingProfile", stackLevel=1))
    for detector in (StealthDrift(), ProfileThrottling()):
        assert told(detector, events) == told(detector, events)
