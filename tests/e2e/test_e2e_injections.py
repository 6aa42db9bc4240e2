"""Scenarios that inject, started through the CSMS's API on the whole bench: at bus, module and meter."""

from collections.abc import Callable
from typing import Any

import pytest

from bench_process import BenchProcess
from real_parts import wait_until
from real_runs import right_names

LIMIT_A = 80.0
ROGUE_A = 30.0
SCENARIOS: dict[str, tuple[str, dict[str, float]]] = {
    "CP-1": ("can-limit-injection", {"rogue_a": ROGUE_A, "every_s": 0.2}),
    "CP-2": ("can-reading-replay", {"record_s": 5}),
    "CP-3": ("register-rollback", {"back_wh": 100}),
    "CP-4": ("telemetry-dropout", {}),
}
_SEEN = {
    "CP-1": f"SELECT min(current_a) < {ROGUE_A + 5} FROM latest WHERE origin = 'can' AND charging_s > 10",
    "CP-2": "SELECT count(*) >= 9 FROM latest WHERE origin = 'can' AND age_s BETWEEN 1 AND 7",
    "CP-3": "SELECT bool_or(fell_wh > 50) FROM latest WHERE origin = 'ocpp'",
    "CP-4": "SELECT (SELECT max(at) FROM memory.metrics WHERE origin = 'can') - max(at) > interval '4 s'"
    " FROM latest WHERE origin = 'can'",
}
"""What each does, seen in the readings of its charge point since its run began."""
_FOUND = "SELECT 1 FROM memory.anomalies WHERE kind = ANY(%s) AND charge_point_id = %s AND detected_at > %s"
_WELL = f"""
SELECT count(*) FILTER (WHERE origin = 'can') BETWEEN 4 AND 7 AND count(*) FILTER (WHERE origin = 'ocpp') >= 4
  AND min(current_a) > {LIMIT_A - 5} AND max(current_a) < {LIMIT_A + 5}
  AND bool_and(fell_wh <= 0) FILTER (WHERE origin = 'ocpp')
FROM latest WHERE age_s BETWEEN 1 AND 7
"""
_LATEST = """
WITH latest AS (
  SELECT at, origin, current_a,
         extract(epoch FROM now() - at) AS age_s,
         extract(epoch FROM at - min(at) FILTER (WHERE current_a > 70) OVER ()) AS charging_s,
         lag(energy_wh) OVER (PARTITION BY origin ORDER BY at, seq) - energy_wh AS fell_wh
  FROM memory.metrics WHERE charge_point_id = %s AND at > %s
)
"""


def _shows(bench: BenchProcess, question: str, name: str, since: Any) -> bool:
    return bench.query(_LATEST + question, name, since) == [(True,)]


@pytest.mark.timeout(500)
def test_injections_are_stored_found_labelled_and_undone(make_bench: Callable[..., BenchProcess]) -> None:
    """A rogue limit, a replay, a meter that goes back, a silent module; undone when stopped."""
    bench = make_bench(len(SCENARIOS), "--scenario-plan", "none")
    wait_until(lambda: bench.connected() == SCENARIOS.keys(), what="the charge points")
    ((since,),) = bench.query("SELECT now()")
    runs = {}
    for name, (scenario, parameters) in SCENARIOS.items():
        body = {
            "scenario": scenario,
            "charge_point_ids": [name],
            "parameters": {"limit_a": LIMIT_A, "before_s": 20, **parameters},
        }
        runs[name] = bench.ask_csms("POST", "/api/scenario-runs", body)["run_id"]
    for name, question in _SEEN.items():
        wait_until(
            lambda n=name, q=question: _shows(bench, q, n, since),
            what=f"{SCENARIOS[name][0]} at {name}",
        )
    for name, (scenario, _) in SCENARIOS.items():
        asked = (list(right_names(scenario)), name, since)
        wait_until(
            lambda a=asked: bool(bench.query(_FOUND, *a)), timeout_s=60, what=f"{scenario} found at {name}"
        )
    ((stopped_at,),) = bench.query("SELECT now()")
    for run_id in runs.values():
        bench.ask_csms("DELETE", f"/api/scenario-runs/{run_id}")

    labels = (
        "SELECT scenario, anomaly, physical_started_at BETWEEN %s AND %s AND physical_ended_at >= %s"
        " FROM dash.truth_runs WHERE charge_point_id = %s AND run_id = %s"
    )
    for name, (scenario, _) in SCENARIOS.items():
        told = [(scenario, scenario, True)]
        wait_until(
            lambda n=name, t=told: bench.query(labels, since, stopped_at, since, n, runs[n]) == t,
            what=f"the label of {scenario} with when its effect began and was over",
        )

    bench.start_charging(SCENARIOS, LIMIT_A)
    for name in SCENARIOS:
        wait_until(lambda n=name: _shows(bench, _WELL, n, stopped_at), what=f"{name} as it should be")
