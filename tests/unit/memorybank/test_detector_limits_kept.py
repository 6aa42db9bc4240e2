"""Limits over the rating, currents over their limit; ramps, noise and a watt's worth of doubt are neither."""

import random
from collections.abc import Iterator

import pytest
from msgspec import structs

from contracts.events import CommandSent, Event, Reading
from detector_parts import FAST, RAMPS, SLOW, Connector, at, command, limit, reading, start, stop, told
from memorybank.detectors.limits_kept import LimitsKept


def in_watts(second: float, limit_w: float) -> CommandSent:
    sent = limit(second, limit_w)
    sent.parameters["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"] = "W"
    return sent


def test_a_set_point_over_the_rating_is_told_at_once_and_again_while_it_charges() -> None:
    """Whatever flows: the station may keep it to its rating."""
    connector = Connector(limit_a=280.0, takes_a=lambda _: 300.0)
    found = told(LimitsKept(), connector.run([start(10), limit(60, 420.0), limit(200, 250.0)], 300))
    assert found[0].second == pytest.approx(60, abs=0.1)
    assert 180 < found[-1].second < 201
    assert {one.sign.kind for one in found} == {"profile-over-limit"}
    assert found[0].sign.explanation == "the limit was set to 420 A, and 300 A is the rating"
    assert found[0].sign.deviation == 120.0
    assert len({one.sign.since for one in found}) == 1
    assert found[-1].second - found[-2].second <= 20


@pytest.mark.parametrize(
    "sent",
    [
        limit(60, 300.0),
        structs.replace(limit(60, 420.0), outcome="Rejected"),
        in_watts(60, 290_000.0),
        command(60, "SetChargingProfile", csChargingProfiles={"chargingSchedule": {}}),
        command(60, "ChangeConfiguration", key="MaxCurrent", value="420"),
    ],
)
def test_what_is_no_set_point_over_the_rating(sent: CommandSent) -> None:
    """Within it, refused, in watts that a connector of 1000 V may have, unreadable, or none at all."""
    assert told(LimitsKept(), Connector(limit_a=100.0).run([start(10)], 50)) == []
    assert told(LimitsKept(), [sent, *readings([100.0] * 30)]) == []


def readings(currents_a: list[float], offered_a: float = 100.0, loss: float = 0.0) -> Iterator[Event]:
    rng = random.Random(1)
    for number, current_a in enumerate(currents_a):
        if rng.random() >= loss:
            noisy_a = round(current_a + rng.gauss(0.0, 0.3), 2)
            yield reading(100.0 + number, noisy_a, offered_a=offered_a, transaction_id=1)


@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_current_over_its_limit_is_told_after_seven_seconds(loss: float) -> None:
    """EVerest's rule: 110 % and 0.5 A for 7 s."""
    found = told(LimitsKept(), readings([100.0] * 20 + [113.0] * 60, loss=loss))
    assert 127 <= found[0].second <= 131
    assert found[0].sign.since == at(120.0)
    assert found[0].sign.explanation.startswith(
        "113 A flow where 100 A are offered; more than 110 % and 0.5 A"
    )
    assert found[-1].second >= 165
    assert told(LimitsKept(), readings([100.0] * 20 + [113.0] * 6 + [100.0] * 20)) == []
    assert told(LimitsKept(), readings([100.0] * 20 + [110.0] * 60)) == []


def test_a_paused_session_is_silent_whatever_its_sensor_says() -> None:
    """Half an ampere of bias, and noise, where nothing is offered."""
    assert told(LimitsKept(), readings([0.5] * 20_000, offered_a=0.0)) == []


def test_gravity_is_that_of_the_current() -> None:
    """Over 110 % of the rating nothing is safe."""
    (first, *_) = told(LimitsKept(), readings([340.0] * 20, offered_a=300.0))
    assert first.sign.severity == "critical"
    (first, *_) = told(LimitsKept(), readings([40.0] * 20, offered_a=30.0))
    assert first.sign.severity == "warning"


@pytest.mark.parametrize("ramp", RAMPS)
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_a_ramp_down_takes_its_time(ramp: object, loss: float) -> None:
    """From 290 A to 20 A at 10 A/s: half a minute over the new limit."""
    connector = Connector(ramp=ramp, limit_a=290.0, loss=loss, seed=3)  # type: ignore[arg-type]
    commands = [start(10), limit(80, 20.0), limit(130, 290.0), limit(180, 0.0), stop(230)]
    assert told(LimitsKept(), connector.run(commands, 280)) == []


def test_gaps_and_unknowns_are_no_time_over_a_limit() -> None:
    """A bus that was silent, a reading without an offer, one without a current."""
    once = [reading(second, 130.0, offered_a=100.0) for second in (10, 20, 30, 40)]
    assert told(LimitsKept(), once) == []
    unknown: list[Reading] = []
    for second in range(30):
        unknown += [reading(second, 130.0, offered_a=None), reading(second + 0.5, None)]
    assert told(LimitsKept(), unknown) == []


def test_the_command_may_come_after_its_effect() -> None:
    """The CSMS's events may be some seconds late."""
    events = [*Connector(ramp=FAST, limit_a=280.0).run([start(10), limit(60, 420.0)], 90)]
    late = sorted(events, key=lambda event: event.at.timestamp() + 3 * isinstance(event, CommandSent))
    found = told(LimitsKept(), late)
    assert found[0].sign.since == at(60.0)


def test_a_spoofed_reading_now_and_then_is_no_current_over_a_limit() -> None:
    """Each true one between says that it is kept."""
    events = list(Connector(ramp=SLOW, limit_a=100.0).run([start(10)], 120))
    rogue = [reading(60.5 + second, 180.0, offered_a=100.0) for second in range(40)]
    assert told(LimitsKept(), sorted([*events, *rogue], key=lambda event: event.at)) == []
