"""The injector's settings."""

from dataclasses import dataclass

from chassis import numbered
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
        "Whose injections are performed here, the first of them where CHARGE_POINTS says more. "
        "Given neither it nor CHARGE_POINT_REPLICA: all that are ordered; where each pod has an injector of "
        "its own, every order would be performed by all",
        default="",
        check=numbered.identity,
    )
    prefix: str = numbered.prefix()
    charge_points: int = numbered.how_many()
    replica: int | None = numbered.replica()
    password: str | None = setting(
        "CHARGE_POINT_PASSWORD",
        "Password of Basic authentication that an impostor has got hold of; or CHARGE_POINT_PASSWORD_FILE",
        default=None,
        secret=True,
    )

    @property
    def charge_point_ids(self) -> frozenset[str] | None:
        """Those whose injections are performed here, None: all; raises SettingsError."""
        if self.charge_point_id:
            return frozenset(numbered.on_from(self.charge_point_id, self.charge_points))
        if self.replica is not None:
            return frozenset(numbered.of_replica(self.prefix, self.replica, self.charge_points))
        return None

    @property
    def orders_topic(self) -> str:
        """The topic on which this injector hears what is ordered."""
        match [*(self.charge_point_ids or ())]:
            case [only]:
                return injections_topic(only)
        # One filter for many: a broker takes a subscription of a thousand topics badly.
        return ALL_INJECTIONS
