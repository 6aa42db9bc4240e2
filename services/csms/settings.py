"""What the CSMS is told from outside, read once at its start."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chassis.guard import HttpSettings, require_password
from chassis.mqtt import MqttSettings
from chassis.settings import SettingsError, at_least, csms_replicas, group, one_of, setting, within
from contracts.replicas import PLACE, holder_of


def _peer_complaint(value: str) -> str | None:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or PLACE not in (parts.hostname or "")):
        return f"is no http:// or https:// URL with {PLACE} in its host"
    return None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the CSMS reads from its environment."""

    mqtt: MqttSettings = group(MqttSettings)
    http: HttpSettings = group(HttpSettings)
    state_directory: str = setting(
        "STATE_DIRECTORY",
        "Directory of what must survive a restart (transactions, id tags, outbox)",
        default=".chargebench/csms",
    )
    ocpp_port: int = setting(
        "OCPP_PORT", "Port of the OCPP server (0: any free one)", default=9000, check=within(0, 65535)
    )
    ocpp_bind: str = setting(
        "OCPP_BIND", "Address the OCPP server listens on; 0.0.0.0 inside a container", default="127.0.0.1"
    )
    ocpp_exposed: str = setting(
        "OCPP_EXPOSED_ON",
        "Address under which charge points reach OCPP_PORT; another than loopback demands OCPP_PASSWORD. "
        "Where OCPP_BIND is not loopback this must be given",
        default="",
    )
    ocpp_password: str | None = setting(
        "OCPP_PASSWORD",
        "When given, foreign charge points must present it by Basic authentication, their identity as user",
        default=None,
        secret=True,
    )
    enrolment_password: str | None = setting(
        "ENROLMENT_PASSWORD",
        "A charge point that presents it (Basic authentication, its identity as user) is the bench's own: "
        "scenarios may run against it. Not given: no charge point is",
        default=None,
        secret=True,
    )
    max_connections: int = setting(
        "OCPP_MAX_CONNECTIONS",
        "Charge points connected at once; a further one gets 503",
        default=5000,
        check=at_least(1),
    )
    ping_interval_s: float = setting(
        "OCPP_PING_INTERVAL_S",
        "Seconds between WebSocket pings; a connection that leaves one unanswered for as long is ended",
        default=15.0,
        check=at_least(1),
    )
    heartbeat_interval_s: int = setting(
        "HEARTBEAT_INTERVAL_S",
        "Heartbeat interval told to charge points, seconds",
        default=60,
        check=at_least(1),
    )
    command_timeout_s: float = setting(
        "COMMAND_TIMEOUT_S",
        "Seconds within which a charge point must have answered a command",
        default=10.0,
        check=within(0.1, 600),
    )
    accept_unknown_tags: bool = setting(
        "ACCEPT_UNKNOWN_TAGS",
        "Accept id tags that are not in the list; convenient for trying a foreign charge point",
        default=False,
    )
    http_port: int = setting("CSMS_HTTP_PORT", "Port of the HTTP API", default=9001, check=within(1, 65535))
    replica: int = setting(
        "CSMS_REPLICA",
        "Number of this CSMS among several: its transaction ids start at 100,000,000 times this",
        default=0,
        check=within(0, 20),  # OCPP's transaction ids are signed 32-bit integers at many charge points
    )
    replicas: int = csms_replicas()
    peer_url: str = setting(
        "CSMS_PEER_URL",
        "HTTP API of each CSMS, `{replica}` being its number, e.g. `http://csms-{replica}.csms:9001`: where "
        "there are several, whichever is asked asks the one that holds the charge point",
        default="",
        check=_peer_complaint,
    )
    scenario_directory: str = setting(
        "SCENARIO_DIRECTORY",
        "Directory of the scenario files; default: the repository's `scenarios`, in images /app/scenarios",
        default="",
    )
    scenario_plan: str = setting(
        "SCENARIO_PLAN",
        "`default`: odd-numbered enrolled charge points live repeated-current-fluctuation, "
        "even-numbered ones benign-charging; `none`: nothing starts by itself",
        default="default",
        check=one_of("default", "none"),
    )
    scenario_allow_list: tuple[str, ...] = setting(
        "SCENARIO_ALLOW_LIST",
        "Further charge points that scenarios may run against, comma-separated identities",
        default=(),
    )
    scenario_voltage_v: float = setting(
        "SCENARIO_VOLTAGE_V",
        "Volts by which a scenario's amperes become watts for a charge point that takes only power limits",
        default=400.0,
        check=within(1, 2000),
    )

    @property
    def name(self) -> str:
        """Which CSMS among several, e.g. `csms-0`; its events' source is `csms:csms-0`."""
        return f"csms-{self.replica}"

    def holder_of(self, charge_point_id: str) -> int:
        """Return the number of the CSMS that holds a charge point: ours where there is one only."""
        return holder_of(charge_point_id, self.replicas) if self.replicas > 1 else self.replica

    @property
    def scenarios(self) -> Path:
        """Where the scenario files are."""
        if self.scenario_directory:
            return Path(self.scenario_directory)
        repository = Path(__file__).resolve().parents[2] / "scenarios"
        return repository if repository.is_dir() else Path("/app/scenarios")

    def demand_safety(self) -> None:
        """Refuse OCPP that is reachable from other machines without a password, and a replica too many."""
        if self.replicas > 1 and (self.replica >= self.replicas or not self.peer_url):
            raise SettingsError(
                f"CSMS_REPLICAS={self.replicas} needs CSMS_PEER_URL, and CSMS_REPLICA below it"
            )
        require_password(
            "OCPP_PASSWORD", self.ocpp_password, self.ocpp_bind, self.ocpp_exposed, "OCPP_EXPOSED_ON"
        )
