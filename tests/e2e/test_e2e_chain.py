"""The chain end to end: what a newcomer must see within a minute of `make demo`."""

import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from bench_process import BenchProcess
from chassis import identity
from real_parts import wait_until

SECONDS = 75.0
"""A minute from the services' start, and what the start itself takes on a slow machine."""


def test_current_swings_from_0_to_85_a_and_back(bench: BenchProcess) -> None:
    """CP-1 lives the base scenario, cycle after cycle."""

    def cycles() -> bool:
        rows = bench.query(
            "SELECT current_a FROM dash.metrics WHERE charge_point_id = 'CP-1' AND origin = 'can' ORDER BY at"
        )
        states = [current > 85 for (current,) in rows if current > 85 or current < 5]
        rises = sum(not before and after for before, after in itertools.pairwise(states))
        return rises >= 3

    wait_until(cycles, timeout_s=SECONDS, what="three swings of CP-1's current")


def test_anomaly_is_everywhere_and_only_at_cp_1(bench: BenchProcess) -> None:
    """The fluctuation stands in PostgreSQL, the viewer and the page's API, named, graded, explained."""
    wait_until(
        lambda: bool(bench.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-1'")),
        timeout_s=SECONDS,
        what="the anomaly in PostgreSQL",
    )
    kind, severity, deviation, pattern = bench.query(
        "SELECT kind, severity, deviation, pattern::text FROM dash.anomalies WHERE charge_point_id = 'CP-1'"
    )[0]
    assert kind == "repeated-current-fluctuation"
    assert severity in {"info", "warning", "critical"}
    assert deviation > 50
    assert "period_s" in pattern

    viewer = subprocess.run(
        [sys.executable, "-m", "memorybank.viewer", "--anomalies", "5"],
        env={**os.environ, "CHARGEBENCH_HOME": str(bench.home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert "repeated-current-fluctuation" in viewer.stdout
    assert "CP-1" in viewer.stdout

    anomalies = bench.get("memorybank_api", "/api/anomalies?charge_point_id=CP-1")
    assert anomalies["items"][0]["kind"] == "repeated-current-fluctuation"
    assert not bench.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-2'")


def test_cp_2_charges_without_alarm(bench: BenchProcess) -> None:
    """The benign contrast really charges."""
    wait_until(
        lambda: bool(
            bench.query(
                "SELECT 1 FROM dash.metrics WHERE charge_point_id = 'CP-2' AND current_a > 20 LIMIT 1"
            )
        ),
        timeout_s=SECONDS,
        what="CP-2 to charge",
    )
    assert not bench.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-2'")


def test_every_kind_of_memory_is_filled(bench: BenchProcess) -> None:
    """Events of CAN and OCPP, metrics of both origins, sessions with energy, labels of the truth."""
    for what, sql in {
        "CAN frames": "SELECT 1 FROM memory.events WHERE kind = 'can_frame_seen' LIMIT 1",
        "OCPP messages": "SELECT 1 FROM memory.events WHERE kind = 'ocpp_message_seen' LIMIT 1",
        "system events": "SELECT 1 FROM memory.events WHERE kind = 'system_event' LIMIT 1",
        "metrics by OCPP": "SELECT 1 FROM dash.metrics WHERE origin = 'ocpp' AND voltage_v > 0 LIMIT 1",
        "sessions": "SELECT 1 FROM dash.sessions WHERE ended_at IS NOT NULL AND energy_wh > 0 LIMIT 1",
        "ground truth": "SELECT 1 FROM truth.labels LIMIT 1",
    }.items():
        wait_until(lambda sql=sql: bool(bench.query(sql)), timeout_s=SECONDS, what=what)


def test_only_loopback_listens(bench: BenchProcess) -> None:
    """No TCP port of any process is open to another machine; CAN is bound to its group on loopback."""
    pids = set(bench.described["processes"].values())
    for pid in list(pids):
        pids |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
    listening = [
        connection
        for connection in psutil.net_connections("inet")
        if connection.pid in pids
        and (connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM)
    ]
    assert listening
    # A node of a bus has an address of its own within 127.0.0.0/8.
    elsewhere = {ip for ip in (connection.laddr.ip for connection in listening) if not ip.startswith("127.")}
    assert elsewhere <= {"239.74.163.2"}
    # The kernel lists group memberships by interface: ours stand under lo alone.
    group = f"{struct.unpack('=I', socket.inet_aton('239.74.163.2'))[0]:08X}"
    interface = ""
    for line in Path("/proc/net/igmp").read_text(encoding="ascii").splitlines():
        if re.match(r"^\d", line):
            interface = line.split()[1]
        assert group not in line or interface == "lo"


@contextmanager
def _packet_sniffer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as sniffer:
        sniffer.settimeout(5)  # the frames of a second come at once
        yield sniffer


@pytest.mark.skipif(os.geteuid() != 0, reason="looking at other interfaces needs root")
def test_no_can_frame_leaves_loopback(bench: BenchProcess) -> None:
    """Of the packets that this machine sends in some seconds, those to the CAN group are on lo alone."""
    interfaces: dict[str, int] = {}
    group = socket.inet_aton("239.74.163.2")
    # Containers on this machine may have buses of their own; their packets pass, but are not ours.
    ours = {socket.inet_aton(address) for address in ("127.0.0.1", *identity.own_addresses())}
    with _packet_sniffer() as sniffer:
        while interfaces.get("lo", 0) < 100:
            packet, address = sniffer.recvfrom(2048)
            if packet[16:20] == group and packet[12:16] in ours:
                interfaces[address[0]] = interfaces.get(address[0], 0) + 1
    assert set(interfaces) == {"lo"}


def test_a_foreign_page_cannot_start_a_scenario(bench: BenchProcess) -> None:
    """Neither the CSMS nor the console takes a state change from another origin or without the token."""
    body = json.dumps({"scenario": "repeated-current-fluctuation", "charge_point_ids": ["CP-2"]})
    for address in ("csms_api", "console"):
        url = bench.described[address].rstrip("/") + "/api/scenario-runs"
        for headers in (
            {"Origin": "http://evil.example", "Content-Type": "application/json", **bench.token},
            {"Content-Type": "application/json"},
            {"Content-Type": "text/plain", **bench.token},
            {"Host": "evil.example", "Content-Type": "application/json", **bench.token},
        ):
            answer = httpx.post(url, content=body, headers=headers, trust_env=False)
            assert answer.status_code in {403, 415}, (url, headers, answer.text)
    runs = bench.get("csms_api", "/api/scenario-runs")
    running = {
        run["scenario"] for run in runs if run["state"] == "running" and "CP-2" in run["charge_point_ids"]
    }
    assert running == {"benign-charging"}
