"""Who the charge point is, where its buses are, and which settings are refused."""

import pytest

from chargepoint.settings import Settings, buses_of
from chassis.settings import SettingsError, read


def settings(**environ):
    return read(Settings, environ)


@pytest.mark.parametrize(
    ("charge_point_id", "environ", "buses"),
    [
        ("CP-1", {}, (20000,)),
        ("CP-3", {}, (20008,)),
        ("CP-3", {"CONNECTORS": "4"}, (20008, 20009, 20010, 20011)),
        ("north7", {"CAN_BASE_PORT": "20000"}, (20024,)),
        ("station", {"CAN_PORT": "5000", "CONNECTORS": "2"}, (5000, 5001)),
        ("station", {"CAN_SOCKETCAN": "can0"}, ("can0",)),
    ],
)
def test_the_bus_of_each_connector(charge_point_id, environ, buses):
    assert buses_of(settings(**environ), charge_point_id) == buses


@pytest.mark.parametrize(
    ("charge_point_id", "environ", "reason"),
    [
        ("station", {}, "missing CAN_PORT"),
        ("CP-0", {}, "missing CAN_PORT"),
        ("CP-99999", {}, "beyond port 65535"),
        ("CP-1", {"CAN_SOCKETCAN": "can0", "CONNECTORS": "2"}, "one per connector"),
    ],
)
def test_a_place_without_a_bus_says_why(charge_point_id, environ, reason):
    with pytest.raises(SettingsError, match=reason):
        buses_of(settings(**environ), charge_point_id)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHARGE_POINT_ID", "a/b"),
        ("CHARGE_POINT_ID", "a:b"),
        ("CHARGE_POINT_ID", "a b"),
        ("CHARGE_POINT_ID", "x" * 49),
        ("CSMS_URL", "http://127.0.0.1:9000"),
        ("CSMS_URL", "ws://user:password@127.0.0.1:9000"),
        ("CONNECTORS", "5"),
        ("CONNECTORS", "0"),
        ("CAN_INTERFACE", "eth0"),
        ("CAN_PORT", "0"),
        ("PHASES", "4"),
        ("CHARGE_POINT_VENDOR", "x" * 21),
        ("CABLE_PLUGGED", "perhaps"),
    ],
)
def test_a_wrong_setting_is_named(name, value):
    with pytest.raises(SettingsError, match=name):
        settings(**{name: value})


def test_everything_has_a_default():
    assert settings().csms_url == "ws://127.0.0.1:9000"
