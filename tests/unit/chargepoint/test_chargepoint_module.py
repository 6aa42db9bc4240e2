import pytest
from msgspec.structs import replace

from chargepoint.connector_events import ModuleReported
from chargepoint.module import Module, is_told_again, reported
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


def test_a_report_is_told_again_where_only_numbers_are_others():
    module = Module()
    first = ModuleReported(1.0, 16.0, 32.0, LIMITED)
    assert not is_told_again(module, first)  # the module is new
    module = reported(module, first)
    again = ModuleReported(2.0, 17.5, 31.0, replace(LIMITED, counter=1, hot_openings=1))
    assert is_told_again(module, again)
    assert not is_told_again(module, replace(again, status=None))
    for change in (
        {"state": ModuleState.STOPPING},
        {"faults": Faults.OVER_CURRENT},
        {"vehicle_limited": False},
        {"closures": 0},
        {"counter": 30},
    ):
        assert not is_told_again(module, replace(again, status=replace(again.status, **change))), change
    assert not is_told_again(module, replace(again, current_a=0.1))
    assert not is_told_again(module, replace(again, offered_a=0.0))
    assert not is_told_again(replace(module, present=False), again)
