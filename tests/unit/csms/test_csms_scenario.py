"""Scenarios: parameters, cycles, commands."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ocpp_messages import Call, check_call
from csms import scenario, scenario_file
from csms.default_plan import planned
from csms.scenario import (
    COMMANDS,
    ClearChargingProfile,
    Inject,
    RemoteStart,
    RemoteStop,
    SetChargingProfile,
    Situation,
    Wait,
    WrongParameters,
)

SCENARIOS, ERRORS = scenario_file.load_directory(Path(__file__).parents[3] / "scenarios")
A1 = SCENARIOS["repeated-current-fluctuation"]
BENIGN = SCENARIOS["benign-charging"]


def test_every_scenario_file_is_right():
    assert ERRORS == []


@pytest.mark.parametrize("played", SCENARIOS.values(), ids=SCENARIOS)
@pytest.mark.parametrize("situation", [Situation(7), Situation(7, "W", 230.0)])
def test_every_command_of_every_scenario_passes_the_official_schema(played, situation):
    for seed in range(20):
        values, rng = scenario.chosen_parameters(played, {}), random.Random(seed)
        for step in scenario.preparation(played, values, rng) + scenario.cycle(played, values, rng):
            if isinstance(step, Inject):
                scenario.injection(step)
            elif not isinstance(step, Wait):
                command = scenario.command(step, situation)
                check_call(Call("1", command.action, command.payload))


def test_the_base_scenario_is_the_missions_to_the_letter():
    """0 A, 2 s, 100 A, 1 s, start, 2 s, stop, 3 s; without end, by TxDefaultProfile."""
    assert A1.repeat is None
    assert A1.anomaly == "repeated-current-fluctuation"
    assert scenario.cycle(A1, scenario.chosen_parameters(A1, {}), random.Random(0)) == [
        SetChargingProfile(limit_a=0),
        Wait(seconds=2),
        SetChargingProfile(limit_a=100),
        Wait(seconds=1),
        RemoteStart(),
        Wait(seconds=2),
        RemoteStop(),
        Wait(seconds=3),
    ]
    assert SetChargingProfile(limit_a=0).purpose == "TxDefaultProfile"


def test_benign_charging_is_slow_and_labelled_benign():
    assert BENIGN.anomaly is None
    values = scenario.chosen_parameters(BENIGN, {})
    for seed in range(50):
        waits = [
            step.seconds
            for step in scenario.cycle(BENIGN, values, random.Random(seed))
            if isinstance(step, Wait)
        ]
        assert 180 <= waits[0] <= 600
        assert 30 <= waits[1] <= 120


@given(st.integers())
def test_the_same_seed_draws_the_same_cycle(seed):
    values = scenario.chosen_parameters(BENIGN, {})
    assert scenario.cycle(BENIGN, values, random.Random(seed)) == scenario.cycle(
        BENIGN, values, random.Random(seed)
    )


def test_parameters_replace_their_defaults():
    values = scenario.chosen_parameters(A1, {"high_a": 32})
    assert values["high_a"] == 32
    assert values["low_a"] == 0
    assert SetChargingProfile(limit_a=32) in scenario.cycle(A1, values, random.Random(0))


def test_every_wrong_parameter_is_named():
    with pytest.raises(WrongParameters) as wrong:
        scenario.chosen_parameters(A1, {"high_a": 301, "low_s": 0, "nonsense": 1})
    assert str(wrong.value) == (
        "high_a: 301 is not in 0 … 300 A; low_s: 0 is not in 0.1 … 600 s; "
        "nonsense: repeated-current-fluctuation has no such parameter"
    )


def test_a_not_a_number_is_out_of_range():
    with pytest.raises(WrongParameters):
        scenario.chosen_parameters(A1, {"high_a": float("nan")})


def test_every_kind_of_step_but_waiting_and_injecting_has_a_command():
    assert {*COMMANDS, Wait, Inject} == set(scenario.Step.__args__)


def test_a_power_limit_is_amperes_times_volts():
    command = scenario.command(SetChargingProfile(limit_a=63.25), Situation(rate_unit="W", voltage_v=400))
    schedule = command.payload["csChargingProfiles"]["chargingSchedule"]
    assert schedule["chargingRateUnit"] == "W"
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 25300.0}]


def test_a_transaction_profile_names_its_transaction():
    step = SetChargingProfile(limit_a=6, purpose="TxProfile")
    assert scenario.needs_transaction(step)
    profile = scenario.command(step, Situation(7)).payload["csChargingProfiles"]
    assert profile["transactionId"] == 7


def test_a_clear_takes_back_exactly_the_profile_that_a_set_made():
    profiles = {
        scenario.profile_id(
            SetChargingProfile(limit_a=0, connector=connector, purpose=purpose, stack_level=level)
        )
        for connector in (0, 1, 255)
        for purpose in ("TxDefaultProfile", "TxProfile", "ChargePointMaxProfile")
        for level in (0, 99)
    }
    assert len(profiles) == 18
    cleared = scenario.command(ClearChargingProfile(stack_level=3), Situation())
    assert cleared.payload == {"id": scenario.profile_id(SetChargingProfile(limit_a=0, stack_level=3))}
    assert "Unknown" in cleared.welcome


def test_a_remote_stop_needs_a_transaction():
    assert scenario.needs_transaction(RemoteStop())
    with pytest.raises(ValueError, match="transaction"):
        scenario.command(RemoteStop(), Situation())


@pytest.mark.parametrize(
    ("charge_point_id", "plan"),
    [
        ("CP-1", ("repeated-current-fluctuation", 1.0, 1)),
        ("CP-2", ("benign-charging", 2.0, 2)),
        ("CP-9", ("repeated-current-fluctuation", 1.0, 9)),
        ("CP-16", ("benign-charging", 0.0, 16)),
        ("LOBBY", None),
        ("7-LOBBY", None),
    ],
)
def test_the_default_plan_goes_by_the_number(charge_point_id, plan):
    assert planned(charge_point_id) == plan
