"""The charge point's settings, and who it is by them."""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from chargepoint.smart_charging import Supply
from chassis import identity, numbered
from chassis.can_settings import CanSettings
from chassis.guard import HttpSettings
from chassis.health import health_port
from chassis.mqtt import MqttSettings
from chassis.outbox import MAX_BYTES as OUTBOX_BYTES
from chassis.settings import SettingsError, at_least, csms_replicas, group, setting, websocket_url, within
from contracts.backplane import BUSES_PER_CHARGE_POINT, FIRST_BUS_PORT
from contracts.replicas import address_for

MAX_CONNECTORS = BUSES_PER_CHARGE_POINT
LEAST_QUEUED = 1000
"""Messages of transactions that one of many keeps at least: at 1 per second, a quarter of an hour."""


def _at_most(length: int) -> Callable[[str], str | None]:
    return lambda value: None if len(value) <= length else f"is longer than {length} characters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(CanSettings):
    """Everything that a charge point reads from its environment."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    health_port: int = health_port()
    charge_point_id: str = setting(
        "CHARGE_POINT_ID",
        "Identity at the CSMS; not given: CHARGE_POINT_PREFIX and the replica's number",
        default="",
        check=numbered.identity,
    )
    prefix: str = numbered.prefix()
    charge_points: int = numbered.how_many()
    replica: int | None = numbered.replica()
    csms_url: str = setting(
        "CSMS_URL",
        "OCPP 1.6J address of the CSMS; the identity is added to its path. `{replica}` in it is the number "
        "of the CSMS that holds the charge point, where there are several",
        default="ws://127.0.0.1:9000",
        check=websocket_url,
    )
    csms_replicas: int = csms_replicas()
    password: str | None = setting(
        "CHARGE_POINT_PASSWORD",
        "Password of Basic authentication at the CSMS, user = identity; or CHARGE_POINT_PASSWORD_FILE",
        default=None,
        secret=True,
    )
    connectors: int = setting(
        "CONNECTORS", "How many connectors, each with a bus", default=1, check=within(1, MAX_CONNECTORS)
    )
    base_port: int = setting(
        "CAN_BASE_PORT",
        "UDP port of the first bus of charge point 1; each charge point has the next 4",
        default=FIRST_BUS_PORT,
        check=within(1, 65535),
    )
    can_port: int | None = setting(
        "CAN_PORT",
        "UDP port of the first connector's bus, where the identity does not end in a number",
        default=None,
        check=lambda value: None if value is None else within(1, 65532)(value),
    )
    socketcan: tuple[str, ...] = setting(
        "CAN_SOCKETCAN",
        "SocketCAN interfaces in place of UDP buses, one per connector, comma-separated; no backplane then",
        default=(),
    )
    state_directory: str = setting(
        "STATE_DIRECTORY", "Folder of what must survive a restart", default=".chargebench/chargepoint"
    )
    cable_plugged: bool = setting(
        "CABLE_PLUGGED", "Whether a vehicle is plugged in at every connector at the start", default=True
    )
    rated_a: float = setting(
        "RATED_CURRENT_A", "Most current per phase of a connector, A", default=300.0, check=within(1, 6500)
    )
    nominal_v: float = setting(
        "NOMINAL_VOLTAGE_V",
        "Voltage by which charging limits in W become A (per phase), V",
        default=400.0,
        check=within(1, 1500),
    )
    phases: int = setting(
        "PHASES", "Phases of a connector: 1 for direct current, 1 to 3 for AC", default=1, check=within(1, 3)
    )
    grid_frequency_hz: float = setting(
        "GRID_FREQUENCY_HZ", "Frequency that MeterValues report, Hz", default=50.0, check=within(1, 500)
    )
    sample_interval_s: int = setting(
        "METER_VALUE_SAMPLE_INTERVAL_S",
        "MeterValueSampleInterval until a CSMS changes it, s; 0: none",
        default=1,
        check=within(0, 86_400),
    )
    call_timeout_s: float = setting(
        "OCPP_CALL_TIMEOUT_S",
        "How long an answer of the CSMS is waited for, s",
        default=30.0,
        check=at_least(0.1),
    )
    reconnect_longest_s: float = setting(
        "RECONNECT_LONGEST_S",
        "Longest wait between two tries to reach the CSMS, s",
        default=8.0,
        check=at_least(0.5),
    )
    queue_messages: int = setting(
        "TRANSACTION_QUEUE_MESSAGES",
        "Messages of transactions kept on disk while the CSMS is away; at 1 per second 50,000 are 14 hours. "
        f"Charge points of one process share them evenly, with {LEAST_QUEUED:,} each at least",
        default=50_000,
        check=at_least(100),
    )
    outbox_mb: int = setting(
        "OUTBOX_MB",
        "Most that this process keeps on disk while the MemoryBank is away, MB; at 1 kB/s a charge point 256 "
        "are three days of one and four minutes of a thousand",
        default=OUTBOX_BYTES // (1024 * 1024),
        check=within(1, 1_000_000),
    )
    vendor: str = setting(
        "CHARGE_POINT_VENDOR", "chargePointVendor", default="ChargeBench", check=_at_most(20)
    )
    model: str = setting("CHARGE_POINT_MODEL", "chargePointModel", default="Bench DC", check=_at_most(20))

    def csms_of(self, charge_point_id: str) -> str:
        """Return the address of the CSMS that holds a charge point."""
        return address_for(self.csms_url, charge_point_id, self.csms_replicas)

    @property
    def supply(self) -> Supply:
        """What stands behind a connector."""
        return Supply(self.rated_a, self.nominal_v, self.phases)

    @property
    def queued_each(self) -> int:
        """How many messages of transactions one charge point may keep."""
        if self.charge_points == 1:
            return self.queue_messages
        return max(LEAST_QUEUED, self.queue_messages // self.charge_points)


@dataclass(frozen=True, slots=True)
class Place:
    """Who the charge point is, on which interface, and the bus of each connector (a port or a name)."""

    charge_point_id: str
    interface: str
    buses: tuple[int | str, ...]


def find_places(settings: Settings) -> tuple[Place, ...]:
    """Return where each charge point of this process belongs; may ask the name server for seconds.

    Raises SettingsError.
    """
    count = settings.charge_points
    if count > 1 and settings.socketcan:
        raise SettingsError("CAN_SOCKETCAN: only where CHARGE_POINTS is 1")
    if settings.charge_point_id:
        identities = numbered.on_from(settings.charge_point_id, count)
    else:
        replica = settings.replica or _replica_number()
        identities = numbered.of_replica(settings.prefix, replica, count)
    interface = settings.interface_address()
    return tuple(
        Place(charge_point_id, interface, buses_of(settings, charge_point_id, number))
        for number, charge_point_id in enumerate(identities)
    )


def _replica_number() -> int:
    replica = next(iter(identity.replicas()), None)
    number = replica.number if replica else identity.ordinal_of(socket.gethostname())
    if number is None:
        raise SettingsError(
            "missing CHARGE_POINT_ID (this is neither a numbered container nor a numbered pod)"
        )
    return number


def buses_of(settings: Settings, charge_point_id: str, further: int = 0) -> tuple[int | str, ...]:
    """Return each connector's bus, port `base + (number - 1) * 4 + (connector - 1)`; raises SettingsError.

    `further`: which one of its process it is, from 0; it counts where CAN_PORT says the first one's bus.
    """
    if settings.socketcan:
        if len(settings.socketcan) != settings.connectors:
            raise SettingsError(f"CAN_SOCKETCAN: {settings.connectors} names are needed, one per connector")
        return settings.socketcan
    first = settings.can_port
    if first is None:
        number = re.search(r"(\d{1,5})$", charge_point_id)
        if number is None or int(number[1]) < 1:
            raise SettingsError(f"missing CAN_PORT: {charge_point_id!r} does not end in a number from 1 on")
        first = settings.base_port + (int(number[1]) - 1) * MAX_CONNECTORS
    else:
        first += further * MAX_CONNECTORS
    if first + settings.connectors - 1 > 65535:
        raise SettingsError(f"CAN_BASE_PORT: the buses of {charge_point_id} would be beyond port 65535")
    return tuple(range(first, first + settings.connectors))
