"""The simulated module takes whole seconds where its laws allow: as near to steps of 0.1 s as it says."""

import pytest
from msgspec.structs import replace

from charger import module as modules
from charger import noise
from charger.module import Module
from charger.power_stage import PowerStage, Ratings
from charger.ramp import ExponentialRamp, LinearRamp, Ramp
from charger.vehicle import Vehicle
from contracts.can_frames import Keepalive, SetLimit, Start, Stop
from lab.simulated.module_node import ModuleNode

OFF_A = 0.3
"""What ModuleNode promises."""
HOUR_S = 3600


def charging(soc_percent: float, ramp: Ramp, limit_a: int = 300) -> Module:
    car = Vehicle(soc_percent=soc_percent, cars_to_come=noise.seeded(1))
    module = Module(PowerStage(car, Ratings(ramp=ramp)), noise.seeded(2))
    for frame in (SetLimit(limit_a), Start()):
        module = modules.heard(module, frame)
    return module


@pytest.mark.parametrize("ramp", [ExponentialRamp(), LinearRamp(20.0), LinearRamp(10.0, lag_s=0.4)])
@pytest.mark.parametrize("soc_percent", [20.0, 60.0, 85.0])
def test_an_hour_in_seconds_is_as_in_tenths(ramp: Ramp, soc_percent: float) -> None:
    """Standing limits, the taper, limits that change within: current, charge and heat agree."""
    fine, node = charging(soc_percent, ramp), ModuleNode(charging(soc_percent, ramp))
    for second in range(1, HOUR_S + 1):
        if second % 600 == 0:  # load management
            limit = SetLimit((60, 300, 150)[second // 600 % 3])
            fine = modules.heard(fine, limit)
            node.hear(limit, second - 1.0)
        fine = modules.advanced(fine, 1.0)
        node.advance(float(second))
        coarse = node.module
        assert coarse.stage.current_a == pytest.approx(fine.stage.current_a, abs=OFF_A), second
    assert coarse.stage.vehicle.soc_percent == pytest.approx(fine.stage.vehicle.soc_percent, abs=0.01)
    assert coarse.stage.temperature_c == pytest.approx(fine.stage.temperature_c, abs=0.05)


def test_a_standing_current_is_exact() -> None:
    """Far below the taper nothing of the limit's current is lost or won."""
    fine, node = charging(20.0, ExponentialRamp(), 50), ModuleNode(charging(20.0, ExponentialRamp(), 50))
    for second in range(1, 600):
        fine = modules.advanced(fine, 1.0)
        node.advance(float(second))
    assert node.module.stage.current_a == pytest.approx(fine.stage.current_a, abs=1e-6)
    assert node.module.stage.vehicle.soc_percent == pytest.approx(fine.stage.vehicle.soc_percent, abs=1e-4)


def test_a_keepalive_is_heard_without_a_step_and_its_silence_noticed() -> None:
    node = ModuleNode(charging(20.0, ExponentialRamp(), 50))
    node.hear(Keepalive(0), 0.0)
    for second in range(1, 30):
        node.advance(float(second))
        node.hear(Keepalive(second), second + 0.5)
    assert not node.module.stage.faults
    for second in range(30, 40):
        node.advance(float(second))
    assert node.module.stage.faults


def test_a_stop_is_obeyed_in_tenths() -> None:
    """The current falls by its ramp, not in one step."""
    node = ModuleNode(charging(20.0, LinearRamp(20.0), 100))
    node.advance(10.0)
    node.hear(Stop(), 10.0)
    node.advance(12.0)
    assert node.module.stage.current_a == pytest.approx(60.0, abs=0.5)
    rested = replace(node.module.stage, current_a=0.0)
    node.advance(20.0)
    assert node.at_rest
    assert node.module.stage.current_a == rested.current_a
