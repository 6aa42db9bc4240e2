"""The settings of the CSMS."""

import pytest

from chassis import settings as chassis_settings
from chassis.settings import SettingsError
from csms.settings import Settings


def test_the_scenarios_of_the_repository_are_the_default():
    assert (Settings().scenarios / "repeated-current-fluctuation.toml").is_file()


def test_an_exposed_port_without_password_is_refused_with_everything_else():
    with pytest.raises(SettingsError) as error:
        chassis_settings.read(Settings, {"MQTT_PORT": "x", "HTTP_BIND": "0.0.0.0", "OCPP_BIND": "0.0.0.0"})
    for name in ("MQTT_PORT", "OCPP_PASSWORD", "HTTP_PASSWORD"):
        assert name in str(error.value)


def test_a_container_published_on_loopback_needs_no_password():
    environ = {"OCPP_BIND": "0.0.0.0", "OCPP_EXPOSED_ON": "127.0.0.1"}
    assert chassis_settings.read(Settings, environ).ocpp_bind == "0.0.0.0"


def test_lists_and_numbers_are_read():
    read = chassis_settings.read(Settings, {"SCENARIO_ALLOW_LIST": "A, B", "CSMS_REPLICA": "2"})
    assert read.scenario_allow_list == ("A", "B")
    assert read.name == "csms-2"
