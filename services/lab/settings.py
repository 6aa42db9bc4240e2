"""The injector's settings."""

from dataclasses import dataclass

from chassis.can_settings import CanSettings
from chassis.guard import HttpSettings
from chassis.health import health_port
from chassis.mqtt import MqttSettings
from chassis.settings import csms_replicas, group, setting, websocket_url
from contracts.topics import ALL_INJECTIONS, injections_topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CanSettings):
    """Where the buses, the broker and the CSMS are."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    health_port: int = health_port()
    csms_url: str = setting(
        "CSMS_URL",
        "OCPP 1.6J address of the CSMS, to which an impostor connects; `{replica}` as for a charge point",
        default="ws://127.0.0.1:9000",
        check=websocket_url,
    )
    csms_replicas: int = csms_replicas()
    charge_point_id: str = setting(
        "CHARGE_POINT_ID",
        "The one charge point whose injections are performed here; not given: all that are ordered. Where "
        "each pod has an injector of its own, every order would else be performed by all",
        default="",
    )
    password: str | None = setting(
        "CHARGE_POINT_PASSWORD",
        "Password of Basic authentication that an impostor has got hold of; or CHARGE_POINT_PASSWORD_FILE",
        default=None,
        secret=True,
    )

    @property
    def orders_topic(self) -> str:
        """The topic on which this injector hears what is ordered."""
        return injections_topic(self.charge_point_id) if self.charge_point_id else ALL_INJECTIONS
