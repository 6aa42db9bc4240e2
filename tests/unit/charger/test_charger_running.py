"""A running module is the stepped one, to the last bit; and what it cannot do it says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from charger import module as modules
from charger import noise, power_stage
from charger.course import Course
from charger.module import Module
from charger.power_stage import Defects, PowerStage, Ratings
from charger.quirks import Overshoot, SawTooth, Taper
from charger.ramp import ExponentialRamp, LinearRamp
from charger.running import running
from charger.vehicle import Vehicle
from contracts import can_frames
from contracts.can_frames import Current, Faults, Frame, Keepalive, ModuleState, SetLimit, Start, Stop

CARS = st.builds(
    Vehicle,
    soc_percent=st.floats(0.0, 99.9),
    cars_to_come=st.none(),
    capacity_wh=st.floats(8_000.0, 100_000.0),
    peak_w=st.floats(3_000.0, 200_000.0),
    phases=st.sampled_from([1, 3]),
    request_step_a=st.sampled_from([0.0, 0.1, 1.0]),
)
RATINGS = st.builds(
    Ratings,
    ramp=st.sampled_from([ExponentialRamp(), LinearRamp(20.0), LinearRamp(10.0, 0.4)]),
    ambient_c=st.floats(0.0, 50.0),
    set_error_share=st.floats(-1.0, 1.0),
)
STAGES = st.builds(
    PowerStage,
    CARS,
    RATINGS,
    st.builds(
        Defects, regulator_gain=st.sampled_from([1.0, 1.05]), cooling_share=st.sampled_from([1.0, 0.3])
    ),
    temperature_c=st.floats(0.0, 74.0),
    saw_tooth=st.none() | st.builds(SawTooth, st.floats(6.0, 12.0), st.floats(6.0, 12.0)),
    overshoot=st.none() | st.builds(Overshoot, st.floats(0.0, 0.05)),
)
STEPS_S = st.lists(st.sampled_from([0.0, 0.1, 0.5, 1.0]), min_size=1, max_size=40)


def charging(stage: PowerStage, limit_a: int = 200) -> Module:
    module = Module(stage, noise.seeded(2), noise_sd_a=0.2, bias_a=0.3, counter=250)
    for frame in (Keepalive(0), SetLimit(limit_a), Start()):
        module = modules.heard(module, frame)
    return module


@settings(max_examples=60)
@given(STAGES, st.integers(0, 400), STEPS_S)
def test_running_is_stepping(stage: PowerStage, limit_a: int, steps_s: list[float]) -> None:
    """Every step leaves the same module and tells the same frames, until a protection acts."""
    stepped = charging(stage, limit_a)
    run = running(stepped)
    assert run is not None
    for dt_s in steps_s:
        before, after = run.module(), power_stage.step(stepped.stage, (), dt_s)
        if not run.later(dt_s):
            assert after.faults
            assert run.module() == before
            return
        run.keepalive_age_s = 0.0
        stepped, frames = modules.published(replace(stepped, stage=replace(after, keepalive_age_s=0.0)))
        assert run.published() == tuple(map(can_frames.as_heard, frames))
        assert run.module() == stepped


@pytest.mark.parametrize(
    ("changes", "seconds", "fault"),
    [
        ({"keepalive_age_s": 0.0}, 5, Faults.KEEPALIVE_LOST),
        ({"temperature_c": 74.0, "ratings": Ratings(ambient_c=90.0)}, 60, Faults.OVER_TEMPERATURE),
        ({"defects": Defects(regulator_gain=2.0), "limit_a": 300.0}, 60, Faults.OVER_CURRENT),
    ],
)
def test_it_does_nothing_where_a_protection_would_act(
    changes: dict[str, object], seconds: int, fault: Faults
) -> None:
    module = charging(PowerStage(Vehicle(soc_percent=20.0, cars_to_come=None)), 300)
    module = replace(module, stage=replace(module.stage, keepalive_age_s=None))
    run = running(replace(module, stage=replace(module.stage, **changes)))
    assert run is not None
    went = 0
    while run.later(1.0):
        went += 1
        assert went < seconds
    refused = run.module()
    assert not refused.stage.faults
    assert power_stage.step(refused.stage, (), 1.0).faults & fault


def test_only_plain_charging_runs() -> None:
    idle = Module(PowerStage(Vehicle(soc_percent=20.0, cars_to_come=None)), noise.seeded(1))
    going = charging(idle.stage)
    assert running(idle) is None
    assert running(modules.heard(modules.advanced(going, 5.0), Stop())) is None
    assert running(replace(going, stage=replace(going.stage, taper=Taper(5.0, 10.0)))) is None
    faulted = replace(going.stage, defects=Defects(internal=True))
    assert running(replace(going, stage=faulted)) is None
    assert running(replace(going, stage=power_stage.step(faulted, (), 0.1))) is None
    assert going.stage.state is ModuleState.CHARGING
    assert running(going) is not None


COMMANDS = st.sampled_from(
    [Start(), Stop(), SetLimit(0), SetLimit(16), SetLimit(250), Keepalive(1), Current(7)]
)


@settings(max_examples=60)
@given(STAGES, st.lists(st.tuples(st.none() | COMMANDS, st.sampled_from([0.0, 0.04, 0.3, 1.0, 1.9, 6.0]))))
def test_a_course_is_the_module_that_is_stepped(
    stage: PowerStage, happening: list[tuple[Frame | None, float]]
) -> None:
    """Through every state, whatever comes when: the same module, the same frames on the bus."""
    stepped = charging(stage)
    course = Course(stepped)
    for frame, elapsed_s in happening:
        if frame is not None:
            stepped = modules.heard(stepped, frame)
            course.obey(frame)
        stepped = modules.advanced(stepped, elapsed_s)
        course.go(*modules.steps(elapsed_s))
        assert (course.at_rest, course.faults) == (stepped.stage.at_rest, stepped.stage.faults)
        stepped, frames = modules.published(stepped)
        assert [*map(can_frames.encode, course.published())] == [*map(can_frames.encode, frames)]
        assert course.module == stepped
