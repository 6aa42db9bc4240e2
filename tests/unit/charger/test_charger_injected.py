from uuid import UUID

import pytest
from msgspec.structs import replace

from charger import module, noise
from charger.module import Module
from charger.power_stage import PowerStage, Ratings
from charger.vehicle import Vehicle
from contracts.can_frames import Faults, SetLimit, Start, Thermal
from contracts.injections import (
    FramesLost,
    ModuleAmbient,
    ModuleDefect,
    ModuleReports,
    ModuleSilent,
    RampSawTooth,
    VehicleTaper,
)

ONE, OTHER = UUID(int=1), UUID(int=2)
CAR = Vehicle(soc_percent=40.0, cars_to_come=noise.seeded(1))
IDLE = Module(PowerStage(CAR, Ratings(ambient_c=20.0)), sensor=noise.seeded(2), noise_sd_a=0.0)
ALL = (
    ModuleSilent(),
    FramesLost(share=0.5),
    ModuleDefect(contactor_stuck=True, regulator_gain=1.05, cooling_share=0.5, internal=True),
    ModuleReports(temperature_c=25.0, soc_offset_percent=-20.0, soc_frozen=True),
    ModuleAmbient(ambient_c=60.0),
    RampSawTooth(),
    VehicleTaper(),
)


def charging(some=IDLE, limit_a=100):
    return module.heard(module.heard(some, SetLimit(limit_a)), Start())


def lived(some, seconds):
    """Return the module `seconds` later, and the frames of each second."""
    instants = []
    for _ in range(seconds):
        some, frames = module.published(module.advanced(some, 1.0))
        instants.append(frames)
    return some, instants


def thermal(frames):
    return next(frame for frame in frames if isinstance(frame, Thermal))


@pytest.mark.parametrize("injection", ALL, ids=lambda injection: type(injection).__name__)
def test_a_module_is_what_it_was_once_an_injection_ended(injection):
    some = charging()
    assert module.ended(module.began(some, ONE, injection), ONE) == some


def test_a_module_is_what_it_was_once_all_injections_ended_in_any_order():
    some = IDLE
    ids = [UUID(int=number) for number, _ in enumerate(ALL)]
    for injection_id, injection in zip(ids, ALL, strict=True):
        some = module.began(some, injection_id, injection)
    for injection_id in (*ids[3:], *ids[:3]):
        some = module.ended(some, injection_id)
    assert some == IDLE


def test_the_end_of_an_unknown_injection_changes_nothing():
    assert module.ended(IDLE, ONE) == IDLE
    silent = module.began(IDLE, ONE, ModuleSilent())
    assert module.ended(silent, OTHER) == silent


def test_a_silent_module_hears_and_counts_but_nothing_gets_through():
    some = charging(module.began(IDLE, ONE, ModuleSilent()))
    some, instants = lived(some, 10)
    assert instants == [()] * 10
    assert some.stage.current_a == pytest.approx(100.0, abs=0.1)
    _, frames = module.published(module.ended(some, ONE))
    assert frames[1].counter == 10


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_frames_are_lost_in_their_share_whole_instants_at_a_time(share):
    _, instants = lived(module.began(charging(), ONE, FramesLost(share=share), seed=5), 1000)
    assert {len(frames) for frames in instants} <= {0, 4}
    assert instants.count(()) / 1000 == pytest.approx(share, abs=0.05)


def test_the_seed_decides_which_frames_are_lost():
    def lost(seed):
        _, instants = lived(module.began(charging(), ONE, FramesLost(share=0.5), seed=seed), 50)
        return [not frames for frames in instants]

    assert lost(1) == lost(1)
    assert lost(1) != lost(2)


def test_a_defect_is_noticed_by_the_stage_and_ends_with_the_injection():
    some = module.advanced(module.began(IDLE, ONE, ModuleDefect(internal=True)), 1.0)
    assert some.stage.faults == Faults.INTERNAL
    assert module.advanced(module.ended(some, ONE), 1.0).stage.faults == Faults.NONE


def test_reports_lie_about_temperature_and_charge_and_nothing_else_changes():
    lying = module.began(charging(), ONE, ModuleReports(temperature_c=25.0, soc_offset_percent=-15.0))
    honest, true_frames = lived(charging(), 600)
    some, told_frames = lived(lying, 600)
    assert some.stage == honest.stage
    assert thermal(told_frames[-1]).temperature_c == 25.0
    assert thermal(told_frames[-1]).soc_percent == pytest.approx(thermal(true_frames[-1]).soc_percent - 15.0)


def test_a_frozen_charge_stands_where_it_was_when_the_lie_began():
    some, _ = lived(charging(), 60)
    told = module.began(some, ONE, ModuleReports(soc_frozen=True))
    later, instants = lived(told, 300)
    assert {thermal(frames).soc_percent for frames in instants} == {some.stage.vehicle.soc_percent}
    assert later.stage.vehicle.soc_percent > some.stage.vehicle.soc_percent


def test_a_lie_stays_within_what_a_charge_can_be():
    _, frames = module.published(module.began(IDLE, ONE, ModuleReports(soc_offset_percent=-90.0)))
    assert thermal(frames).soc_percent == 0.0


def test_the_last_begun_of_a_kind_wins_and_the_earlier_returns():
    some = module.began(IDLE, ONE, ModuleAmbient(ambient_c=45.0))
    some = module.began(some, OTHER, ModuleAmbient(ambient_c=55.0))
    assert some.stage.ratings.ambient_c == 55.0
    assert module.ended(some, OTHER).stage.ratings.ambient_c == 45.0


def test_another_injection_does_not_start_a_running_taper_anew():
    some, _ = lived(module.began(charging(), ONE, VehicleTaper(step_a=1.0, every_s=4.0)), 60)
    assert some.stage.current_a < 90
    assert module.began(some, OTHER, ModuleSilent()).stage.taper == some.stage.taper


def test_a_parked_car_does_not_end_an_injection():
    some = module.began(IDLE, ONE, VehicleTaper())
    other_car = replace(some, stage=replace(some.stage, vehicle=replace(CAR, soc_percent=10.0)))
    assert lived(charging(other_car), 60)[0].stage.current_a < 95
