"""Many charge points in one process: `chargebench up --per-process`."""

import json
import urllib.request
from collections.abc import Callable

from bench_process import BenchProcess
from real_parts import wait_until

EACH = 10
NAMES = [f"CP-{number}" for number in range(1, 2 * EACH + 1)]
CHARGING = NAMES[::2]

_OPEN = """
SELECT charge_point_id, max(transaction_id)::int FROM dash.metrics
WHERE origin = 'ocpp' AND transaction_id IS NOT NULL AND at > now() - interval '10 s' GROUP BY 1
"""
_HEARD = (
    "SELECT count(DISTINCT charge_point_id)::int FROM dash.metrics WHERE origin = 'can' AND current_a > 5"
)
_SOURCES = "SELECT DISTINCT split_part(source, '/', 1) FROM memory.sources WHERE source LIKE 'chargepoint:%'"


def test_two_processes_are_twenty_and_a_csms_that_died_has_all_of_them_back(
    make_bench: Callable[..., BenchProcess],
) -> None:
    """Identities go on from process to process, transactions go on over the CSMS's death, nothing is lost."""
    bench = make_bench(len(NAMES), "--per-process", str(EACH), "--scenario-plan", "none")
    wait_until(lambda: bench.connected() == set(NAMES), timeout_s=60, what="all to be connected")
    assert {name for name in bench.described["processes"] if name.startswith("CP-")} == {"CP-1", "CP-11"}

    wait_until(lambda: _modules(bench) == len(NAMES), timeout_s=60, what="a module for each")
    bench.start_charging(CHARGING, limit_a=32)
    wait_until(lambda: bench.query(_HEARD) == [(len(CHARGING),)], timeout_s=60, what="current at each")
    wait_until(lambda: len(bench.query(_OPEN)) == len(CHARGING), timeout_s=60, what="transactions")
    before = dict(bench.query(_OPEN))
    assert len(set(before.values())) == len(CHARGING)

    dead = bench.kill("csms")
    wait_until(lambda: bench.pid("csms") != dead, timeout_s=60, what="another CSMS")
    wait_until(lambda: _connected(bench) == set(NAMES), timeout_s=60, what="all to be back")
    wait_until(lambda: dict(bench.query(_OPEN)) == before, timeout_s=60, what="the same transactions")

    assert {name for (name,) in bench.query(_SOURCES)} == {"chargepoint:CP-1", "chargepoint:CP-11"}
    bench.assert_nothing_lost()


def _connected(bench: BenchProcess) -> set[str]:
    try:
        return bench.connected()
    except OSError:
        return set()


def _modules(bench: BenchProcess) -> int:
    """Return how many modules the chargepoint processes hear, as their /healthz says."""
    heard = 0
    for name in ("CP-1", "CP-11"):
        url = bench.described["metrics"][name].replace("/metrics", "/healthz")
        with urllib.request.urlopen(url, timeout=10) as answer:
            heard += json.load(answer)["modules"]
    return heard
