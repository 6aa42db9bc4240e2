"""How soon the base scenario is found at every pace and height, where a share of the frames is lost.

The scenario's own cycle, stretched to a period and raised to a limit, at charge points of either ramp law.
The delay is from the first command to the first alarm of the scenario's own name: other right names, by
which its runs are found too, do not count here.
"""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from statistics import median
from typing import Any

from charger.power_stage import Ratings
from charger.ramp import LinearRamp
from contracts.events import ScenarioLabel
from csms.scenario import Scenario
from lab import pool
from lab.score.judges import Ours
from lab.score.stretches import RAMPS_A_PER_S, Stretch, car, equipped
from lab.score.work import BEGIN_AT
from lab.simulated.bench import Bench
from lab.simulated.plan import ScenarioRun
from memorybank.detector import AnyDetector

PERIODS_S = (4.0, 6.0, 8.0, 12.0, 16.0, 30.0, 60.0)
LIMITS_A = (10.0, 20.0, 50.0, 100.0)
LAWS = ("exponential", "linear")
LOST_SHARE = 0.05
GOAL_S, GOAL_PERIODS = 16.0, 2.0
"""The median delay is good up to so many seconds, or so many periods where these are longer (issue 5)."""
_BEGINS_S = (60.0, 120.0)
_CYCLES = 5
_STEPS = ("low_s", "start_s", "charge_s", "pause_s")
"""The parameters that make a period together."""


@dataclass(frozen=True, slots=True)
class Pace:
    """One cell: a ramp law, a period, an upper limit; the lower one is 0 A."""

    law: str
    period_s: float
    limit_a: float

    @property
    def goal_s(self) -> float:
        """The longest median delay that is good."""
        return max(GOAL_S, GOAL_PERIODS * self.period_s)


def measured(
    scenario: Scenario,
    detectors: Sequence[AnyDetector],
    *,
    runs: int,
    seeds_from: int,
    workers: int,
    tell: Callable[[int], None],
) -> list[dict[str, Any]]:
    """Live so many runs of each pace; return a row each (section `paces` of score.json).

    `tell` is given how many paces are done.
    """
    seeds = range(seeds_from, seeds_from + runs)
    with pool.pool(workers) as processes:
        futures = {pace: processes.submit(delays_s, scenario, pace, seeds, detectors) for pace in all_paces()}
        for _ in pool.results(futures.values(), tell):
            pass
        return [row(pace, future.result()) for pace, future in futures.items()]


def all_paces() -> list[Pace]:
    """Return every cell of the table."""
    return [Pace(*cell) for cell in product(LAWS, PERIODS_S, LIMITS_A)]


def row(pace: Pace, delays_s: Sequence[float | None]) -> dict[str, Any]:
    """Return a pace's figures; a run that was not found (None) counts as found after all others."""
    found = sorted(delay_s for delay_s in delays_s if delay_s is not None)
    middle = median([*found, *[float("inf")] * (len(delays_s) - len(found))])
    return {
        "law": pace.law,
        "period_s": pace.period_s,
        "limit_a": pace.limit_a,
        "runs": len(delays_s),
        "found": len(found),
        "median_s": middle if middle < float("inf") else None,
        "longest_s": found[-1] if found else None,
        "goal_s": pace.goal_s,
        "met": middle <= pace.goal_s,
    }


def stretch(scenario: Scenario, pace: Pace, seed: int) -> Stretch:
    """Return a run at a pace; all that the pace does not say is drawn."""
    rng = random.Random(f"{pace}/{seed}")
    start_s = rng.uniform(*_BEGINS_S)
    ramp = LinearRamp(rng.choice(RAMPS_A_PER_S))
    run = ScenarioRun(
        run_id=f"{scenario.name}/{seed}",
        scenario=scenario,
        start_s=start_s,
        parameters=_parameters(scenario, pace),
        seed=rng.randrange(2**31),
        lasts_s=_CYCLES * pace.period_s,
        car=car(rng),
    )
    ratings = Ratings(ramp=ramp) if pace.law == "linear" else Ratings()
    plan = equipped("CP-1", rng, run, ratings, (LOST_SHARE,))
    return Stretch((plan,), seed, start_s + _CYCLES * pace.period_s)


def _parameters(scenario: Scenario, pace: Pace) -> Mapping[str, float]:
    usual_s = sum(scenario.parameters[name].default for name in _STEPS)
    steps = {name: scenario.parameters[name].default * pace.period_s / usual_s for name in _STEPS}
    return {**steps, "low_a": 0.0, "high_a": pace.limit_a}


def delays_s(
    scenario: Scenario, pace: Pace, seeds: Iterable[int], detectors: Iterable[AnyDetector]
) -> list[float | None]:
    """Live a run of each seed; return its delay from the first command, None where it was not found."""
    return [_delay_s(scenario, stretch(scenario, pace, seed), detectors) for seed in seeds]


def _delay_s(scenario: Scenario, lived: Stretch, detectors: Iterable[AnyDetector]) -> float | None:
    ours, commanded_at = Ours(detectors), None
    bench = Bench(lived.plans, seed=lived.seed, begin_at=BEGIN_AT)
    for event in bench.run(lived.lasts_s):
        if isinstance(event, ScenarioLabel):
            commanded_at = commanded_at or event.at
            continue
        ours.take(event)
    pool.look()
    alarms = [alarm.at for alarm in ours.alarms if alarm.kind == scenario.anomaly]
    if commanded_at is None or not alarms or alarms[0] < commanded_at:
        return None
    return (alarms[0] - commanded_at).total_seconds()
