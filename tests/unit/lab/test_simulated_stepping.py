"""The simulated bench's shorter ways tell exactly what stepping tells: the same events, one by one."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from charger import course
from charger.quirks import Overshoot, SawTooth
from contracts import can_frames
from contracts.can_frames import Frame
from contracts.events import AnyEvent, CanFrameSeen, Reading
from contracts.injections import (
    AnyInjection,
    CanReading,
    FramesLost,
    Inject,
    MeterGain,
    ModuleAmbient,
    ModuleDefect,
    ModuleReports,
    ModuleSilent,
    RampSawTooth,
    VehicleTaper,
)
from csms import scenario_file
from lab.rogue.sender import Raw
from lab.simulated import fleet, outlet
from lab.simulated.bench import Bench
from lab.simulated.fleet import Fleet
from lab.simulated.outlet import Outlet
from lab.simulated.plan import ChargePointPlan, PlannedInjection, ScenarioRun

SCENARIOS = Path(__file__).parents[3] / "scenarios"
BEGIN_AT = datetime(2026, 1, 5, tzinfo=UTC)
LIVED_S = 600.0
INJECTED: tuple[AnyInjection, ...] = (
    ModuleSilent(),
    FramesLost(share=0.4),
    ModuleReports(soc_offset_percent=7.0),
    ModuleAmbient(ambient_c=70.0),
    RampSawTooth(),
    VehicleTaper(),
    CanReading(offset_a=20.0),
    MeterGain(gain=0.8),
    ModuleDefect(regulator_gain=1.5),
    ModuleDefect(internal=True),
)


def heard_as_bytes(self: Outlet, frames: tuple[Frame, ...]) -> None:
    """Stand in for Outlet.hear: every frame goes over the bus as bytes."""
    if self.bus.is_shared:
        self.bus.published(frames)
        return
    for frame in frames:
        self.listen(Raw(*can_frames.encode(frame)))


@pytest.fixture
def stepped(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what takes every shorter way away."""

    def take_away() -> None:
        monkeypatch.setattr(course, "running", lambda _: None)
        monkeypatch.setattr(outlet.modules, "is_told_again", lambda *_: False)
        monkeypatch.setattr(Outlet, "hear", heard_as_bytes)

    return take_away


def plan(seed: int, ac_share: float = 0.0, **changes: object) -> tuple[ChargePointPlan, float]:
    """Return a charge point with the first session of its life, and an instant within or after that."""
    life = Fleet(charge_points=1, days=7.0, seed=seed, ac_share=ac_share, sample_interval_s=3)
    one = fleet.plan(life, 0)
    first = next(iter(one.sessions))
    one = replace(one, sessions=[first], **changes)  # type: ignore[arg-type]
    return one, min(first.plug_s + LIVED_S, first.leave_s + 30.0)


def injecting(seed: int) -> tuple[ChargePointPlan, float]:
    """Return a charge point at which one injection follows the other."""
    one, until_s = plan(seed)
    began_s = next(iter(one.sessions)).plug_s + 30.0
    orders = tuple(
        PlannedInjection(
            start_s=began_s + 50.0 * number,
            order=Inject(
                id=uuid.UUID(int=number), charge_point_id="CP-1", seconds=30.0, seed=seed, injection=injection
            ),
        )
        for number, injection in enumerate(INJECTED)
    )
    return replace(one, injections=orders), until_s


def attacked(seed: int) -> tuple[ChargePointPlan, float]:
    """Return a charge point in the base scenario, with odd equipment and frames that get lost."""
    scenario = scenario_file.load(SCENARIOS / "repeated-current-fluctuation.toml")
    run = ScenarioRun(run_id="run", scenario=scenario, start_s=5.0, seed=seed, lasts_s=120.0)
    return ChargePointPlan(
        charge_point_id="CP-1",
        connectors=2,
        runs=(run,),
        frames_lost_share=0.2,
        overshoot=Overshoot(0.05),
        saw_tooth=SawTooth(8.0, 8.0),
    ), 160.0


PLANS = {
    "direct current": plan(1),
    "direct current, another seed": plan(5),
    "two connectors": plan(2, connectors=2),
    "alternating current": plan(3, ac_share=1.0),
    "frames lost": plan(4, frames_lost_share=0.1),
    "injections": injecting(6),
    "attacked": attacked(7),
}


@pytest.mark.parametrize("shows_wire", [True, False])
@pytest.mark.parametrize("name", PLANS)
def test_the_events_are_those_of_stepping(name: str, shows_wire: bool, stepped: Callable[[], None]) -> None:
    planned, until_s = PLANS[name]

    def events() -> list[AnyEvent]:
        bench = Bench([planned], seed=1, begin_at=BEGIN_AT, shows_wire=shows_wire)
        return list(bench.run(until_s))

    fast = events()
    stepped()
    slow = events()
    assert sum(isinstance(event, Reading) for event in slow) > 100
    assert any(isinstance(event, CanFrameSeen) for event in slow) is shows_wire
    for one, other in zip(fast, slow, strict=True):
        assert one == other
