"""A session of benign life, lived on the simulated bench."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from charger.vehicle import Vehicle
from contracts.events import AnyEvent, CommandSent, Reading, TransactionEnded, TransactionStarted
from lab.life.session import LimitChange, Pause, Session
from lab.simulated.bench import Bench
from lab.simulated.plan import ChargePointPlan

BEGIN_AT = datetime(2026, 1, 5, tzinfo=UTC)
CAR = Vehicle(soc_percent=30.0, cars_to_come=None)


def session(**given) -> Session:
    usual = {"plug_s": 60.0, "stop_s": 600.0, "leave_s": 700.0, "vehicle": CAR, "id_tag": "TAG-1"}
    return Session(**(usual | given))


def lived(*sessions: Session, until_s: float = 1200.0) -> list[AnyEvent]:
    plan = ChargePointPlan(charge_point_id="CP-1", sessions=sessions)
    return list(Bench([plan], seed=1, begin_at=BEGIN_AT, shows_wire=False).run(until_s))


def of(kind, events):
    return [event for event in events if isinstance(event, kind)]


def current_a(events, at_s):
    """Return the last current on the bus at an instant."""
    readings = [
        event
        for event in of(Reading, events)
        if event.origin == "can" and (event.at - BEGIN_AT).total_seconds() <= at_s
    ]
    return readings[-1].current_a


def test_load_management_limits_the_charge_point_and_lifts_its_limit_again():
    changes = (LimitChange(120.0, 100.0), LimitChange(240.0, None), LimitChange(360.0, 50.0))
    events = lived(session(limits=changes))
    assert current_a(events, 170.0) > 250
    assert current_a(events, 290.0) == pytest.approx(100.0, abs=2.0)
    assert current_a(events, 410.0) > 250
    assert current_a(events, 590.0) == pytest.approx(50.0, abs=2.0)
    commands = of(CommandSent, events)
    assert [command.command for command in commands] == [
        "SetChargingProfile",
        "ClearChargingProfile",
        "SetChargingProfile",
        "ClearChargingProfile",
    ]
    assert {command.outcome for command in commands} == {"Accepted"}


def test_a_delayed_session_starts_its_transaction_but_draws_nothing_before_its_time():
    events = lived(session(limits=(LimitChange(0.0, 0.0), LimitChange(300.0, None))))
    (started,) = of(TransactionStarted, events)
    assert (started.at - BEGIN_AT).total_seconds() < 80
    assert current_a(events, 355.0) == pytest.approx(0.0, abs=1.0)
    assert current_a(events, 380.0) > 250


def test_limits_end_with_the_charging():
    events = lived(session(energy_wh=5000.0, limits=(LimitChange(60.0, 200.0), LimitChange(400.0, 50.0))))
    assert [command.command for command in of(CommandSent, events)] == [
        "SetChargingProfile",
        "ClearChargingProfile",
    ]


def test_a_pause_is_two_transactions_on_one_plug():
    events = lived(session(pauses=(Pause(200.0, 60.0),)))
    assert len(of(TransactionStarted, events)) == len(of(TransactionEnded, events)) == 2
    first, second = of(TransactionStarted, events)
    assert 60 <= (second.at - of(TransactionEnded, events)[0].at).total_seconds() <= 75
    assert first.id_tag == second.id_tag
    assert current_a(events, 310.0) == 0.0
    assert current_a(events, 400.0) > 250


def test_a_replugged_car_goes_on_from_the_charge_that_it_had():
    events = lived(
        session(stop_s=295.0, leave_s=300.0), session(plug_s=330.0, vehicle=None, stop_s=600.0, leave_s=650.0)
    )
    socs = [event.soc_percent for event in of(Reading, events) if event.origin == "can"]
    assert len(of(TransactionStarted, events)) == 2
    assert all(later >= earlier for earlier, later in pairwise(socs))
    assert socs[-1] > 35
