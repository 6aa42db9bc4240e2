"""Buses do not hear each other: within a bench, and between two."""

import os
import signal
import time
from collections.abc import Callable

import can

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


def test_a_rogue_stop_on_one_bus_stops_one_of_eight(make_bench: Callable[..., BenchProcess]) -> None:
    """0x201 by a strange node on CP-3's bus: CP-3 falls to 0 A and stays there, the other seven go on."""
    bench = make_bench(8, "--scenario-plan", "none")
    names = [f"CP-{number}" for number in range(1, 9)]

    wait_until(lambda: bench.connected() == set(names), what="eight charge points")
    wait_until(lambda: set(_currents(bench)) == set(names), what="a module for each")
    bench.start_charging(names, limit_a=50)
    wait_until(lambda: min(_currents(bench).get(name, 0) for name in names) > 40, what="eight at 50 A")

    rogue = MulticastBus(port=bench.described["can_base_port"] + 2 * 4)
    try:
        rogue.send(can.Message(arbitration_id=can_frames.STOP_ID, is_extended_id=False))
    finally:
        rogue.shutdown()

    others = [name for name in names if name != "CP-3"]
    wait_until(lambda: _currents(bench).get("CP-3", 99) < 1, what="CP-3 to stop")
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
        wait_until(lambda bench=bench: set(_currents(bench)) == {"CP-1", "CP-2"}, what="readings")
        assert bench.described["ocpp"] != other.described["ocpp"]
    # Stopping one bench's charger silences that bench alone.
    charger = first.pid("charger")
    os.kill(charger, signal.SIGSTOP)
    try:
        wait_until(lambda: _currents(first) == {}, what="the first bench to fall silent")
        assert set(_currents(second)) == {"CP-1", "CP-2"}
    finally:
        os.kill(charger, signal.SIGCONT)
