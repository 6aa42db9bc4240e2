"""The settings of the CSMS."""

import pytest

from chassis import settings as chassis_settings
from chassis.settings import SettingsError
from csms.settings import Settings, read_links


def test_the_scenarios_of_the_repository_are_the_default():
    assert (Settings().scenarios / "repeated-current-fluctuation.toml").is_file()


def test_an_exposed_port_without_password_is_refused_with_everything_else(monkeypatch):
    monkeypatch.setenv("MQTT_PORT", "x")
    monkeypatch.setenv("HTTP_BIND", "0.0.0.0")
    with pytest.raises(SettingsError) as error:
        read_links(Settings(ocpp_bind="0.0.0.0"))
    for name in ("MQTT_PORT", "OCPP_PASSWORD", "HTTP_PASSWORD"):
        assert name in str(error.value)


def test_a_container_published_on_loopback_needs_no_password():
    read_links(Settings(ocpp_bind="0.0.0.0", ocpp_exposed="127.0.0.1"))


def test_lists_and_numbers_are_read():
    read = chassis_settings.read(Settings, {"SCENARIO_ALLOW_LIST": "A, B", "CSMS_REPLICA": "2"})
    assert read.scenario_allow_list == ("A", "B")
    assert read.name == "csms-2"
