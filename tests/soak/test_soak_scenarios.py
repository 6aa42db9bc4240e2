"""Every scenario of the catalogue on the real chain, side by side: `make real-scores`, about eleven minutes.

What repeats forever or takes longer than a detector needs is cut; all else is as the files have it.
"""

import os
from pathlib import Path

import pytest

from bench_process import started_bench
from real_parts import wait_until
from real_runs import SCENARIOS, Lane, Wanted, count, live, verdict

OUT = Path(os.environ.get("REAL_SCORES", "build/real-scores.md"))
_SOON = {"before_s": 20.0}
_CLOSED_S = 90.0
"""An anomaly closes after a minute without a sign: an alarm of the fleet's next run is a new one."""
_APART_S = 3.7
"""No divisor of a scenario's period: what repeats does not come in step with what was started before it."""
_NEGATIVE_S = 560.0


def _lanes() -> list[Lane]:
    """What takes longest begins first; of the others each has a charge point to itself."""
    lanes = [
        Lane([Wanted("stealth-drift", _SOON, 600)]),
        Lane(
            [
                Wanted("fleet-oscillation", {**_SOON, "half_s": 5}),
                Wanted("mass-step", {"charge_s": 40, "pause_s": 30}, 60, after_s=_CLOSED_S),
                Wanted("credential-replay", {"charge_s": 30}, after_s=_CLOSED_S),
            ],
            charge_points=4,
        ),
        *(
            Lane([Wanted(f"h{number}", lasts_s=_NEGATIVE_S)])
            for number in (
                "1-saw-tooth-ramp",
                "2-stepped-taper",
                "3-solar-surplus",
                "4-shared-power",
                "5-delayed-start",
                "6-phase-switch",
                "7-queued-values",
                "8-thermal-derating",
                "9-pausing-driver",
            )
        ),
        Lane([Wanted("soc-spoofing", {**_SOON, "duration_s": 300})]),
        Lane([Wanted("thermal-tamper", {**_SOON, "duration_s": 300})]),
        Lane([Wanted("profile-throttling", {**_SOON, "duration_s": 180})]),
        Lane([Wanted("repeated-current-fluctuation", lasts_s=120)]),
        Lane([Wanted("stop-storm", lasts_s=240)]),
        Lane([Wanted("zero-energy-flood", lasts_s=120)]),
        Lane([Wanted("orphan-transaction", lasts_s=240)]),
        Lane([Wanted("phantom-current")]),
    ]
    seen = {wanted.scenario for lane in lanes for wanted in lane.wanted}
    others = [name for name, scenario in SCENARIOS.items() if scenario.number and name not in seen]
    return lanes + [Lane([Wanted(name, _SOON)]) for name in others]


@pytest.mark.soak
def test_every_scenario_is_found_and_every_hard_negative_is_not() -> None:
    """Recall and names, and what was told without an event; the table is written whatever comes out."""
    lanes = _lanes()
    with started_bench(count(lanes), "--scenario-plan", "none") as bench:
        wait_until(lambda: len(bench.connected()) == count(lanes), timeout_s=120, what="the charge points")
        live(bench, lanes, timeout_s=1200, until_found=False, apart_s=_APART_S)
        outcome = verdict(bench)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(outcome.markdown(), encoding="utf-8")
    print(f"\n{outcome.markdown()}")
    assert len(outcome.found) + len(outcome.benign) == sum(len(lane.wanted) for lane in lanes)
    assert outcome.missed == []
    assert outcome.disturbed == {}
    assert outcome.strays == ()
