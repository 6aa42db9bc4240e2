"""What the console reads from its environment."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from chassis.can_settings import CanSettings
from chassis.guard import HttpSettings
from chassis.mqtt import MqttSettings
from chassis.settings import group, setting, within


def _url_complaint(value: str) -> str | None:
    parts = urlsplit(value)
    return None if parts.scheme in ("http", "https") and parts.hostname else "is no http:// or https:// URL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """Where the CSMS and the MemoryBank answer."""

    csms_api_url: str = setting(
        "CSMS_API_URL",
        "HTTP API of the CSMS; may carry user:password@",
        default="http://127.0.0.1:9001",
        check=_url_complaint,
        secret=True,
    )
    csms_api_token: str | None = setting(
        "CSMS_API_TOKEN",
        "Start-up token of the CSMS, added to every request to it; by default CHARGEBENCH_TOKEN",
        default=None,
        secret=True,
    )
    memorybank_api_url: str = setting(
        "MEMORYBANK_API_URL",
        "HTTP API of the MemoryBank; may carry user:password@",
        default="http://127.0.0.1:9002",
        check=_url_complaint,
        secret=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CanSettings):
    """Everything that the console reads from its environment."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    apis: ApiSettings = group(ApiSettings)
    port: int = setting("CONSOLE_PORT", "Port of the page", default=8080, check=within(1, 65535))
    grafana_url: str | None = setting(
        "CONSOLE_GRAFANA_URL",
        "Where people's browsers find Grafana; the page links to it. Without it there are no such links",
        default=None,
        check=lambda value: None if value is None else _url_complaint(value),
    )
