"""Scenarios of every layer on the whole bench, side by side: each is found under a right name.

All of the catalogue, with the hard negatives, runs in tests/soak/test_soak_scenarios.py.
"""

from collections.abc import Callable

import pytest

from bench_process import BenchProcess
from real_parts import wait_until
from real_runs import Lane, Wanted, count, live

_SOON = {"before_s": 20.0}
"""Charging as it should be, before it begins; less is not allowed."""

_APART_S = 2.0
"""The commands of a mass step come within 1.5 s."""


def _lanes() -> list[Lane]:
    """About as long each; in none of them a run is rightly called what was told there shortly before."""
    fleet = (
        Wanted("mass-step", {"charge_s": 20, "pause_s": 10}),
        Wanted("credential-replay", {"charge_s": 20}),
        Wanted("fleet-oscillation", {**_SOON, "half_s": 3}, name="fleet-oscillation"),
    )
    flood = Wanted("zero-energy-flood", {"charge_s": 2, "pause_s": 2})
    orphan = Wanted("orphan-transaction", {"charge_s": 10, "pause_s": 5})
    storm = Wanted("stop-storm", {"charge_s": 5, "pause_s": 5})
    return [
        Lane(fleet, charge_points=3),
        Lane((storm, Wanted("profile-over-limit", _SOON), Wanted("can-command-injection", _SOON))),
        Lane(
            (Wanted("register-freeze", _SOON), Wanted("can-reading-spoof", _SOON), Wanted("can-flood", _SOON))
        ),
        Lane(
            (
                Wanted("meter-scaling", _SOON),
                Wanted("clock-desync", _SOON),
                Wanted("charge-point-impersonation", {**_SOON, "every_s": 5}),
            )
        ),
        Lane(
            (Wanted("phantom-current"), Wanted("phantom-session", _SOON), Wanted("register-unit-swap", _SOON))
        ),
        Lane((flood, Wanted("soc-spoofing", _SOON))),
        Lane((orphan, Wanted("thermal-tamper", _SOON))),
    ]


@pytest.mark.timeout(600)
def test_scenarios_are_found_under_a_right_name(make_bench: Callable[..., BenchProcess]) -> None:
    """Those that no other end-to-end test covers and that show within a minute."""
    lanes = _lanes()
    # One process for all of them: the others that tests run beside this one need the processor, too.
    bench = make_bench(count(lanes), "--scenario-plan", "none", "--per-process", str(count(lanes)))
    wait_until(lambda: len(bench.connected()) == count(lanes), timeout_s=60, what="the charge points")
    live(bench, lanes, timeout_s=180, until_found=True, apart_s=_APART_S)
