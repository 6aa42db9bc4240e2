"""Mass steps and fleet oscillations: what moves together, and what only happens to be at work together."""

import heapq
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charger.ramp import LinearRamp
from contracts.events import FLEET, Event, Reading
from detector_parts import (
    RAMPS,
    Connector,
    Told,
    at,
    command,
    limit,
    reading,
    start,
    stop,
    told,
)
from memorybank.detector import Place
from memorybank.detectors.fleet_oscillation import FleetOscillation
from memorybank.detectors.mass_step import MassStep

Commands = dict[str, list[Event]]


def names(count: int) -> list[str]:
    return [f"CP-{number}" for number in range(1, count + 1)]


def fleet(
    commands: Commands, until_s: float, connector: Connector | None = None, *, loss: float = 0.0
) -> Iterator[Event]:
    """All their events in order of time; each charge point has a seed of its own."""
    like = connector or Connector()
    streams = [
        replace(like, charge_point_id=name, seed=number, loss=loss).run(own, until_s)
        for number, (name, own) in enumerate(commands.items())
    ]
    return heapq.merge(*streams, key=lambda event: event.at)


def signs(detector: MassStep | FleetOscillation, events: Iterable[Event]) -> list[Told]:
    return told(detector, events, Place(FLEET, 0))


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("count", [2, 3, 10, 60])
def test_all_that_start_at_once_are_a_mass_step(ramp: object, count: int) -> None:
    """From two charge points on, within ten seconds of the command, and so for the stop."""
    commands: Commands = {name: [start(30.2, name), stop(90.4, name)] for name in names(count)}
    found = signs(MassStep(), fleet(commands, 130, Connector(ramp=ramp, limit_a=60.0), loss=0.05))  # type: ignore[arg-type]
    assert {told.sign.kind for told in found} == {"mass-step"}
    started = [told for told in found if told.sign.pattern["direction"] > 0]
    stopped = [told for told in found if told.sign.pattern["direction"] < 0]
    assert 30 < started[0].second <= 40
    assert 90 < stopped[0].second <= 100
    assert f"of {count} connectors started within" in started[-1].sign.explanation
    assert started[-1].sign.pattern["share"] >= 0.6
    assert started[-1].sign.deviation == pytest.approx(count * 60 * 380, rel=0.4)


def test_local_starts_at_once_are_a_mass_step() -> None:
    """Without any command that is known, of many."""
    commands: Commands = {name: [start(30.2, name)] for name in names(12)}
    events = (event for event in fleet(commands, 60) if isinstance(event, Reading))
    assert signs(MassStep(), events)


def arrivals(seed: int, count: int, hours: float, mean_s: float) -> Commands:
    """Charge points that start and stop at times of their own."""
    rng = random.Random(seed)
    commands: Commands = {}
    for name in names(count):
        second, own = rng.expovariate(1 / mean_s), []
        while second < hours * 3600:
            own += [start(second, name), stop(second + mean_s / 3, name)]
            second += mean_s / 2 + rng.expovariate(2 / mean_s)
        commands[name] = own
    return commands


@pytest.mark.parametrize(("seed", "count", "mean_s"), [(0, 3, 3600.0), (1, 10, 1800.0), (2, 40, 900.0)])
def test_independent_sessions_are_no_step(seed: int, count: int, mean_s: float) -> None:
    """Also where there are many of them."""
    hours = 3.0 if count < 20 else 0.5
    commands = arrivals(seed, count, hours, mean_s)
    assert signs(MassStep(), fleet(commands, hours * 3600, Connector(limit_a=32.0))) == []


def test_a_site_that_lowers_all_limits_is_no_step() -> None:
    """Load management moves all at once, but stops nobody."""
    commands: Commands = {
        name: [start(5 + 40 * number, name), limit(600, 16.0, charge_point_id=name)]
        for number, name in enumerate(names(8))
    }
    assert signs(MassStep(), fleet(commands, 700, Connector(limit_a=32.0))) == []


def test_one_that_starts_and_stops_again_and_again_is_no_step() -> None:
    """A fleet of one, and one among others: a connector counts once."""
    swings: list[Event] = [
        event for second in range(60, 200, 3) for event in (start(second, "CP-1"), stop(second + 1.5, "CP-1"))
    ]
    assert signs(MassStep(), fleet({"CP-1": swings}, 220)) == []
    assert signs(MassStep(), fleet({"CP-1": swings, "CP-2": [start(20.0, "CP-2")]}, 220)) == []


def test_random_start_delays_are_no_step() -> None:
    """H5: the tariff changes for all, and each waits up to 600 s."""
    rng = random.Random(5)
    commands: Commands = {name: [start(60 + rng.uniform(0, 600), name)] for name in names(12)}
    assert signs(MassStep(), fleet(commands, 720)) == []


def test_an_outage_is_no_step() -> None:
    """All were charging, nothing was heard for ten minutes, and then all are silent or charging."""
    commands: Commands = {name: [start(5 + 50 * number, name)] for number, name in enumerate(names(6))}
    before = list(fleet(commands, 400, Connector(limit_a=32.0)))
    after = [
        reading(second + number / 10, 0.0, charge_point_id=name)
        for second in range(1000, 1010)
        for number, name in enumerate(names(6))
    ]
    assert signs(MassStep(), before + after) == []


def square(
    name: str, begin_s: float, period_s: float, low_a: float, high_a: float, until_s: float
) -> list[Event]:
    """Profiles that alternate in a session that runs."""
    found: list[Event] = [start(2.0, name), limit(3.0, low_a, charge_point_id=name)]
    second = begin_s
    while second < until_s:
        found.append(limit(second, high_a, charge_point_id=name))
        found.append(limit(second + period_s / 2, low_a, charge_point_id=name))
        second += period_s
    return found


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize(
    ("count", "period_s", "high_a"), [(2, 8, 40), (5, 30, 25), (20, 60, 26), (20, 12, 60)]
)
def test_profiles_that_alternate_in_phase_are_an_oscillation(
    ramp: object, count: int, period_s: float, high_a: float
) -> None:
    """Within three periods and a few seconds; the period, the coherence and the line are told."""
    until_s = 120 + 4 * period_s
    commands: Commands = {name: square(name, 120.3, period_s, 20, high_a, until_s) for name in names(count)}
    found = signs(FleetOscillation(), fleet(commands, until_s, Connector(ramp=ramp), loss=0.05))  # type: ignore[arg-type]
    assert {told.sign.kind for told in found} == {"fleet-oscillation"}
    assert found[0].second <= 120.3 + 2 * period_s + 8
    assert found[-1].sign.pattern["period_s"] == pytest.approx(period_s, rel=0.05)
    assert found[-1].sign.pattern["coherence"] > 0.9
    assert f"of {count} connectors rise together every" in found[-1].sign.explanation


def test_staggered_swings_are_none_of_the_fleet() -> None:
    """As charge points of the bench live by default: the same scenario, each two seconds later."""
    commands: Commands = {
        name: square(name, 60 + 2.0 * number, 8, 0, 60, 200) for number, name in enumerate(names(4))
    }
    assert signs(FleetOscillation(), fleet(commands, 200)) == []


def test_one_that_swings_is_none_of_the_fleet() -> None:
    """However many charge steadily beside it."""
    commands: Commands = {name: [start(5 + 20 * number, name)] for number, name in enumerate(names(9))}
    commands["CP-X"] = square("CP-X", 60, 8, 0, 60, 300)
    assert signs(FleetOscillation(), fleet(commands, 300, Connector(limit_a=32.0))) == []


def test_a_site_that_follows_the_sun_is_no_oscillation() -> None:
    """All limits move at once, up and down, when the clouds do."""
    rng = random.Random(3)
    edges_s = [60.0]
    while edges_s[-1] < 1500:
        edges_s.append(edges_s[-1] + rng.uniform(10, 90))
    limits = [rng.uniform(6, 16) for _ in edges_s]
    commands: Commands = {
        name: [start(5, name)]
        + [limit(s, a, charge_point_id=name) for s, a in zip(edges_s, limits, strict=True)]
        for name in names(6)
    }
    assert signs(FleetOscillation(), fleet(commands, 1500, Connector(limit_a=16.0))) == []


@pytest.mark.parametrize("detector", [MassStep(), FleetOscillation()])
def test_late_and_doubled_readings_change_nothing(detector: MassStep | FleetOscillation) -> None:
    """Each reading twice, the second time out of order: the same signs."""
    commands: Commands = {name: square(name, 60.2, 8, 0, 60, 120) for name in names(3)}
    events = list(fleet(commands, 120, Connector(ramp=LinearRamp(20.0))))
    late: list[Event] = []
    for number, event in enumerate(events):
        late.append(event)
        if number > 3 and isinstance(events[number - 3], Reading):
            late.append(events[number - 3])
    assert [found.sign for found in signs(detector, late)] == [
        found.sign for found in signs(detector, events)
    ]
    assert signs(detector, events)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-1e4, 1e7),
            st.sampled_from(["CP-1", "CP-2", "CP-3", None]),
            st.none() | st.floats(allow_nan=False, allow_infinity=False),
            st.sampled_from(["can", "ocpp"]),
        ),
        max_size=60,
    )
)
def test_no_events_break_them(series: list[tuple[float, str | None, float | None, str]]) -> None:
    """Whatever arrives, in whatever order; the same events give the same signs."""
    for detector in (MassStep(), FleetOscillation()):
        events: list[Event] = []
        for second, name, current_a, origin in series:
            events.append(reading(second, current_a, charge_point_id=name, origin=origin))
            events.append(command(second, "RemoteStartTransaction"))
        assert signs(detector, events) == signs(detector, events)


def test_a_step_of_thousands_is_judged_in_time() -> None:
    """Sorted once a tick, not compared each with each; and the memory is bounded."""
    detector = MassStep()
    state = detector.start(Place(FLEET, 0))
    found = []
    for second in range(12):
        for number in range(5000):
            current_a = 0.0 if second < 6 else 32.0
            detector.step(state, reading(second + number / 1e4, current_a, charge_point_id=f"CP-{number}"))
        found.append(detector.tick(state, at(second + 1)))
    (sign,) = [sign for sign in found if sign is not None]
    assert "of 5000 connectors started" in sign.explanation
    assert len(state.recent) <= 4096
