from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import noise
from charger.power_stage import Defects, PowerStage, Ratings, step
from charger.quirks import Overshoot, SawTooth, Taper
from charger.ramp import LinearRamp
from charger.vehicle import Vehicle
from contracts.can_frames import SetLimit, Start, Stop

CAR = Vehicle(soc_percent=30.0, cars_to_come=noise.seeded(1))


def currents(stage, seconds, *first):
    """Return the current at each whole second from now on."""
    readings = []
    for number in range(round(seconds * 10) + 1):
        if number % 10 == 0:
            readings.append(stage.current_a)
        stage = step(stage, first, 0.1)
        first = ()
    return readings


def reversals(readings, gate_a):
    """Return by how much the current fell or rose between turning points of `gate_a` and more."""
    turns, extreme, rising = [], readings[0], True
    for value in readings:
        if (value > extreme) if rising else (value < extreme):
            extreme = value
        elif abs(value - extreme) >= gate_a:
            turns.append(extreme)
            extreme, rising = value, not rising
    return turns


@pytest.mark.parametrize("ramp", [Ratings().ramp, LinearRamp(20.0)])
def test_a_saw_tooth_reverses_by_10_a_several_times_within_a_minute_and_then_settles(ramp):
    stage = PowerStage(CAR, Ratings(ramp=ramp), saw_tooth=SawTooth(12.0, 8.0))
    readings = currents(stage, 120, SetLimit(100), Start())
    assert len(reversals(readings[:60], 10.0)) >= 10
    assert readings[45] < 90
    assert readings[60:] == pytest.approx([100.0] * len(readings[60:]), abs=0.1)
    assert max(readings) <= 100.0 + 1e-9


def test_a_saw_tooth_falls_without_teeth_and_starts_with_its_first_tooth_again():
    stage = PowerStage(CAR, saw_tooth=SawTooth(12.0, 8.0))
    for command in (SetLimit(100), Start()):
        stage = step(stage, (command,), 0.0)
    for _ in range(1000):
        stage = step(stage, (), 0.1)
    falling = currents(stage, 20, SetLimit(20))
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(falling))
    stopped = step(stage, (Stop(),), 30.0)
    again = currents(stopped, 5, Start())
    assert all(later > earlier for earlier, later in pairwise(again))


@given(st.floats(0.5, 50), st.floats(2, 60), st.integers(1, 300))
def test_a_saw_tooth_never_passes_the_limit(amplitude_a, period_s, limit_a):
    stage = PowerStage(CAR, saw_tooth=SawTooth(amplitude_a, period_s))
    readings = currents(stage, 60, SetLimit(limit_a), Start())
    assert min(readings) >= 0
    assert max(readings) <= limit_a + 1e-6


def test_a_taper_begins_where_the_current_arrived_and_goes_down_in_steps():
    stage = PowerStage(CAR, taper=Taper(step_a=1.0, every_s=4.0))
    readings = currents(stage, 60, SetLimit(100), Start())
    falls = [round(earlier - later, 1) for earlier, later in pairwise(readings[10:])]
    assert max(readings) == pytest.approx(100.0, abs=1.0)
    assert 10 <= 100 - readings[-1] <= 15
    assert max(falls) <= 1.0


def test_the_next_vehicle_tapers_anew():
    stage = PowerStage(CAR, taper=Taper(step_a=1.0, every_s=4.0))
    for command in (SetLimit(100), Start()):
        stage = step(stage, (command,), 0.0)
    for _ in range(600):
        stage = step(stage, (), 0.1)
    assert stage.current_a < 95
    stopped = step(step(stage, (Stop(),), 30.0), (), 1.0)
    assert stopped.taper == Taper(step_a=1.0, every_s=4.0)
    assert max(currents(stopped, 10, Start())) == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize(("limit_a", "error_a"), [(6, 0.3), (29, 0.3), (30, 0.3), (100, 1.0), (300, 3.0)])
@pytest.mark.parametrize("share", [-1.0, -0.4, 0.0, 1.0])
def test_a_set_current_is_wrong_by_its_share_of_what_the_specification_allows(limit_a, error_a, share):
    stage = PowerStage(CAR, Ratings(set_error_share=share))
    stage = replace(stage, vehicle=replace(CAR, peak_w=200_000.0))
    assert currents(stage, 10, SetLimit(limit_a), Start())[-1] == pytest.approx(
        limit_a + share * error_a, abs=0.01
    )


def test_a_limit_of_nothing_is_nothing_whatever_the_set_error():
    stage = PowerStage(CAR, Ratings(set_error_share=1.0))
    assert max(currents(stage, 5, Start())) == 0


def test_heat_around_the_module_derates_it_until_it_settles():
    stage = PowerStage(CAR, Ratings(ambient_c=50.0))
    readings = currents(stage, 900, SetLimit(300), Start())
    assert readings[10] > 250
    assert 150 < readings[-1] < 280
    assert abs(readings[-1] - readings[-60]) < 3


@given(
    st.lists(st.tuples(st.sampled_from([0, 6, 60, 300]), st.integers(1, 30)), min_size=1, max_size=8),
    st.sampled_from([None, SawTooth(12.0, 8.0)]),
    st.sampled_from([None, Taper(1.0, 4.0)]),
    st.sampled_from([1, 3]),
    st.sampled_from([1.0, 1.05]),
)
def test_the_state_of_charge_is_the_integral_of_the_power(limits, saw_tooth, taper, phases, gain):
    car = Vehicle(30.0, noise.seeded(1), capacity_wh=500.0, phases=phases)
    stage = PowerStage(car, defects=Defects(regulator_gain=gain), saw_tooth=saw_tooth, taper=taper)
    stage, delivered_wh = step(stage, (Start(),), 0.0), 0.0
    for limit_a, seconds in limits:
        stage = step(stage, (SetLimit(limit_a),), 0.0)
        for _ in range(seconds * 10):
            before = stage
            stage = step(stage, (), 0.1)
            delivered_wh += (before.power_w + stage.power_w) / 2 * 0.1 / 3600
    gained_wh = (stage.vehicle.soc_percent - 30.0) / 100 * 500.0
    if stage.vehicle.soc_percent < 100:
        assert gained_wh == pytest.approx(delivered_wh, rel=0.01, abs=0.05)


@pytest.mark.parametrize("ramp", [Ratings().ramp, LinearRamp(25.0), LinearRamp(20.0, 0.3)])
def test_an_overshoot_passes_the_target_by_its_share_at_most_and_fades(ramp):
    stage = PowerStage(CAR, Ratings(ramp=ramp), overshoot=Overshoot(0.05))
    for command in (SetLimit(100), Start()):
        stage = step(stage, (command,), 0.0)
    highest_a = 0.0
    for _ in range(150):
        stage = step(stage, (), 0.1)
        highest_a = max(highest_a, stage.current_a)
    assert 101.0 < highest_a <= 105.0
    assert stage.current_a == pytest.approx(100.0, abs=0.05)


def test_a_falling_current_does_not_overshoot():
    stage = PowerStage(CAR, overshoot=Overshoot(0.05))
    for command in (SetLimit(200), Start()):
        stage = step(stage, (command,), 0.0)
    for _ in range(300):
        stage = step(stage, (), 0.1)
    assert min(currents(stage, 20, SetLimit(50))) >= 50.0 - 1e-6


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0.1, 8.0)), min_size=1, max_size=8))
def test_an_overshoot_stays_within_its_share_of_the_highest_limit(limits):
    stage = step(PowerStage(CAR, overshoot=Overshoot(0.05)), (Start(),), 0.0)
    for limit_a, seconds in limits:
        stage, started_a = step(stage, (SetLimit(limit_a),), 0.0), stage.current_a
        for _ in range(round(seconds * 10)):
            stage = step(stage, (), 0.1)
            assert stage.current_a <= max(started_a, limit_a * 1.05) + 1e-6
