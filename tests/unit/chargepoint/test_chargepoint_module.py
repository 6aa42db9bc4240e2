import pytest

from chargepoint.connector_events import ModuleReported
from chargepoint.module import Module, reported
from contracts.can_frames import Faults, ModuleState, Status

LIMITED = Status(
    ModuleState.CHARGING,
    contactor_closed=True,
    vehicle_limited=True,
    faults=Faults.NONE,
    counter=0,
    closures=1,
    hot_openings=0,
)


def takes_nothing(currents_a):
    """Return after each report whether the vehicle is thought to leave what it is offered."""
    module, thought = Module(), []
    for second, current_a in enumerate(currents_a):
        module = reported(module, ModuleReported(float(second), current_a, 32.0, LIMITED))
        thought.append(module.vehicle_takes_nothing)
    return thought


def test_a_vehicle_that_takes_nothing_does_so_until_a_current_is_sure():
    assert takes_nothing([16.0, 0.4, 0.7, 1.4, 1.6, 0.6]) == [False, True, True, True, False, False]


@pytest.mark.parametrize("bias_a", [-0.5, 0.0, 0.5])
def test_the_noise_of_a_biased_sensor_is_no_current(bias_a):
    noise_a = [0.0, -0.6, 0.6, 0.3, -0.3, 0.9]
    assert takes_nothing([bias_a + noise for noise in noise_a][1:]) == [True] * 5
