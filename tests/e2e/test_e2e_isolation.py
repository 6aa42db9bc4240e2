"""Buses do not hear each other: within a bench, and between two."""

import os
import signal
import time
from collections.abc import Callable

import can
import httpx

from bench_process import BenchProcess
from chassis.can_bus import MulticastBus
from contracts import can_frames
from real_parts import wait_until

LATEST = """
SELECT charge_point_id, (array_agg(current_a ORDER BY at DESC))[1] FROM dash.metrics
WHERE origin = 'can' AND at > now() - interval '10 s' GROUP BY 1
"""


def _currents(bench: BenchProcess) -> dict[str, float]:
    return dict(bench.query(LATEST))


def _start_everywhere(bench: BenchProcess, names: list[str]) -> None:
    for name in names:
        for action, payload in (
            (
                "SetChargingProfile",
                {
                    "connectorId": 1,
                    "csChargingProfiles": {
                        "chargingProfileId": 1,
                        "stackLevel": 0,
                        "chargingProfilePurpose": "TxDefaultProfile",
                        "chargingProfileKind": "Relative",
                        "chargingSchedule": {
                            "chargingRateUnit": "A",
                            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 50}],
                        },
                    },
                },
            ),
            ("RemoteStartTransaction", {"idTag": "BENCH", "connectorId": 1}),
        ):
            answer = httpx.post(
                f"{bench.described['csms_api']}/api/charge-points/{name}/commands",
                json={"action": action, "payload": payload},
                headers=bench.token,
                timeout=30,
                trust_env=False,
            )
            assert answer.json()["outcome"] == "Accepted", answer.text


def test_a_rogue_stop_on_one_bus_stops_one_of_eight(make_bench: Callable[..., BenchProcess]) -> None:
    """0x201 by a strange node on CP-3's bus: CP-3 falls to 0 A and stays there, the other seven go on."""
    bench = make_bench(8, "--scenario-plan", "none")
    names = [f"CP-{number}" for number in range(1, 9)]

    def connected() -> bool:
        found = bench.get("csms_api", "/api/charge-points")
        return {entry["charge_point_id"] for entry in found if entry["connected"]} == set(names)

    wait_until(connected, timeout_s=40, what="eight charge points")
    wait_until(lambda: set(_currents(bench)) == set(names), timeout_s=30, what="a module for each")
    _start_everywhere(bench, names)
    wait_until(
        lambda: min(_currents(bench).get(name, 0) for name in names) > 40, timeout_s=30, what="eight at 50 A"
    )

    rogue = MulticastBus(port=bench.described["can_base_port"] + 2 * 4)
    try:
        rogue.send(can.Message(arbitration_id=can_frames.STOP_ID, is_extended_id=False))
    finally:
        rogue.shutdown()

    others = [name for name in names if name != "CP-3"]
    wait_until(lambda: _currents(bench).get("CP-3", 99) < 1, timeout_s=20, what="CP-3 to stop")
    for _ in range(5):  # and it stays so, second after second
        time.sleep(1)
        now = _currents(bench)
        assert now.get("CP-3", 0) < 1
        assert min(now.get(name, 0) for name in others) > 40


def test_two_benches_do_not_hear_each_other(make_bench: Callable[..., BenchProcess]) -> None:
    """The second bench moves its ports and says so; each sees its own two charge points only."""
    first = make_bench()
    second = make_bench()
    assert "is guarded by" in second.output()
    assert first.described["can_base_port"] != second.described["can_base_port"]
    for bench, other in ((first, second), (second, first)):
        wait_until(
            lambda bench=bench: set(_currents(bench)) == {"CP-1", "CP-2"}, timeout_s=30, what="readings"
        )
        assert bench.described["ocpp"] != other.described["ocpp"]
    # Stopping one bench's charger silences that bench alone.
    charger = first.pid("charger")
    os.kill(charger, signal.SIGSTOP)
    try:
        wait_until(lambda: _currents(first) == {}, timeout_s=30, what="the first bench to fall silent")
        assert set(_currents(second)) == {"CP-1", "CP-2"}
    finally:
        os.kill(charger, signal.SIGCONT)
