"""What the MemoryBank refuses to start with."""

import pytest

from chassis.settings import SettingsError, read
from memorybank.settings import Settings

GIVEN = {
    "MQTT_USER": "memorybank",
    "MQTT_PASSWORD": "x",
    "DATABASE_URL": "postgresql://w@h/d",
    "DATABASE_READER_URL": "postgresql://r@h/d",
}
TOKEN = "glsa_secret"


def test_without_settings_of_its_own_grafana_is_told_nothing():
    assert (read(Settings, GIVEN).grafana_url, read(Settings, GIVEN).grafana_token) == ("", "")


def test_an_address_and_a_token_are_taken():
    settings = read(Settings, GIVEN | {"GRAFANA_URL": "https://g.example/x", "GRAFANA_TOKEN": TOKEN})
    assert (settings.grafana_url, settings.grafana_token) == ("https://g.example/x", TOKEN)
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"GRAFANA_URL": "http://g:3000"}, "GRAFANA_TOKEN is missing"),
        ({"GRAFANA_TOKEN": TOKEN}, "GRAFANA_URL is missing"),
        ({"GRAFANA_URL": "g:3000", "GRAFANA_TOKEN": TOKEN}, "GRAFANA_URL: is no http:// or https:// URL"),
        ({"GRAFANA_URL": f"http://a:{TOKEN}@g", "GRAFANA_TOKEN": TOKEN}, "GRAFANA_URL: carries a user"),
        ({"GRAFANA_URL": "http://g", "GRAFANA_TOKEN": f"{TOKEN} x"}, "GRAFANA_TOKEN: not acceptable"),
    ],
)
def test_one_without_the_other_or_a_wrong_one_is_named(given, complaint):
    with pytest.raises(SettingsError) as refused:
        read(Settings, GIVEN | given)
    assert complaint in str(refused.value)
    assert TOKEN not in str(refused.value)
