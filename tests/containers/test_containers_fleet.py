"""`docker compose up --scale chargepoint=8`: identities, buses, and who hears whom."""

import time

import pytest

from container_stack import Stack
from contracts import can_frames
from real_parts import wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]

NAMES = {f"CP-{number}" for number in range(1, 9)}
BASE_PORT = 20_000
BUSES = {BASE_PORT + 4 * number for number in range(8)}

_BUSES = f"""
lines = open("/proc/net/udp").read().splitlines()[1:]
ports = {{int(line.split()[1].partition(":")[2], 16) for line in lines}}
print(*sorted(port for port in ports if {BASE_PORT} <= port < {BASE_PORT + 400}))
"""
_ROGUE_STOP = f"""
import can
with can.Bus(interface="udp_multicast", channel="239.74.163.2", port={BASE_PORT + 2 * 4}) as bus:
    bus.send(can.Message(arbitration_id={can_frames.STOP_ID}, is_extended_id=False))
"""
_BOOTS = "SELECT source, boot FROM memory.sources WHERE source LIKE 'chargepoint:%' ORDER BY 1, 2"


def wait_for_eight(stack: Stack) -> None:
    wait_until(lambda: stack.connected() == NAMES, what="exactly CP-1 … CP-8")
    wait_until(lambda: set(stack.currents()) == NAMES, what="a module for each")


def test_eight_replicas_are_cp_1_to_cp_8(fleet: Stack) -> None:
    """Exactly these, each with a module of its own that answers."""
    wait_for_eight(fleet)


def test_each_replica_has_the_bus_of_its_number(fleet: Stack) -> None:
    """And the charger sits on all eight."""
    for number in range(1, 9):
        buses = fleet.python("chargepoint", _BUSES, number).split()
        assert buses == [str(BASE_PORT + 4 * (number - 1))], number
    assert set(map(int, fleet.python("charger", _BUSES).split())) == BUSES


def test_a_rogue_stop_on_one_bus_stops_one_of_eight(fleet: Stack) -> None:
    """0x201 by a stranger with plain python-can on CP-3's bus: CP-3 alone falls to 0 A and stays there."""
    fleet.charge(NAMES, 50)
    wait_until(lambda: min(fleet.currents().get(name, 0) for name in NAMES) > 40, what="eight at 50 A")

    fleet.on_can(_ROGUE_STOP)

    wait_until(lambda: fleet.currents().get("CP-3", 99) < 1, what="CP-3 to stop")
    for _ in range(5):  # and it stays so, second after second
        time.sleep(1)
        now = fleet.currents()
        assert now.get("CP-3", 0) < 1
        assert min(now[name] for name in NAMES - {"CP-3"}) > 40


def test_identities_are_the_same_after_down_and_up(fleet: Stack) -> None:
    """New containers, the same charge points, each going on in the outbox that it had."""
    boots = fleet.query(_BOOTS)
    assert {row["source"].split("/")[0] for row in boots} == {f"chargepoint:{name}" for name in NAMES}
    fleet.compose("down", "--timeout", "10")
    fleet.up("--no-build", "--scale", "chargepoint=8")
    wait_for_eight(fleet)
    assert fleet.query(_BOOTS) == boots
    fleet.assert_nothing_lost()
