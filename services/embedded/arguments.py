"""The arguments of `chargebench`; many have their default in the environment, for `make demo NAME=…`."""

import argparse
import os
from pathlib import Path

from chassis.bench_home import DEFAULT_HOME, usual_home
from chassis.command_line import Parser, seconds
from console.top.__main__ import DESCRIPTION, EPILOG, add_arguments
from embedded.ports import MOST_CHARGE_POINTS, RANGE_CHARGE_POINTS, USUAL

PORTS = {
    "console": ("CONSOLE_PORT", "the page"),
    "ocpp": ("OCPP_PORT", "the CSMS"),
    "csms_http": ("CSMS_HTTP_PORT", "the CSMS's API"),
    "memorybank_http": ("MEMORYBANK_HTTP_PORT", "the MemoryBank's API"),
    "mqtt": ("MQTT_PORT", "the MQTT broker"),
}
"""Ports that one may ask for: the variable that names them, and whose they are."""
MANY_PER_PROCESS = 1000
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return what was asked for; `command` is up, backup, restore or top. Ends with status 2 on nonsense."""
    parser = Parser(
        prog="chargebench",
        description="A test bench for EV-charging anomalies.",
        epilog="Example: chargebench up --charge-points 5 --duration 60",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    up = commands.add_parser(
        "up",
        help="start the bench on this machine, without Docker",
        description="Start PostgreSQL, an MQTT broker and every service; Ctrl-C ends all of it.",
        epilog="Example: chargebench up --charge-points 5 --duration 60",
    )
    _add_up(up)
    for name, what, more in (
        ("backup", "write the memory to a file", "A bench that runs goes on meanwhile."),
        ("restore", "put a backup in the place of the memory", "The bench must not run."),
    ):
        command = commands.add_parser(
            name,
            help=what,
            description=f"{what[0].upper()}{what[1:]}. {more}",
            epilog=f"Example: chargebench {name} memory.backup",
        )
        command.add_argument("file", type=Path, metavar="FILE", help="the backup, in pg_dump's custom format")
        _add_home(command)
    top = commands.add_parser(
        "top",
        help="watch it in this terminal",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(top)
    return parser.parse_args(arguments)


def wanted_ports(parsed: argparse.Namespace) -> dict[str, int]:
    """Return the ports that were asked for, by the names that Ports gives them."""
    asked = {name: getattr(parsed, f"{name}_port") for name in PORTS}
    return {name: port for name, port in asked.items() if port is not None}


def per_process(parsed: argparse.Namespace) -> int:
    """Return how many charge points one process is to be: what was asked for, or 1 while they are few."""
    if parsed.per_process is not None:
        return int(parsed.per_process)
    return 1 if parsed.charge_points <= RANGE_CHARGE_POINTS else MANY_PER_PROCESS


def _add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument(
        "--charge-points", type=_charge_points, default=2, metavar="N", help="how many (default 2)"
    )
    up.add_argument(
        "--per-process",
        type=_charge_points,
        metavar="N",
        help=f"how many of them one process is (default 1; for more than {RANGE_CHARGE_POINTS} charge points "
        f"{MANY_PER_PROCESS})",
    )
    up.add_argument(
        "--duration",
        type=seconds,
        metavar="S",
        help="end after S seconds; the exit status says whether it worked",
    )
    _add_home(up)
    up.add_argument(
        "--scenario-plan",
        choices=("default", "none"),
        default=os.environ.get("SCENARIO_PLAN") or "default",
        help="what runs by itself (default $SCENARIO_PLAN or default)",
    )
    for name, (variable, whose) in PORTS.items():
        up.add_argument(
            f"--{name.replace('_', '-')}-port",
            type=_port,
            default=os.environ.get(variable) or None,
            metavar="PORT",
            help=f"port of {whose}; must be free (default ${variable}, or from {getattr(USUAL, name)} on)",
        )
    up.add_argument(
        "--log-level",
        type=_level,
        default=os.environ.get("LOG_LEVEL") or "INFO",
        metavar="LEVEL",
        help=f"one of {', '.join(LEVELS)} (default $LOG_LEVEL or INFO)",
    )


def _add_home(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--home",
        type=Path,
        default=usual_home(os.environ),
        help=f"folder for data and passwords (default $CHARGEBENCH_HOME or {DEFAULT_HOME})",
    )


def _charge_points(text: str) -> int:
    if not _is_number(text) or not 1 <= int(text) <= MOST_CHARGE_POINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_CHARGE_POINTS}")
    return int(text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5


def _port(text: str) -> int:
    if not _is_number(text) or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _level(text: str) -> str:
    if text.upper() not in LEVELS:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(LEVELS)}")
    return text.upper()
