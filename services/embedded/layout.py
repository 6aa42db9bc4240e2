"""What runs in an embedded bench and with which settings: pure, from ports, passwords and a number."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis.settings import all_names, names
from contracts.backplane import BUSES_PER_CHARGE_POINT
from embedded import broker, postgres
from embedded.ports import RANGE_CHARGE_POINTS, Ports
from embedded.postgres import PostgresFiles

SECRETS = (
    postgres.SUPERUSER,
    *postgres.ROLES,
    *(f"mqtt-{account}" for account in broker.ACCOUNTS),
    "enrolment",
    "token",
)
"""Names of the passwords that a bench makes for itself."""
GRAFANA_TOKEN = ("GRAFANA_TOKEN", "GRAFANA_TOKEN_FILE")
OBEYED = "CHARGE_POINTS"
"""What `make demo CHARGE_POINTS=5` also leaves in the environment: the bench has it as an argument."""
SERVICES = ("charger", "chargepoint", "csms", "memorybank", "console", "lab")


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its command, its whole environment, and where its /healthz is (None: it has none)."""

    name: str
    command: tuple[str, ...]
    environ: dict[str, str]
    health_url: str | None = None
    tcp_port: int | None = None
    user: str | None = None
    stop_by_interrupt: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """One bench: its folder, ports, passwords and size."""

    home: Path
    ports: Ports
    secrets: dict[str, str]
    charge_points: int = 2
    per_process: int = 1
    """Charge points of one chargepoint process."""
    scenario_plan: str = "default"
    log_level: str = "INFO"
    given: Mapping[str, str] = field(default_factory=dict)
    """The environment in which the bench was started: a service gets of it what is its own to set.

    How the bench's parts reach each other (MQTT, HTTP, passwords) is the bench's to decide.
    """

    @property
    def database(self) -> PostgresFiles:
        """The PostgreSQL server of this bench."""
        passwords = {role: self.secrets[role] for role in (postgres.SUPERUSER, *postgres.ROLES)}
        return PostgresFiles(self.home / "postgres", self.ports.postgres, passwords)

    @property
    def broker_configuration(self) -> Path:
        """The broker's configuration file."""
        return self.home / "broker.toml"

    @property
    def broker_passwords(self) -> dict[str, str]:
        """The broker's accounts."""
        return {account: self.secrets[f"mqtt-{account}"] for account in broker.ACCOUNTS}

    @property
    def console_url(self) -> str:
        """Where to look."""
        return f"http://127.0.0.1:{self.ports.console}/"

    @property
    def csms_api_url(self) -> str:
        """The CSMS's HTTP API."""
        return f"http://127.0.0.1:{self.ports.csms_http}"

    @property
    def memorybank_api_url(self) -> str:
        """The MemoryBank's HTTP API."""
        return f"http://127.0.0.1:{self.ports.memorybank_http}"

    @property
    def charge_point_ids(self) -> tuple[str, ...]:
        """The identities of the bench's own charge points."""
        return tuple(f"CP-{number + 1}" for number in range(self.charge_points))

    @property
    def chargepoint_processes(self) -> dict[str, int]:
        """How many charge points each chargepoint process is; it has the name of its first one."""
        ids = self.charge_point_ids
        return {
            first: min(self.per_process, self.charge_points - number * self.per_process)
            for number, first in enumerate(ids[:: self.per_process])
        }

    @property
    def health_ports(self) -> dict[str, int]:
        """TCP ports of /healthz and /metrics by program.

        Those of the charger, the injector and the charge points have numbers of UDP ports: TCP and UDP do not
        meet, and the guard of the CAN range keeps other benches away from both.
        """
        return {
            "csms": self.ports.csms_http,
            "memorybank": self.ports.memorybank_http,
            "console": self.ports.console,
            "charger": self.ports.can_backplane,
            "lab": self.ports.can_base + 1,
            **{
                first: self.ports.can_base + number * self.per_process * BUSES_PER_CHARGE_POINT
                for number, first in enumerate(self.chargepoint_processes)
            },
        }


def postgres_program(layout: Layout) -> Program:
    """Return the database server."""
    return Program(
        "postgres",
        tuple(postgres.command(layout.database)),
        {},
        tcp_port=layout.ports.postgres,
        user=postgres.system_user(),
        stop_by_interrupt=True,  # its "fast" shutdown; SIGTERM would wait for every client
    )


def broker_program(layout: Layout) -> Program:
    """Return the MQTT broker."""
    return Program(
        "broker",
        (sys.executable, "-m", "embedded.broker", str(layout.broker_configuration)),
        {},
        tcp_port=layout.ports.mqtt,
    )


def services(layout: Layout) -> list[list[Program]]:
    """Return the services in the order in which they start: those in one list together."""
    ports = layout.ports
    can = {
        "CAN_INTERFACE": "127.0.0.1",
        "CAN_BACKPLANE_PORT": str(ports.can_backplane),
        "CAN_BASE_PORT": str(ports.can_base),
    }
    token = {"CHARGEBENCH_TOKEN": layout.secrets["token"]}
    charge_points = [
        _service(
            layout,
            "chargepoint",
            {
                **can,
                **_mqtt(layout, "chargepoint"),
                "CHARGE_POINT_ID": first,
                "CHARGE_POINTS": str(count),
                "CHARGE_POINT_PASSWORD": layout.secrets["enrolment"],
                "CSMS_URL": f"ws://127.0.0.1:{ports.ocpp}",
                "HEALTH_PORT": str(layout.health_ports[first]),
            },
            name=first,
        )
        for first, count in layout.chargepoint_processes.items()
    ]
    memorybank = _service(
        layout,
        "memorybank",
        {
            **_mqtt(layout, "memorybank"),
            "DATABASE_URL": layout.database.url("memorybank_writer"),
            "DATABASE_READER_URL": layout.database.url("memorybank_reader"),
            **_span(layout),
            "MEMORYBANK_HTTP_PORT": str(ports.memorybank_http),
            # The one secret that is not the bench's own: of a Grafana somewhere.
            **{name: text for name, text in layout.given.items() if name in GRAFANA_TOKEN},
        },
        health_url=f"{layout.memorybank_api_url}/healthz",
    )
    csms = _service(
        layout,
        "csms",
        {
            **_mqtt(layout, "csms"),
            **token,
            "OCPP_PORT": str(ports.ocpp),
            "CSMS_HTTP_PORT": str(ports.csms_http),
            "ENROLMENT_PASSWORD": layout.secrets["enrolment"],
            "SCENARIO_PLAN": layout.scenario_plan,
        },
        health_url=f"{layout.csms_api_url}/healthz",
    )
    console = _service(
        layout,
        "console",
        {
            **can,
            **_mqtt(layout, "console"),
            **token,
            "CONSOLE_PORT": str(ports.console),
            "CSMS_API_URL": layout.csms_api_url,
            "MEMORYBANK_API_URL": layout.memorybank_api_url,
        },
        health_url=f"{layout.console_url}healthz",
    )
    charger = _service(
        layout,
        "charger",
        {
            **can,
            "CHARGER_ID": "charger-1",
            "HEALTH_PORT": str(layout.health_ports["charger"]),
            **_room(layout),
        },
    )
    lab = _service(
        layout,
        "lab",
        {
            **can,
            **_mqtt(layout, "lab"),
            "CHARGE_POINT_PASSWORD": layout.secrets["enrolment"],
            "CSMS_URL": f"ws://127.0.0.1:{ports.ocpp}",
            "HEALTH_PORT": str(layout.health_ports["lab"]),
        },
    )
    return [[memorybank, csms], [charger, *charge_points, console, lab]]


def _service(
    layout: Layout,
    module: str,
    environ: dict[str, str],
    *,
    name: str | None = None,
    health_url: str | None = None,
) -> Program:
    declared = names(_settings_of(module))
    settings = {
        # What the bench decides itself (ports, passwords, folders) comes after, and wins.
        **{variable: value for variable, value in layout.given.items() if variable in declared},
        **environ,
        "STATE_DIRECTORY": str(layout.home / "state" / (name or module)),
        "LOG_LEVEL": layout.log_level,
    }
    return Program(name or module, (sys.executable, "-m", module), settings, health_url)


def _room(layout: Layout) -> dict[str, str]:
    """Return the charger's capacity where a larger bench needs more than it has by itself."""
    buses = layout.charge_points * BUSES_PER_CHARGE_POINT
    return {"CHARGER_CAPACITY": str(buses)} if layout.charge_points > RANGE_CHARGE_POINTS else {}


def _span(layout: Layout) -> dict[str, str]:
    """Return how the memory is cut where a larger bench would fill a disk within its days."""
    given = layout.given.get("RETENTION_SPAN")
    return {"RETENTION_SPAN": given or "hour"} if layout.charge_points > RANGE_CHARGE_POINTS else {}


def _settings_of(module: str) -> type[Any]:
    kind: type[Any] = importlib.import_module(f"{module}.settings").Settings
    return kind


def _mqtt(layout: Layout, account: str) -> dict[str, str]:
    return {
        "MQTT_HOST": "127.0.0.1",
        "MQTT_PORT": str(layout.ports.mqtt),
        "MQTT_USER": account,
        "MQTT_PASSWORD": layout.secrets[f"mqtt-{account}"],
    }


def decided_by_the_bench(layout: Layout) -> list[str]:
    """Return the given settings of services that reach none of them as they were given."""
    programs = [program for together in services(layout) for program in together]
    arrived = {setting for program in programs for setting in program.environ.items()}
    declared = set().union(*(all_names(_settings_of(module)) for module in SERVICES))
    return sorted(
        name
        for name, text in layout.given.items()
        if text and name in declared and (name, text) not in arrived and name != OBEYED
    )
