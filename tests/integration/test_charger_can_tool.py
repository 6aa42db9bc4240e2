"""A real charger process driven by CAN tools that know only the four base frames."""

import itertools
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import can
import pytest

from charger_process import CanTool, charger
from chassis.can_bus import GROUP
from contracts.can_frames import Current, Faults, ModuleState, Output, Status, Thermal
from real_parts import free_port

START, STOP, SET_LIMIT, KEEPALIVE = 0x200, 0x201, 0x210, 0x211


def udp_port():
    return free_port(socket.SOCK_DGRAM)


def tool_on(port, interface="chargebench"):
    return CanTool(can.Bus(interface=interface, channel=GROUP, port=port))


def drive_base_scenario(tool, cycles=2):
    """Live the base scenario in its own time; return each cycle's currents while charging, and after."""
    lived = []
    for _ in range(cycles):
        tool.send(SET_LIMIT, bytes([100, 0]))
        tool.listen(1.0)
        tool.send(START)
        charging_a = tool.listen(2.0)
        tool.send(STOP)
        after_a = tool.listen(3.0)
        tool.send(SET_LIMIT, bytes([0, 0]))
        lived.append((charging_a, after_a + tool.listen(2.0)))
    return lived


@pytest.fixture
def bus_port():
    port = udp_port()
    with charger(port, backplane_port=udp_port()):
        yield port


@pytest.fixture
def tool(bus_port):
    with tool_on(bus_port) as tool:
        tool.until_current(lambda current_a: current_a == 0)
        yield tool


def test_base_scenario_swings_from_0_to_85_a_and_back(tool):
    for charging_a, after_a in drive_base_scenario(tool):
        assert max(charging_a) >= 85
        assert after_a[-1] == 0
    status = tool.statuses[-1]
    assert (status.state, status.closures, status.hot_openings) == (ModuleState.IDLE, 2, 0)


def test_python_cans_own_interface_drives_it():
    """In a network namespace whose only route is loopback, so that its frames leave this machine nowhere."""
    if not all(shutil.which(program) for program in ("unshare", "ip")):
        pytest.skip("python-can's udp_multicast: needs the programs unshare and ip")
    enter = ["unshare", "--map-root-user", "--net", "sh", "-ec"]
    prepare = "ip link set lo up && ip route add 239.0.0.0/8 dev lo"
    if subprocess.run([*enter, prepare], check=False, capture_output=True).returncode:
        pytest.skip("python-can's udp_multicast: needs a network namespace of its own, not permitted here")
    lived = subprocess.run(
        [*enter, f'{prepare} && exec "$@"', "sh", sys.executable, __file__],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert lived.returncode == 0, lived.stderr


def test_readings_come_every_second_and_0x300_last(tool):
    counted = len(tool.heard)
    tool.listen(5.2)
    kinds = [type(frame) for frame in tool.heard[counted:]]
    assert kinds[:4] == [Output, Status, Thermal, Current]
    assert kinds.count(Current) in (5, 6)
    counters = [status.counter for status in tool.statuses]
    assert counters == list(range(counters[0], counters[0] + len(counters)))


def test_300_a_arrive(tool):
    tool.send(SET_LIMIT, (300).to_bytes(2, "little"))
    tool.send(START)
    assert tool.until_current(lambda current_a: current_a >= 297) <= 301


def test_a_stop_on_one_bus_stops_no_other():
    ports = [udp_port(), udp_port()]
    with (
        charger(*ports, backplane_port=udp_port()),
        tool_on(ports[0]) as one,
        tool_on(ports[1]) as other,
    ):
        for tool in (one, other):
            tool.until_current(lambda current_a: current_a == 0)
            tool.send(SET_LIMIT, bytes([50, 0]))
            tool.send(START)
        for tool in (one, other):
            tool.until_current(lambda current_a: current_a >= 49)
        one.send(STOP)
        one.until_current(lambda current_a: current_a == 0)
        assert min(other.listen(1.5)) >= 49


def test_without_keepalive_silence_changes_nothing(tool):
    tool.send(SET_LIMIT, bytes([50, 0]))
    tool.send(START)
    tool.until_current(lambda current_a: current_a >= 49)
    assert min(tool.listen(7.0)) >= 49


def test_after_a_keepalive_silence_falls_to_zero_and_opens_until_one_is_heard(tool):
    tool.send(KEEPALIVE, bytes([1, 0]))
    tool.send(SET_LIMIT, bytes([50, 0]))
    tool.send(START)
    tool.until_current(lambda current_a: current_a >= 49)
    tool.until_current(lambda current_a: current_a == 0, timeout_s=8)
    status = tool.statuses[-1]
    assert (status.faults, status.contactor_closed) == (Faults.KEEPALIVE_LOST, False)
    tool.send(KEEPALIVE, bytes([2, 0]))
    tool.send(START)
    tool.until_current(lambda current_a: current_a >= 40)


def test_malformed_frames_are_refused_and_the_module_goes_on(tool):
    for can_id, data in [
        (START, b"\x01"),
        (SET_LIMIT, b"\x64"),
        (SET_LIMIT, b"\x64\x00\x00"),
        (0x302, b"\xff" * 8),
        (0x7FF, b"\x00" * 8),
    ]:
        tool.send(can_id, data)
    assert tool.listen(2.2)[-1] == 0
    assert tool.statuses[-1].state is ModuleState.IDLE
    tool.send(SET_LIMIT, bytes([50, 0]))
    tool.send(START)
    tool.until_current(lambda current_a: current_a >= 49)


def test_the_linear_law_is_a_setting():
    port = udp_port()
    with charger(port, backplane_port=udp_port(), CHARGER_RAMP_LAW="linear"), tool_on(port) as tool:
        tool.until_current(lambda current_a: current_a == 0)
        tool.send(SET_LIMIT, bytes([100, 0]))
        tool.send(START)
        climb_a = [a for a in tool.listen(4.2) if 0 < a < 98]
        steps_a = [after - before for before, after in itertools.pairwise(climb_a)]
        assert steps_a
        assert all(17 <= step_a <= 23 for step_a in steps_a)


def test_wrong_settings_are_named_and_end_it():
    environ = {"CHARGER_RAMP_LAW": "cubic", "CAN_BACKPLANE_PORT": "0"}
    ended = subprocess.run(
        [sys.executable, "-m", "charger"],
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert ended.returncode == 2
    assert "CHARGER_RAMP_LAW" in ended.stderr
    assert "CAN_BACKPLANE_PORT" in ended.stderr


if __name__ == "__main__":
    namespace_port = udp_port()
    with (
        charger(namespace_port, backplane_port=udp_port()),
        tool_on(namespace_port, "udp_multicast") as foreign_tool,
    ):
        foreign_tool.until_current(lambda current_a: current_a == 0)
        [(peak_a, rest_a)] = drive_base_scenario(foreign_tool, cycles=1)
        assert max(peak_a) >= 85
        assert rest_a[-1] == 0
