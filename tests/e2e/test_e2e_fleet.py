"""Many charge points in one process: `chargebench up --per-process`."""

import json
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from bench_process import BenchProcess
from real_parts import wait_until

EACH = 10
NAMES = [f"CP-{number}" for number in range(1, 2 * EACH + 1)]
CHARGING = NAMES[::2]

_CHARGING = """
SELECT count(DISTINCT charge_point_id)::int FROM dash.metrics WHERE origin = %s AND current_a > 5 AND at > %s
"""
_SOURCES = (
    "SELECT DISTINCT split_part(source, '/', 1) FROM memory.sources WHERE starts_with(source, 'chargepoint:')"
)


def test_two_processes_are_twenty_and_a_csms_that_died_has_all_of_them_back(
    make_bench: Callable[..., BenchProcess],
) -> None:
    """Identities go on from process to process, transactions go on over the CSMS's death, nothing is lost."""
    bench = make_bench(len(NAMES), "--per-process", str(EACH), "--scenario-plan", "none")
    wait_until(lambda: bench.connected() == set(NAMES), timeout_s=60, what="all to be connected")
    assert {name for name in bench.described["processes"] if name.startswith("CP-")} == {"CP-1", "CP-11"}

    wait_until(lambda: _modules(bench) == len(NAMES), timeout_s=60, what="a module for each")
    bench.start_charging(CHARGING, limit_a=32)
    wait_until(lambda: len(_transactions(bench)) == len(CHARGING), timeout_s=60, what="transactions")
    before = _transactions(bench)
    _wait_for_current(bench, "can")

    dead = bench.kill("csms")
    wait_until(lambda: bench.pid("csms") != dead, timeout_s=60, what="another CSMS")
    wait_until(lambda: _connected(bench) == set(NAMES), timeout_s=60, what="all to be back")
    _wait_for_current(bench, "ocpp")
    assert _transactions(bench) == before

    assert {name for (name,) in bench.query(_SOURCES)} == {"chargepoint:CP-1", "chargepoint:CP-11"}
    bench.assert_nothing_lost()


def _wait_for_current(bench: BenchProcess, origin: str) -> None:
    """Wait until readings made from now on, told by `origin`, have a current at each that charges."""
    since, all_of_them = datetime.now(UTC), [(len(CHARGING),)]
    wait_until(
        lambda: bench.query(_CHARGING, origin, since) == all_of_them, timeout_s=60, what="current at each"
    )


def _transactions(bench: BenchProcess) -> dict[str, int]:
    """Return the transaction of each charge point that has one, as the CSMS knows it."""
    active = bench.get("csms_api", "/api/transactions?active=true&limit=1000")
    return {entry["charge_point_id"]: entry["transaction_id"] for entry in active}


def _connected(bench: BenchProcess) -> set[str]:
    try:
        return bench.connected()
    except httpx.HTTPError:  # it is dying or not there yet
        return set()


def _modules(bench: BenchProcess) -> int:
    """Return how many modules the chargepoint processes hear, as their /healthz says."""
    heard = 0
    for name in ("CP-1", "CP-11"):
        url = bench.described["metrics"][name].replace("/metrics", "/healthz")
        with urllib.request.urlopen(url, timeout=10) as answer:
            heard += json.load(answer)["modules"]
    return heard
