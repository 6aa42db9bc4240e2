"""The console's settings: what is refused, and how."""

import pytest

from chassis import settings
from chassis.settings import SettingsError
from console.settings import ConsoleSettings, read_links


def test_nothing_needs_to_be_given() -> None:
    """Every setting has a default that fits the bench on one machine."""
    read = settings.read(ConsoleSettings, {})
    assert (read.port, read.csms_api_url, read.memorybank_api_url) == (
        8080,
        "http://127.0.0.1:9001",
        "http://127.0.0.1:9002",
    )


@pytest.mark.parametrize(
    "env,value",
    [
        ("CAN_INTERFACE", "eth0"),
        ("CSMS_API_URL", "csms:9001"),
        ("MEMORYBANK_API_URL", "file:///etc/passwd"),
        ("CONSOLE_PORT", "0"),
        ("CAN_BACKPLANE_PORT", "70000"),
    ],
)
def test_nonsense_is_refused_by_name(env: str, value: str) -> None:
    """A wrong setting is named."""
    with pytest.raises(SettingsError, match=env):
        settings.read(ConsoleSettings, {env: value})


def test_a_url_with_a_password_is_never_printed() -> None:
    """The API's URL may carry user:password@."""
    read = settings.read(ConsoleSettings, {"CSMS_API_URL": "http://user:hidden@csms:9001"})
    assert "hidden" not in repr(read)
    with pytest.raises(SettingsError) as refused:
        settings.read(ConsoleSettings, {"CSMS_API_URL": "user:hidden@csms:9001"})
    assert "hidden" not in str(refused.value)


def test_all_wrong_links_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP's and MQTT's settings are read together."""
    monkeypatch.setenv("MQTT_PORT", "none")
    monkeypatch.setenv("HTTP_PASSWORD_FILE", "/nowhere/at/all")
    with pytest.raises(SettingsError, match=r"HTTP_PASSWORD.*MQTT_PORT"):
        read_links()
