"""The simulated bench: the base scenario as on the real chain, the same each time, consistent in itself."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from charger import noise
from charger.power_stage import Ratings
from charger.ramp import LinearRamp
from charger.vehicle import Vehicle
from contracts.events import (
    AnyEvent,
    CanFrameSeen,
    CommandSent,
    Reading,
    ScenarioLabel,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from csms import scenario_file
from lab.life.session import Session
from lab.simulated.bench import Bench
from lab.simulated.charge_point import ChargePoint
from lab.simulated.plan import ChargePointPlan, ScenarioRun

SCENARIOS = Path(__file__).parents[3] / "scenarios"
BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)


def scenario_run(name: str, **given: object) -> ScenarioRun:
    played = scenario_file.load(SCENARIOS / f"{name}.toml")
    return ScenarioRun(run_id=f"run-{name}", scenario=played, **given)  # type: ignore[arg-type]


def session(energy_wh: float | None = 2000.0) -> Session:
    car = Vehicle(soc_percent=30.0, cars_to_come=noise.seeded(1))
    return Session(plug_s=60.0, leave_s=900.0, stop_s=600.0, vehicle=car, id_tag="TAG-1", energy_wh=energy_wh)


def events_of(
    *plans: ChargePointPlan, until_s: float, seed: int = 1, skips_idle: bool = True
) -> list[AnyEvent]:
    bench = Bench(plans, seed=seed, begin_at=BEGIN_AT, skips_idle=skips_idle)
    return list(bench.run(until_s))


def can_readings(events: list[AnyEvent]) -> list[Reading]:
    return [event for event in events if isinstance(event, Reading) and event.origin == "can"]


def attacked(**given: object) -> ChargePointPlan:
    return ChargePointPlan(
        charge_point_id="CP-1",
        runs=(scenario_run("repeated-current-fluctuation", start_s=5.0, lasts_s=120.0),),
        **given,  # type: ignore[arg-type]
    )


def test_base_scenario_swings_as_on_the_real_chain() -> None:
    """0 A to 99 A and back every 8 s, a transaction each time."""
    events = events_of(attacked(), until_s=200)
    starts = [event.at for event in events if isinstance(event, TransactionStarted)]
    periods_s = [(after - before).total_seconds() for before, after in pairwise(starts)]
    assert len(starts) == 15
    assert all(8.0 < period_s < 8.2 for period_s in periods_s)
    currents = [event.current_a or 0.0 for event in can_readings(events)]
    assert 97 < max(currents) < 101
    assert min(currents) == 0.0
    commands = Counter(event.command for event in events if isinstance(event, CommandSent))
    assert commands["RemoteStartTransaction"] == commands["RemoteStopTransaction"] == 15
    outcomes = Counter(event.outcome for event in events if isinstance(event, CommandSent))
    assert outcomes == {"Accepted": commands.total() - 1, "Answered": 1}  # GetConfiguration


def test_linear_ramp_stays_below_the_exponential_one() -> None:
    """20 A/s for two seconds."""
    events = events_of(attacked(ratings=Ratings(ramp=LinearRamp(20.0))), until_s=200)
    assert 38 < max(event.current_a or 0.0 for event in can_readings(events)) < 43


def test_label_tells_when_the_run_was_and_when_it_showed() -> None:
    started, ended = [
        event for event in events_of(attacked(), until_s=200) if isinstance(event, ScenarioLabel)
    ]
    assert (started.phase, ended.phase) == ("started", "ended")
    assert 5.0 <= (started.at - BEGIN_AT).total_seconds() < 5.1
    assert ended.physical_started_at is not None
    assert 3.0 < (ended.physical_started_at - started.at).total_seconds() < 5.5
    assert ended.physical_ended_at is not None
    assert 112 < (ended.physical_ended_at - started.at).total_seconds() < 121


def test_same_seed_gives_the_same_events_and_another_one_others() -> None:
    assert events_of(attacked(), until_s=60) == events_of(attacked(), until_s=60)
    assert events_of(attacked(), until_s=60) != events_of(attacked(), until_s=60, seed=2)


def test_neighbours_change_nothing() -> None:
    """A charge point's events depend on its plan and the seed alone."""
    plan = ChargePointPlan(charge_point_id="CP-2", sessions=[session()])
    alone = events_of(attacked(), until_s=60)
    together = [e for e in events_of(attacked(), plan, until_s=60) if e.charge_point_id == "CP-1"]
    assert alone == together


def test_transactions_of_many_charge_points_have_ids_of_their_own() -> None:
    """Of 32 bits, which is what OCPP has for them."""
    plans = [ChargePointPlan(charge_point_id=f"CP-{n}", sessions=[session()]) for n in range(500)]
    some = [ChargePoint(plans[n], n, seed=1, begin_at=BEGIN_AT) for n in (0, 1, 30, 499)]
    ids = [e.transaction_id for one in some for _, e in one.run(100) if isinstance(e, TransactionStarted)]
    assert len(set(ids)) == 4
    assert max(ids) < 2**31


def test_session_charges_what_its_driver_wants() -> None:
    plan = ChargePointPlan(charge_point_id="CP-1", sessions=[session()])
    events = events_of(plan, until_s=1000)
    (started,) = [event for event in events if isinstance(event, TransactionStarted)]
    (ended,) = [event for event in events if isinstance(event, TransactionEnded)]
    assert started.id_tag == "TAG-1"
    assert ended.reason == "Local"
    assert 2000 <= ended.meter_stop_wh - started.meter_start_wh < 2100


def test_energy_is_the_integral_of_power_and_fills_the_battery() -> None:
    plan = ChargePointPlan(charge_point_id="CP-1", sessions=[session(None)], noise_sd_a=0.0)
    readings = can_readings(events_of(plan, until_s=1000))
    powers_w = [event.power_w or 0.0 for event in readings]
    integral_wh = sum((a + b) / 2 for a, b in pairwise(powers_w)) / 3600
    energy_wh = readings[-1].energy_wh or 0.0
    assert energy_wh == pytest.approx(integral_wh, rel=1e-4)
    gained_wh = ((readings[-1].soc_percent or 0.0) - 30.0) / 100 * 64_000
    assert gained_wh == pytest.approx(energy_wh, rel=0.01)


def test_idle_time_is_jumped_over_and_nothing_else_changes() -> None:
    """What happens is the same as where every second is lived; only readings of nothing are missing."""
    plan = ChargePointPlan(charge_point_id="CP-1", sessions=[session()])
    lived, jumped = (
        [
            event
            for event in events_of(plan, until_s=1000, skips_idle=skips)
            if isinstance(event, TransactionStarted | TransactionEnded)
        ]
        for skips in (False, True)
    )
    assert lived == jumped
    assert len(can_readings(events_of(plan, until_s=1000))) < 400
    assert len(can_readings(events_of(plan, until_s=1000, skips_idle=False))) >= 990


@pytest.mark.parametrize("interval_s", [1, 10])
def test_idle_time_is_jumped_over_whatever_the_clocks_of_a_charge_point(interval_s: int) -> None:
    """MeterValues that are on their way whenever the outlet looks keep nothing awake."""
    plan = ChargePointPlan(charge_point_id="CP-1", plugged=False, sample_interval_s=interval_s)
    charge_point = ChargePoint(plan, 0, seed=1, begin_at=BEGIN_AT)
    charge_point._phases_s = [0.5, 0.502, 0.9]
    last_s = max(arrived_s for arrived_s, _ in charge_point.run(1000.0))
    assert 10 < charge_point.lived_s < 30
    assert last_s < 30


def test_time_that_is_still_lived_counts() -> None:
    charge_point = ChargePoint(
        ChargePointPlan(charge_point_id="CP-1", plugged=False), 0, seed=1, begin_at=BEGIN_AT
    )
    for _ in charge_point.run(7.0):
        pass
    assert charge_point.lived_s == pytest.approx(6.5, abs=1.0)


def test_lost_frames_are_missing() -> None:
    whole, losing = (
        [
            event
            for event in events_of(attacked(frames_lost_share=share), until_s=120)
            if isinstance(event, CanFrameSeen) and event.can_id == 0x300
        ]
        for share in (0.0, 0.2)
    )
    assert 0.7 * len(whole) < len(losing) < 0.9 * len(whole)


INJECTING = """
name = "scaled"
title = "Scaled"
description = "The meter tells a tenth"
imitates = "A manipulated meter"
source = "This test"
anomaly = "meter-scaling"
repeat = 1
[parameters.gain]
default = 0.1
unit = ""
minimum = 0
maximum = 10
description = "What is told of what flows"
[[steps]]
do = "inject"
fault = "meter_gain"
seconds = 60
with = { gain = "$gain" }
[[steps]]
do = "wait"
seconds = 60
"""


def test_scenario_injects_and_its_label_says_from_when_to_when(tmp_path: Path) -> None:
    (tmp_path / "scaled.toml").write_text(INJECTING)
    scaled = scenario_file.load(tmp_path / "scaled.toml")
    run = ScenarioRun(run_id="run", scenario=scaled, start_s=200.0)
    events = events_of(
        ChargePointPlan(charge_point_id="CP-1", sessions=[session(None)], runs=(run,)), until_s=500
    )
    label = [event for event in events if isinstance(event, ScenarioLabel)][-1]
    assert (label.physical_started_at, label.physical_ended_at) == (
        BEGIN_AT + timedelta(seconds=200),
        BEGIN_AT + timedelta(seconds=260),
    )
    told = [e.current_a or 0.0 for e in events if isinstance(e, Reading) and e.origin == "ocpp"]
    assert sum(0 < current_a < 60 for current_a in told) >= 59


def test_a_cloned_tag_charges_wherever_it_is_shown_and_is_worth_nothing_afterwards() -> None:
    plans = [
        ChargePointPlan(
            charge_point_id=f"CP-{number}",
            runs=(scenario_run("credential-replay", start_s=20.0, parameters={"charge_s": 20.0}),),
        )
        for number in (1, 2)
    ]
    events = events_of(*plans, until_s=90)
    shown = [e for e in events if isinstance(e, SystemEvent) and e.name == "id_tag_shown"]
    assert [(one.charge_point_id, one.detail["status"]) for one in shown] == [
        ("CP-1", "Accepted"),
        ("CP-2", "Accepted"),
    ]
    begun = [event for event in events if isinstance(event, TransactionStarted)]
    ended = [event for event in events if isinstance(event, TransactionEnded)]
    assert {one.id_tag for one in begun} == {"CLONED-TAG"}
    assert [one.reason for one in ended] == ["Remote", "Remote"]
    assert min(one.meter_stop_wh for one in ended) > 50


def test_what_a_run_did_is_undone_when_its_charge_point_is_back() -> None:
    """The impostor's last visit is half a second before the run's end: nobody obeys just then."""
    values = {"before_s": 20.0, "every_s": 10.0, "duration_s": 30.5}
    run = scenario_run("charge-point-impersonation", start_s=20.0, parameters=values)
    events = events_of(ChargePointPlan(charge_point_id="CP-1", runs=(run,)), until_s=120)
    cleared = [e for e in events if isinstance(e, CommandSent) and e.command == "ClearChargingProfile"]
    assert [one.outcome for one in cleared] == ["Accepted"]
    (ended,) = [event for event in events if isinstance(event, TransactionEnded)]
    assert ended.reason == "Remote"
    label = [event for event in events if isinstance(event, ScenarioLabel)][-1]
    assert (label.phase, cleared[0].at > label.at) == ("ended", True)


def test_reset_boots_the_charge_point_again(tmp_path: Path) -> None:
    """The transaction ends, the connection is made again, and everything is as after a boot."""
    text = INJECTING.split("[parameters.gain]", maxsplit=1)[0] + '[[steps]]\ndo = "reset"\n'
    (tmp_path / "scaled.toml").write_text(text)
    scaled = scenario_file.load(tmp_path / "scaled.toml")
    run = ScenarioRun(run_id="run", scenario=scaled, start_s=200.0)
    events = events_of(
        ChargePointPlan(charge_point_id="CP-1", sessions=[session(None)], runs=(run,)), until_s=500
    )
    (ended,) = [event for event in events if isinstance(event, TransactionEnded)]
    assert ended.reason == "HardReset"
    boots = [e for e in events if isinstance(e, SystemEvent) and e.name == "charge_point_booted"]
    assert len(boots) == 2
