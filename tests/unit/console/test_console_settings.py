"""The console's settings: what is refused, and how."""

import pytest

from chassis import settings
from chassis.settings import SettingsError
from console.settings import Settings


def test_nothing_needs_to_be_given() -> None:
    """Every setting has a default that fits the bench on one machine."""
    read = settings.read(Settings, {})
    assert (read.port, read.apis.csms_api_url, read.apis.memorybank_api_url) == (
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
        settings.read(Settings, {env: value})


def test_a_url_with_a_password_is_never_printed() -> None:
    """The API's URL may carry user:password@."""
    read = settings.read(Settings, {"CSMS_API_URL": "http://user:hidden@csms:9001"})
    assert "hidden" not in repr(read)
    with pytest.raises(SettingsError) as refused:
        settings.read(Settings, {"CSMS_API_URL": "user:hidden@csms:9001"})
    assert "hidden" not in str(refused.value)


def test_everything_that_is_wrong_is_named_at_once() -> None:
    """HTTP's and MQTT's settings are read with the console's own."""
    environ = {"MQTT_PORT": "none", "HTTP_PASSWORD_FILE": "/nowhere/at/all", "CONSOLE_PORT": "0"}
    with pytest.raises(SettingsError) as refused:
        settings.read(Settings, environ)
    assert {name for name in environ if name.removesuffix("_FILE") in str(refused.value)} == environ.keys()
