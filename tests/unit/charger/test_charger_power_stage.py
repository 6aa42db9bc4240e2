import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import noise, vehicle
from charger.power_stage import NO_LOAD_A, Defects, PowerStage, Ratings, step
from charger.ramp import ExponentialRamp, LinearRamp
from charger.vehicle import Vehicle
from contracts.can_frames import Faults, Keepalive, ModuleState, SetLimit, Start, Stop

CAR = Vehicle(soc_percent=40.0, cars_to_come=noise.seeded(1))
IDLE = PowerStage(CAR)
LINEAR = replace(IDLE, ratings=Ratings(ramp=LinearRamp(20.0)))
commands = st.one_of(
    st.just(Start()), st.just(Stop()), st.builds(SetLimit, st.integers(0, 65535)), st.just(Keepalive(1))
)
lives = st.lists(
    st.tuples(st.lists(commands, max_size=2), st.sampled_from([0.0, 0.1, 0.3, 1.0, 7.0])), max_size=40
)


def after(stage, seconds, *first, each=()):
    for _ in range(round(seconds * 10)):
        stage = step(stage, (*first, *each), 0.1)
        first = ()
    return stage


def charging(stage=IDLE, limit_a=100, seconds=10.0):
    return after(stage, seconds, SetLimit(limit_a), Start())


# --- ramps


def test_default_law_closes_20_percent_of_the_gap_in_100_ms():
    stage = step(IDLE, (SetLimit(100), Start()), 0.1)
    assert stage.current_a == pytest.approx(20.0)
    assert step(stage, (), 0.1).current_a == pytest.approx(36.0)


def test_default_law_reaches_its_peak_within_the_two_seconds_of_the_base_scenario():
    assert after(IDLE, 2.0, SetLimit(100), Start()).current_a == pytest.approx(98.85, abs=0.01)


def test_linear_law_climbs_20_a_in_each_second():
    assert after(LINEAR, 2.0, SetLimit(100), Start()).current_a == pytest.approx(40.0)
    assert after(LINEAR, 6.0, SetLimit(100), Start()).current_a == pytest.approx(100.0)


def test_a_lag_rounds_the_corner_of_the_linear_law():
    ramp = LinearRamp(20.0, lag_s=0.5)
    assert ramp.moved(0.0, 100.0, 4.5) == pytest.approx(90.0)
    assert ramp.moved(90.0, 100.0, 0.5) == pytest.approx(100.0 - 10.0 * 0.3679, abs=0.01)
    assert ramp.moved(10.0, 0.0, 0.5) == pytest.approx(10.0 * 0.3679, abs=0.01)


@given(
    st.sampled_from([ExponentialRamp(), ExponentialRamp(0.5), LinearRamp(20.0), LinearRamp(3.0, 0.5)]),
    st.floats(0, 500),
    st.floats(0, 500),
    st.lists(st.floats(0.001, 2.0), min_size=1, max_size=20),
)
def test_ramps_do_not_depend_on_the_length_of_the_steps(ramp, current_a, target_a, steps_s):
    stepped_a = current_a
    for dt_s in steps_s:
        stepped_a = ramp.moved(stepped_a, target_a, dt_s)
    assert stepped_a == pytest.approx(ramp.moved(current_a, target_a, sum(steps_s)), abs=1e-6)


@given(
    st.sampled_from([ExponentialRamp(), LinearRamp(20.0), LinearRamp(20.0, 0.3)]),
    st.floats(0, 500),
    st.floats(0, 500),
    st.floats(0, 5),
)
def test_ramps_approach_and_never_overshoot(ramp, current_a, target_a, dt_s):
    moved_a = ramp.moved(current_a, target_a, dt_s)
    assert abs(target_a - moved_a) <= abs(target_a - current_a) + 1e-9
    assert min(current_a, target_a) - 1e-9 <= moved_a <= max(current_a, target_a) + 1e-9


# --- limits


@given(lives, st.sampled_from([80.0, 300.0]), st.sampled_from([ExponentialRamp(), LinearRamp(20.0)]))
def test_current_stays_within_limit_rating_and_vehicle_unless_it_falls_there(life, rated_a, ramp):
    stage = PowerStage(CAR, Ratings(rated_a=rated_a, ramp=ramp))
    for given_commands, dt_s in life:
        before = stage
        stage = step(stage, given_commands, dt_s)
        allowed_a = min(stage.limit_a, rated_a, vehicle.accepted_a(before.vehicle) * 1.05)
        assert 0 <= stage.current_a <= max(allowed_a, before.current_a) + 1e-9
        assert stage.contactor_closed or stage.current_a == 0


def test_rated_current_bounds_the_limit():
    stage = charging(replace(IDLE, ratings=Ratings(rated_a=125.0)), limit_a=300)
    assert stage.offered_a == 125.0
    assert stage.current_a == pytest.approx(125.0, abs=0.1)


def test_a_300_a_module_delivers_300_a():
    assert charging(limit_a=300).current_a == pytest.approx(300.0, abs=0.1)


def test_without_a_limit_nothing_flows():
    stage = after(IDLE, 5.0, Start())
    assert stage.contactor_closed
    assert stage.current_a == 0


def test_a_nearly_full_vehicle_takes_less_than_offered():
    stage = charging(replace(IDLE, vehicle=replace(CAR, soc_percent=94.9)), limit_a=200)
    assert stage.vehicle_limited
    assert stage.offered_a == 200
    assert stage.current_a == pytest.approx(vehicle.accepted_a(stage.vehicle), abs=1.0)


def test_a_vehicle_that_takes_what_is_offered_does_not_limit():
    assert not charging().vehicle_limited
    assert not replace(IDLE, limit_a=100.0, vehicle=replace(CAR, soc_percent=100.0)).vehicle_limited


# --- energy and vehicles


@given(lives)
def test_charge_rises_by_the_energy_that_flowed(life):
    stage, energy_wh, cut_off_wh = IDLE, 0.0, 1e-6
    for given_commands, dt_s in life:
        begun = step(stage, given_commands, 0.0)
        stage = step(begun, (), dt_s)
        if begun.contactor_closed:
            mean_a = (begun.current_a + stage.current_a) / 2
            energy_wh += vehicle.voltage_v(begun.vehicle, mean_a) * mean_a * dt_s / 3600
        if begun.contactor_closed and not stage.contactor_closed:
            # Up to NO_LOAD_A flowed until the contactor opened, and reads as zero afterwards.
            cut_off_wh += NO_LOAD_A / 2 * 450 * dt_s / 3600
    charged_wh = (stage.vehicle.soc_percent - CAR.soc_percent) / 100 * CAR.capacity_wh
    assert charged_wh == pytest.approx(energy_wh, abs=cut_off_wh)


def test_a_start_with_a_full_battery_finds_the_next_car():
    full = replace(IDLE, vehicle=replace(CAR, soc_percent=95.0))
    stage = step(full, (Start(),), 0.0)
    assert 20 <= stage.vehicle.soc_percent <= 60


def test_a_car_is_not_exchanged_while_the_contactor_is_closed():
    full = replace(charging(), vehicle=replace(CAR, soc_percent=96.0))
    stage = step(full, (Stop(), Start()), 0.0)
    assert stage.vehicle.soc_percent == 96.0


def test_the_base_scenario_never_ends_full():
    stage = replace(IDLE, vehicle=replace(CAR, soc_percent=94.0))
    arrivals = 0
    for _ in range(400):
        before = stage.vehicle
        stage = after(stage, 2.0, SetLimit(100), Start())
        assert stage.current_a > 85
        arrivals += stage.vehicle.soc_percent < before.soc_percent
        stage = after(stage, 3.0, Stop())
        assert stage.current_a == 0
    assert arrivals >= 1


# --- contactor


def test_a_stop_ramps_down_before_it_opens():
    stage = charging()
    stopping = step(stage, (Stop(),), 0.1)
    assert stopping.state is ModuleState.STOPPING
    assert stopping.contactor_closed
    assert stopping.current_a == pytest.approx(80.0, abs=0.1)
    rested = after(stopping, 3.0)
    assert (rested.state, rested.contactor_closed, rested.current_a) == (ModuleState.IDLE, False, 0.0)
    assert (rested.closures, rested.hot_openings) == (1, 0)


def test_a_start_while_stopping_goes_on_without_a_closure():
    stage = after(charging(), 5.0, Stop(), Start())
    assert stage.state is ModuleState.CHARGING
    assert stage.closures == 1


@given(lives)
def test_a_healthy_module_never_opens_hot_and_counts_every_closure(life):
    stage, closures = IDLE, 0
    for given_commands, dt_s in life:
        for command in given_commands:
            before, stage = stage, step(stage, (command,), 0.0)
            closures += stage.contactor_closed and not before.contactor_closed
        before, stage = stage, step(stage, (), dt_s)
        assert not (stage.contactor_closed and not before.contactor_closed)
    assert stage.closures == closures
    assert stage.hot_openings == 0


def test_repeated_starts_and_stops_are_harmless():
    stage = after(IDLE, 1.0, Stop(), Stop(), Start(), Start())
    assert (stage.state, stage.closures) == (ModuleState.CHARGING, 1)


# --- keepalive


def test_without_a_keepalive_ever_there_is_no_watchdog():
    assert after(charging(), 60.0).state is ModuleState.CHARGING


def test_silence_after_a_keepalive_falls_to_zero_and_opens():
    stage = after(charging(), 4.9, Keepalive(1))
    assert stage.state is ModuleState.CHARGING
    stage = after(stage, 0.2)
    assert stage.faults == Faults.KEEPALIVE_LOST
    stage = after(stage, 1.0)
    assert (stage.state, stage.contactor_closed, stage.current_a) == (ModuleState.FAULTED, False, 0.0)
    assert stage.hot_openings == 0


def test_renewed_keepalives_keep_it_charging():
    stage = charging()
    for counter in range(20):
        stage = after(stage, 1.0, Keepalive(counter))
    assert stage.state is ModuleState.CHARGING


def test_a_start_in_silence_is_refused_and_works_after_a_keepalive():
    lost = after(charging(), 10.0, Keepalive(1))
    assert step(lost, (Start(),), 0.1).closures == 1
    heard = step(lost, (Keepalive(2),), 0.0)
    assert (heard.state, heard.faults) == (ModuleState.IDLE, Faults.NONE)
    assert after(heard, 3.0, Start()).current_a > 90


def test_an_idle_module_has_nothing_to_lose_in_silence():
    stage = after(IDLE, 20.0, Keepalive(1))
    assert (stage.state, stage.faults) == (ModuleState.IDLE, Faults.NONE)
    assert step(stage, (Start(),), 0.0).state is ModuleState.IDLE


def test_a_keepalive_during_the_fall_does_not_resume():
    falling = after(charging(limit_a=300), 5.1, Keepalive(1))
    assert falling.current_a > 1
    stage = after(falling, 3.0, Keepalive(2))
    assert (stage.state, stage.current_a) == (ModuleState.IDLE, 0.0)


# --- heat


def derated(temperature_c):
    return replace(IDLE, limit_a=300.0, temperature_c=temperature_c).offered_a


def test_full_power_to_55_degrees_and_none_at_75():
    assert [derated(t) for t in (-20.0, 55.0, 65.0, 75.0, 90.0)] == [300.0, 300.0, 150.0, 0.0, 0.0]


def test_rated_current_at_25_degrees_just_keeps_full_power():
    stage = replace(charging(limit_a=300), vehicle=replace(CAR, capacity_wh=1e9))
    stage = after(stage, 1200.0)
    assert stage.temperature_c == pytest.approx(55.0, abs=0.2)
    assert stage.current_a == pytest.approx(300.0, abs=2.0)


def test_a_hot_place_derates():
    hot = replace(IDLE, ratings=Ratings(ambient_c=50.0), temperature_c=50.0)
    stage = after(replace(charging(hot, limit_a=300), vehicle=replace(CAR, capacity_wh=1e9)), 1200.0)
    assert 55 < stage.temperature_c < 75
    assert 150 < stage.current_a < 290


@given(st.floats(0, 3600), st.integers(1, 50), st.floats(-20, 90))
def test_a_module_at_rest_needs_one_step_for_any_time(total_s, count, temperature_c):
    stage = replace(IDLE, temperature_c=temperature_c, keepalive_age_s=0.0)
    many = stage
    for _ in range(count):
        many = step(many, (), total_s / count)
    once = step(stage, (), total_s)
    assert many.temperature_c == pytest.approx(once.temperature_c, abs=1e-6)
    assert many.keepalive_age_s == pytest.approx(once.keepalive_age_s)
    assert replace(many, temperature_c=0, keepalive_age_s=0, faults=0, state=0) == replace(
        once, temperature_c=0, keepalive_age_s=0, faults=0, state=0
    )


# --- faults


def test_over_temperature_falls_to_zero_and_returns_when_cool():
    stage = step(replace(charging(), temperature_c=76.0), (), 0.1)
    assert (stage.state, stage.faults) == (ModuleState.FAULTED, Faults.OVER_TEMPERATURE)
    assert stage.offered_a == 0
    stage = after(stage, 60.0)
    assert (stage.faults, stage.contactor_closed, stage.hot_openings) == (Faults.OVER_TEMPERATURE, False, 0)
    stage = after(stage, 300.0)
    assert (stage.state, stage.faults) == (ModuleState.IDLE, Faults.NONE)


def test_over_current_opens_hot_and_is_counted():
    runaway = replace(charging(limit_a=290), defects=Defects(regulator_gain=1.2))
    stage = after(runaway, 5.0)
    assert (stage.state, stage.faults) == (ModuleState.FAULTED, Faults.OVER_CURRENT)
    assert (stage.contactor_closed, stage.current_a, stage.hot_openings) == (False, 0.0, 1)
    repaired = step(replace(stage, defects=Defects()), (), 0.1)
    assert (repaired.state, repaired.faults) == (ModuleState.IDLE, Faults.NONE)


def test_an_internal_fault_opens_hot_at_once():
    stage = step(replace(charging(), defects=Defects(internal=True)), (), 0.1)
    assert (stage.faults, stage.contactor_closed, stage.hot_openings) == (Faults.INTERNAL, False, 1)
    assert step(stage, (Start(),), 0.1).closures == 1


def test_an_internal_fault_without_load_is_no_hot_opening():
    stage = step(replace(charging(limit_a=0), defects=Defects(internal=True)), (), 0.1)
    assert (stage.contactor_closed, stage.hot_openings) == (False, 0)


def test_a_welded_contactor_is_noticed_when_it_should_open():
    stuck = replace(charging(), defects=Defects(contactor_stuck=True))
    assert after(stuck, 5.0).faults == Faults.NONE
    stage = after(stuck, 5.0, Stop())
    assert (stage.state, stage.faults) == (ModuleState.FAULTED, Faults.CONTACTOR_WELDED)
    assert stage.contactor_closed
    assert stage.current_a < 0.01
    freed = after(replace(stage, defects=Defects()), 0.3)
    assert (freed.state, freed.faults, freed.contactor_closed) == (ModuleState.IDLE, Faults.NONE, False)


def test_lost_cooling_heats_and_derates():
    car = replace(CAR, capacity_wh=1e9)
    stage = replace(charging(limit_a=300), vehicle=car, defects=Defects(cooling_share=0.3))
    assert after(stage, 1200.0).current_a < 250


# --- voltage and power


def test_output_voltage_is_the_vehicles_while_closed():
    stage = charging()
    assert IDLE.voltage_v == 0
    assert stage.voltage_v == pytest.approx(vehicle.voltage_v(stage.vehicle, stage.current_a))
    assert stage.power_w == pytest.approx(stage.voltage_v * stage.current_a)
