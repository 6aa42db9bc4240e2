import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import module, noise
from charger.module import Module
from charger.power_stage import PowerStage, Ratings, step
from charger.ramp import LinearRamp
from charger.vehicle import Vehicle
from contracts import can_frames
from contracts.can_frames import (
    Current,
    Keepalive,
    ModuleState,
    Output,
    SetLimit,
    Start,
    Status,
    Stop,
    Thermal,
)

CAR = Vehicle(soc_percent=40.0, cars_to_come=noise.seeded(1))
IDLE = Module(PowerStage(CAR), sensor=noise.seeded(2))


def charging(idle=IDLE, limit_a=100):
    started = module.heard(module.heard(idle, SetLimit(limit_a)), Start())
    return module.advanced(started, 10.0)


def test_a_reading_is_four_frames_and_the_current_comes_last():
    _, frames = module.published(charging())
    assert [type(frame) for frame in frames] == [Output, Status, Thermal, Current]
    output, status, thermal, current = frames
    assert output.current_a == pytest.approx(100.0, abs=0.6)
    assert output.offered_a == 100.0
    assert output.voltage_v > 300
    assert status.state is ModuleState.CHARGING
    assert thermal.soc_percent > 40
    assert current == can_frames.reading(output.current_a)


def test_all_frames_can_be_encoded_whatever_the_module_does():
    extreme = replace(IDLE, stage=replace(IDLE.stage, limit_a=65535.0, temperature_c=-273.0, closures=10**6))
    for some in (IDLE, charging(), extreme):
        for frame in module.published(some)[1]:
            assert can_frames.encode(frame)


def test_the_counter_counts_readings_and_wraps_at_256():
    some, counters = IDLE, []
    for _ in range(258):
        some, frames = module.published(some)
        counters.append(frames[1].counter)
    assert counters[:3] == [0, 1, 2]
    assert counters[255:] == [255, 0, 1]


def test_readings_are_reproducible_and_noisy():
    def readings(some):
        values = []
        for _ in range(50):
            some, frames = module.published(module.advanced(some, 1.0))
            values.append(frames[0].current_a)
        return values

    assert readings(charging()) == readings(charging())
    assert len(set(readings(charging()))) == 50
    other_seed = replace(IDLE, sensor=noise.seeded(3))
    assert readings(charging()) != readings(charging(other_seed))


@given(st.integers(0, 2**63), st.sampled_from([0.0, 0.06, 0.30]), st.sampled_from([-0.5, 0.0, 0.5]))
def test_a_reading_differs_from_the_current_by_bias_and_six_deviations_at_most(seed, noise_sd_a, bias_a):
    some = replace(charging(), sensor=noise.seeded(seed), noise_sd_a=noise_sd_a, bias_a=bias_a)
    _, frames = module.published(some)
    assert frames[0].current_a == pytest.approx(some.stage.current_a + bias_a, abs=6 * noise_sd_a + 1e-9)


def test_an_open_contactor_reads_exactly_zero():
    _, frames = module.published(replace(IDLE, noise_sd_a=5.0, bias_a=3.0))
    assert (frames[0].current_a, frames[3].current_a) == (0.0, 0)


def test_noise_below_zero_reads_zero_on_0x300():
    some = replace(module.heard(IDLE, Start()), bias_a=-3.0)
    _, frames = module.published(some)
    assert frames[0].current_a < 0
    assert frames[3].current_a == 0


def test_readings_of_others_change_nothing():
    for frame in (Current(7), Output(1.0, 2.0, 3.0), Thermal(1.0, 2.0)):
        assert module.heard(IDLE, frame) is IDLE


def test_commands_of_the_charge_point_are_obeyed():
    some = module.heard(module.heard(IDLE, SetLimit(16)), Keepalive(3))
    assert some.stage.limit_a == 16
    assert some.stage.keepalive_age_s == 0
    assert module.heard(charging(), Stop()).stage.state is ModuleState.STOPPING


@given(st.floats(0.0, 2.0))
def test_a_second_advanced_is_the_stage_stepped_in_tenths(elapsed_s):
    linear = replace(IDLE, stage=replace(IDLE.stage, ratings=Ratings(ramp=LinearRamp())))
    started = module.heard(module.heard(linear, SetLimit(100)), Start())
    whole, rest = divmod(elapsed_s, 0.1)
    stage = started.stage
    for dt_s in [0.1] * int(whole) + [rest]:
        stage = step(stage, (), dt_s)
    assert module.advanced(started, elapsed_s).stage.current_a == pytest.approx(stage.current_a, abs=1e-6)


def test_a_module_that_comes_to_rest_on_the_way_takes_the_remaining_time_in_one_step():
    stopping = module.heard(charging(), Stop())
    rested = module.advanced(stopping, 60.0)
    assert rested.stage.state is ModuleState.IDLE
    assert rested.stage.temperature_c < stopping.stage.temperature_c
