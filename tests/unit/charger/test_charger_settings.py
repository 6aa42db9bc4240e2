import pytest

from charger.power_stage import Ratings
from charger.rack import new_module
from charger.ramp import ExponentialRamp, LinearRamp
from charger.settings import Settings
from chassis import settings


def read(**environ):
    return settings.read(Settings, environ)


def test_nothing_needs_to_be_given():
    values = read()
    assert values.backplane_port == 19999
    assert new_module(values, "20000", 1).stage.ratings == Ratings()


def test_everything_wrong_is_named_at_once():
    with pytest.raises(settings.SettingsError) as refusal:
        read(
            CHARGER_RAMP_LAW="cubic",
            CHARGER_RATED_A="0",
            CHARGER_BUSES="20000,70000,vcan0",
            CAN_INTERFACE="eth0",
        )
    for part in (
        "CHARGER_RAMP_LAW",
        "'cubic'",
        "CHARGER_RATED_A",
        "CHARGER_BUSES: 70000",
        "CAN_INTERFACE: 'eth0'",
    ):
        assert part in str(refusal.value)


def test_the_ramp_law_is_a_setting():
    linear = new_module(read(CHARGER_RAMP_LAW="linear", CHARGER_RAMP_A_PER_S="12"), "1", 1)
    assert linear.stage.ratings.ramp == LinearRamp(12.0)
    exponential = new_module(read(CHARGER_RAMP_SHARE_PERCENT="10"), "1", 1)
    assert exponential.stage.ratings.ramp == ExponentialRamp(0.1)


def test_a_module_is_the_same_again_for_one_bus_and_another_for_another():
    module = new_module(read(), "20000", 1)
    assert module == new_module(read(), "20000", 1)
    assert module.stage.vehicle != new_module(read(), "20001", 1).stage.vehicle
    assert module.stage.vehicle != new_module(read(CHARGER_SEED="2"), "20000", 1).stage.vehicle


def test_a_module_attached_again_has_the_same_car_and_other_noise():
    once, again = (new_module(read(), "20000", attachment) for attachment in (1, 2))
    assert once.stage == again.stage
    assert once.sensor != again.sensor


def test_a_module_starts_at_the_temperature_around_it():
    assert new_module(read(CHARGER_AMBIENT_C="-10"), "1", 1).stage.temperature_c == -10


def test_lag_and_set_error_are_settings():
    ratings = new_module(
        read(CHARGER_RAMP_LAW="linear", CHARGER_RAMP_LAG_S="0.3", CHARGER_SET_ERROR_SHARE="-0.5"), "1", 1
    ).stage.ratings
    assert ratings.ramp == LinearRamp(20.0, 0.3)
    assert ratings.set_error_share == -0.5
