"""Which charge points a data set has, what is lived at them, and which scenarios run when: all from seeds."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from charger import noise
from charger.power_stage import Ratings
from charger.ramp import LinearRamp
from charger.vehicle import Vehicle
from csms.scenario import RemoteStart, Scenario
from lab.simulated.plan import ChargePointPlan, ScenarioRun, Session

DAY_S = 86_400.0
CALM_S = 120.0
"""A scenario begins no earlier after a session's start than that, or after the end of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a data set is made of; equal ones give equal data sets.

    At each charge point one of the `scenarios`, drawn evenly, runs about every `every_h` hours for `lasts_s`:
    within a session, or between two where it starts transactions of its own.
    """

    charge_points: int
    days: float
    seed: int
    scenarios: tuple[Scenario, ...] = ()
    every_h: float = 24.0
    lasts_s: float = 300.0
    sample_interval_s: int = 10

    @property
    def lasts_in_all_s(self) -> float:
        """From begin to end."""
        return self.days * DAY_S


def plan(fleet: Fleet, number: int) -> ChargePointPlan:
    """Return the plan of the charge point with this number, from 0 on."""
    charge_point_id = f"CP-{number + 1}"
    rng = random.Random(f"{fleet.seed}/{charge_point_id}/plan")
    ratings = Ratings(ramp=LinearRamp(rng.choice((10.0, 20.0, 25.0)))) if number % 2 else Ratings()
    sessions = list(_sessions(fleet, charge_point_id, rng))
    return ChargePointPlan(
        charge_point_id=charge_point_id,
        ratings=ratings,
        noise_sd_a=rng.uniform(0.06, 0.3),
        bias_a=rng.uniform(-0.5, 0.5),
        plugged=False,
        sample_interval_s=fleet.sample_interval_s,
        sessions=sessions,
        runs=tuple(_runs(fleet, charge_point_id, sessions, rng)),
    )


def _sessions(fleet: Fleet, charge_point_id: str, rng: random.Random) -> Iterator[Session]:
    free_s = rng.uniform(0.0, 3 * 3600.0)
    while True:
        plug_s = free_s + rng.expovariate(1 / (3 * 3600.0))
        stop_s = plug_s + rng.uniform(600.0, 3600.0)
        if stop_s >= fleet.lasts_in_all_s:
            return
        leave_s = stop_s + rng.expovariate(1 / 600.0)
        yield Session(
            plug_s=plug_s,
            stop_s=stop_s,
            leave_s=leave_s,
            vehicle=_car(rng),
            id_tag=f"{charge_point_id}-{rng.randrange(40)}"[:20],
            energy_wh=rng.uniform(10_000.0, 40_000.0),
        )
        free_s = leave_s + 60.0


def _car(rng: random.Random) -> Vehicle:
    return Vehicle(
        soc_percent=rng.uniform(10.0, 70.0),
        cars_to_come=noise.seeded(rng.randrange(2**31)),
        capacity_wh=rng.uniform(40_000.0, 100_000.0),
        peak_w=rng.uniform(60_000.0, 180_000.0),
    )


def _starts_transactions(scenario: Scenario) -> bool:
    return any(isinstance(step, RemoteStart) for step in scenario.steps)


def _runs(
    fleet: Fleet, charge_point_id: str, sessions: Sequence[Session], rng: random.Random
) -> Iterator[ScenarioRun]:
    due_s = 0.0
    while fleet.scenarios:
        due_s += rng.expovariate(1 / (fleet.every_h * 3600.0))
        if due_s >= fleet.lasts_in_all_s:
            return
        scenario = rng.choice(fleet.scenarios)
        start_s = _fitting(scenario, sessions, due_s, fleet.lasts_s)
        seed = rng.randrange(2**31)
        if start_s is None:
            return
        yield ScenarioRun(
            run_id=f"{scenario.name}/{charge_point_id}/{seed}",
            scenario=scenario,
            start_s=start_s,
            seed=seed,
            lasts_s=fleet.lasts_s,
            car=_car(rng) if _starts_transactions(scenario) else None,
        )
        due_s = start_s + fleet.lasts_s + CALM_S


def _fitting(scenario: Scenario, sessions: Sequence[Session], due_s: float, lasts_s: float) -> float | None:
    """Return the first instant from `due_s` on at which the scenario has its place; None: there is none."""
    if _starts_transactions(scenario):
        free_s = 0.0
        for session in sessions:
            start_s = max(due_s, free_s + CALM_S)
            if start_s + lasts_s + CALM_S < session.plug_s:
                return start_s
            free_s = session.leave_s
        return None
    for session in sessions:
        start_s = max(due_s, session.plug_s + CALM_S)
        if start_s + lasts_s < session.stop_s:
            return start_s
    return None
