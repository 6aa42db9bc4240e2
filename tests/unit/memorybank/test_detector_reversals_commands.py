"""Repeated current fluctuation by its commands: found within two periods; benign ones are not."""

import random
import statistics
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from msgspec import structs

from charger.ramp import Ramp
from contracts.events import CommandSent, Event, Reading
from detector_parts import (
    RAMPS,
    START_AT,
    Connector,
    Told,
    fluctuation,
    limit,
    reading,
    start,
    stop,
    told,
)
from memorybank.detectors.reversals import Reversals

BEGIN_S = 60.0


def found(ramp: Ramp, period_s: float, high_a: float, seed: int) -> list[Told]:
    """What is told of the base scenario at a pace, with 5 % of readings lost."""
    begin_s = BEGIN_S + seed / 7
    connector = Connector(ramp=ramp, seed=seed, loss=0.05, noise_a=0.3)
    until_s = begin_s + max(20.0, 2.5 * period_s)
    return told(Reversals(), connector.run(fluctuation(begin_s, period_s, high_a, 6), until_s))


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("period_s", [4, 6, 8, 16, 60])
@pytest.mark.parametrize("high_a", [10, 40, 100])
def test_the_scenario_is_found_within_two_periods(ramp: Ramp, period_s: int, high_a: int) -> None:
    """From its first command; in 16 s where two periods are less."""
    delays_s = []
    for seed in range(5):
        signs = found(ramp, period_s, high_a, seed)
        delays_s.append(signs[0].second - BEGIN_S - seed / 7 if signs else float("inf"))
        assert all(sign.sign.pattern["period_s"] == pytest.approx(period_s, rel=0.05) for sign in signs)
    assert statistics.median(delays_s) <= max(16, 2 * period_s)
    assert max(delays_s) <= max(20, 2.2 * period_s)


def test_the_sentence_says_what_was_commanded_and_what_followed() -> None:
    """With numbers that a person finds in the graph."""
    sign = found(RAMPS[0], 8, 100, 0)[0].sign
    assert sign.explanation.startswith("current reversed ")
    assert "limit commands alternated 0 and 100 A 4 times; period 8.0 s" in sign.explanation
    assert sign.pattern.keys() == {"period_s", "amplitude_a", "duty", "reversals"}
    assert sign.score >= sign.threshold


def test_it_is_told_as_long_as_it_lasts_and_no_longer() -> None:
    """At least every 20 s, also where half a period is 30 s."""
    connector = Connector(limit_a=100.0)
    signs = told(Reversals(), connector.run(fluctuation(60, 60, 100, 6), 900))
    seconds = [sign.second for sign in signs]
    assert all(later - earlier <= 20 for earlier, later in pairwise(seconds))
    assert 400 <= seconds[-1] <= 520


@pytest.mark.parametrize("period_s", [6, 20, 60])
def test_limits_that_alternate_in_a_local_session(period_s: int) -> None:
    """A square wave of profiles; the driver started the session."""
    connector = Connector(loss=0.05, charging=True)
    commands = [limit(BEGIN_S + number * period_s / 2, 30.0 if number % 2 else 12.0) for number in range(8)]
    signs = told(Reversals(), connector.run(commands, BEGIN_S + 3 * period_s))
    assert signs[0].second - BEGIN_S <= max(16, 2 * period_s)


def test_the_two_sources_may_be_interleaved_wrongly() -> None:
    """Commands that come four seconds after the readings that follow them, or before: the same alarm."""
    events = list(Connector(limit_a=100.0).run(fluctuation(BEGIN_S, 8, 100, 8), 120))
    for shift_s in (-4, 4):
        arrival = [
            (event.at + timedelta(seconds=shift_s * isinstance(event, CommandSent)), number, event)
            for number, event in enumerate(events)
        ]
        signs = told(Reversals(), [event for _, _, event in sorted(arrival, key=lambda one: one[:2])])
        assert 0 < signs[0].second - BEGIN_S <= 20


def test_a_charge_point_that_swings_without_known_commands() -> None:
    """Only the bus is recorded: three periods of what the module was told are needed, 10 A are enough."""
    events = Connector(limit_a=100.0).run(fluctuation(BEGIN_S, 16, 12, 8), 180)
    signs = told(Reversals(), (event for event in events if isinstance(event, Reading)))
    assert 32 <= signs[0].second - BEGIN_S <= 3 * 16 + 5
    assert "commands alternated 0 and 12 A 6 times" in signs[0].sign.explanation


def test_commands_that_were_refused_are_none() -> None:
    """Nor do commands alone make a fluctuation."""
    events = [
        structs.replace(event, outcome="Rejected") if isinstance(event, CommandSent) else event
        for event in Connector().run(fluctuation(BEGIN_S, 8, 100, 8), 120)
        if isinstance(event, CommandSent)
    ]
    steady = [reading(float(second), 0.0) for second in range(120)]
    assert told(Reversals(), sorted(events + steady, key=lambda event: event.at)) == []
    accepted = [*fluctuation(BEGIN_S, 8, 100, 8), *steady]
    assert told(Reversals(), sorted(accepted, key=lambda event: event.at)) == []


def saw_tooth(amplitude_a: float) -> Iterator[Event]:
    """H1: up to 120 A within a minute and a half, back by the amplitude every eight seconds."""
    for second in range(600):
        rise_a = min(120.0, max(0.0, second - 30.0) * 1.3)
        tooth_a = amplitude_a * (second % 8) / 8 if 0 < rise_a < 120 else 0.0
        yield reading(float(second), max(0.0, rise_a - tooth_a), commanded_a=125.0, transaction_id=1)


@pytest.mark.parametrize("amplitude_a", [10, 15, 25, 40])
def test_a_saw_tooth_ramp_is_no_alarm(amplitude_a: float) -> None:
    """Several reversals of 10 A and more within a minute."""
    assert told(Reversals(), saw_tooth(amplitude_a)) == []


@pytest.mark.parametrize("seed", range(10))
def test_photovoltaic_surplus_is_no_alarm(seed: int) -> None:
    """H3: 6 to 11 A, half a minute on, three minutes off."""
    rng, second = random.Random(seed), 30.0
    commands: list[Event] = [start(10)]
    while second < 3600:
        commands += [limit(second + s, rng.uniform(6, 11)) for s in (0, 10, 20)]
        second += rng.uniform(25, 40)
        commands.append(limit(second, 0.0))
        second += rng.uniform(150, 210)
    assert told(Reversals(), Connector(limit_a=16.0).run(commands, 3600)) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_driver_who_pauses_and_resumes_is_no_alarm(seed: int) -> None:
    """H9: by an app, twice within a minute or two, then an hour of charging."""
    rng, second = random.Random(seed), 30.0
    commands: list[Event] = []
    for _ in range(2):
        commands += [start(second), stop(second + rng.uniform(8, 25))]
        second += rng.uniform(28, 45)
    commands.append(start(second))
    assert told(Reversals(), Connector(limit_a=63.0).run(commands, 900)) == []


@pytest.mark.parametrize("seed", range(10))
def test_plugs_that_share_their_power_are_no_alarm(seed: int) -> None:
    """H4: half of the limit while the neighbour charges, who comes and goes."""
    rng, second = random.Random(seed), 30.0
    commands: list[Event] = [start(10)]
    for number in range(12):
        commands.append(limit(second, 32.0 if number % 2 else 16.0))
        second += rng.uniform(20, 600)
    assert told(Reversals(), Connector(limit_a=32.0).run(commands, second)) == []


def test_a_false_reading_between_the_true_ones_is_another_anomaly() -> None:
    """Who speaks for the module makes the readings swing, not the current."""
    true = [reading(float(second), 80.0) for second in range(120)]
    false = [reading(second + 0.4, 0.0) for second in range(30, 120)]
    assert told(Reversals(), sorted(true + false, key=lambda event: event.at)) == []


def test_another_connectors_stop_is_none_of_ours() -> None:
    """A stop names a transaction, not a connector, so all connectors of the charge point hear it."""
    commands: list[Event] = [start(10)]
    for number in range(8):
        other = stop(60.0 + 8 * number)
        other.parameters["transactionId"] = 77
        commands.append(other)
    events = [*Connector(limit_a=32.0).run([start(10)], 200), *commands[1:]]
    state = Reversals().start(None)  # type: ignore[arg-type]
    for event in sorted(events, key=lambda event: event.at):
        Reversals().step(state, event)  # type: ignore[arg-type]
    assert state.wished.running
    assert state.at_s > START_AT.timestamp()
