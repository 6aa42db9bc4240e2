"""The injector's settings."""

from dataclasses import dataclass

from chassis.can_settings import CanSettings
from chassis.guard import HttpSettings
from chassis.health import health_port
from chassis.mqtt import MqttSettings
from chassis.settings import group, setting, websocket_url


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CanSettings):
    """Where the buses, the broker and the CSMS are."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    health_port: int = health_port()
    csms_url: str = setting(
        "CSMS_URL",
        "OCPP 1.6J address of the CSMS, to which an impostor connects",
        default="ws://127.0.0.1:9000",
        check=websocket_url,
    )
    password: str | None = setting(
        "CHARGE_POINT_PASSWORD",
        "Password of Basic authentication that an impostor has got hold of; or CHARGE_POINT_PASSWORD_FILE",
        default=None,
        secret=True,
    )
