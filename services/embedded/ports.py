"""Ports of one bench: the usual ones where they are free, else moved, saying who is there.

The CAN buses share a range of UDP ports. UDP multicast lets two programs sit on one port without a word, so
each bench holds a TCP guard port for its range; a second bench finds it taken and moves.
"""

import contextlib
import itertools
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from chassis.can_bus import GROUP
from contracts.backplane import BACKPLANE_PORT, BUSES_PER_CHARGE_POINT

GUARD_PORT = BACKPLANE_PORT - 1
"""Guard of the first range, below the kernel's ephemeral ports; backplane one above it, buses from two."""
RANGE_STRIDE = 400
RANGES = 30
RANGE_CHARGE_POINTS = (RANGE_STRIDE - 2) // BUSES_PER_CHARGE_POINT
"""So many fit into one range; a larger bench takes ranges that follow each other."""
MOST_CHARGE_POINTS = 2000

_USES = {
    "ocpp": "OCPP",
    "csms_http": "CSMS API",
    "memorybank_http": "MemoryBank API",
    "console": "console",
    "mqtt": "MQTT broker",
    "postgres": "PostgreSQL",
}


class PortsError(Exception):
    """No port is left, or one that was asked for is taken."""


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the services on 127.0.0.1, UDP ports of the CAN side."""

    ocpp: int = 9000
    csms_http: int = 9001
    memorybank_http: int = 9002
    console: int = 8080
    mqtt: int = 1883
    postgres: int = 5432
    can_backplane: int = GUARD_PORT + 1
    can_base: int = GUARD_PORT + 2


USUAL = Ports()


def holder(port: int) -> str:
    """Return who listens on a TCP port, as far as we may know: `nginx (process 12)` or `another program`."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    return "another program"


def is_free(port: int, kind: int = socket.SOCK_STREAM) -> bool:
    """Return whether nobody has the port on loopback or on all addresses (UDP: on the CAN group's)."""
    address = "127.0.0.1" if kind == socket.SOCK_STREAM else GROUP
    with socket.socket(socket.AF_INET, kind) as probe:
        if kind == socket.SOCK_STREAM:
            # A connection that is closing down is nobody's port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def any_free_port() -> int:
    """Return a TCP port of the kernel's choice, for a server that runs for moments."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextlib.contextmanager
def taken(wanted: dict[str, int], *, charge_points: int = 1) -> Iterator[tuple[Ports, list[str]]]:
    """Hold a CAN range while inside, or as many as so many charge points need.

    Yields the ports and a line for each that had to move.
    `wanted` are ports that a person asked for: one of those that is taken raises PortsError.
    """
    ranges = -(-(charge_points * BUSES_PER_CHARGE_POINT + 2) // RANGE_STRIDE)
    guards, number, why_not_first = _guard(set(wanted.values()), ranges)
    with guards:
        lines = []
        if number:
            used = GUARD_PORT + number * RANGE_STRIDE
            lines.append(f"CAN range {GUARD_PORT} {why_not_first}: using {used}")
        chosen: dict[str, int] = {
            "can_backplane": GUARD_PORT + number * RANGE_STRIDE + 1,
            "can_base": GUARD_PORT + number * RANGE_STRIDE + 2,
        }
        # What was asked for first, so that no usual port takes its place.
        for name, use in sorted(_USES.items(), key=lambda item: item[0] not in wanted):
            usual: int = wanted.get(name) or getattr(USUAL, name)
            port = _first_free(usual, number, chosen, asked_for=name in wanted, use=use)
            if port != usual:
                why = "is left to another bench" if is_free(usual) else f"is taken by {holder(usual)}"
                lines.append(f"port {usual} ({use}) {why}: using {port}")
            chosen[name] = port
        yield Ports(**chosen), lines


def _guard(wanted: set[int], ranges: int) -> tuple[contextlib.ExitStack, int, str]:
    """Return the guards of the first so many ranges in a row that are whole, and the first one's number.

    The last part of the answer is why that is not number 0.
    """
    complaints = []
    for number in range(RANGES - ranges + 1):
        first = GUARD_PORT + number * RANGE_STRIDE
        with contextlib.ExitStack() as guards:
            guarded = range(first, first + ranges * RANGE_STRIDE, RANGE_STRIDE)
            if refused := next((port for port in guarded if not _is_guarded(guards, port)), None):
                complaints.append(f"is guarded by {holder(refused)}, perhaps another bench")
                continue
            ports = _health_ports(first, first + ranges * RANGE_STRIDE)
            in_use = [port for port in ports if port in wanted or not is_free(port)]
            if is_free(first + 1, socket.SOCK_DGRAM) and not in_use:
                return guards.pop_all(), number, next(iter(complaints), "")
            complaints.append(f"is in use at port {in_use[0] if in_use else first + 1}")
    last = GUARD_PORT + RANGES * RANGE_STRIDE
    raise PortsError(f"every CAN range from {GUARD_PORT} to {last} is taken: are {RANGES} benches running?")


def _is_guarded(guards: contextlib.ExitStack, port: int) -> bool:
    """Take a guard port into `guards`; False where somebody has it."""
    guard = guards.enter_context(socket.socket())
    try:
        guard.bind(("127.0.0.1", port))
        guard.listen(1)
    except OSError:
        return False
    return True


def _health_ports(guard: int, end: int) -> list[int]:
    """Return the TCP ports of a range: health of charger, injector and charge points (see Layout)."""
    buses = range(guard + 2, end, BUSES_PER_CHARGE_POINT)
    return [guard + 1, guard + 3, *buses]


def _first_free(usual: int, number: int, chosen: dict[str, int], *, asked_for: bool, use: str) -> int:
    if asked_for:
        if usual in chosen.values():
            raise PortsError(f"port {usual} ({use}) was asked for twice")
        if is_free(usual):
            return usual
        raise PortsError(f"port {usual} ({use}) is taken by {holder(usual)}")
    # Benches that start at one moment look in places of their own: what is free now may be another's soon.
    for candidate in itertools.chain([] if number else [usual], range(usual + 100 * number + 100, 32_000)):
        if candidate not in chosen.values() and is_free(candidate):
            return candidate
    raise PortsError(f"no port is free for {use}")
