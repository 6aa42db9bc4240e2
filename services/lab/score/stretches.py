"""The stretches of life that are judged: who lives them, and which scenario runs. All from seeds."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from charger import noise
from charger.power_stage import Ratings
from charger.ramp import LinearRamp
from charger.vehicle import Vehicle
from csms.scenario import Parameter, Scenario
from lab.life.equipment import BIAS_A, NOISE_SD_A
from lab.simulated import fleet
from lab.simulated.fleet import Fleet
from lab.simulated.plan import ChargePointPlan, ScenarioRun

LEAD_S = (300.0, 900.0)
"""Benign life before a scenario begins: drawn, so that nothing can count on it."""
TAIL_S = 240.0
RAMPS_A_PER_S = (10.0, 20.0, 25.0)
"""Linear ramps: a real car's, IEC 61851-23's least, EVerest's."""
INTERVALS_S = (1, 10, 60)
"""Between MeterValues: the bench's own, and what real stations are set to."""
LOSSES = (0.0, 0.02, 0.05)
BENIGN = "benign life"
SPREAD = 2.0
"""Parameters are drawn around their defaults by this factor, if no other is asked for."""
_USUAL_S = 300.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What is judged in one row of the table."""

    name: str
    number: str = ""
    accepted: frozenset[str] = frozenset()
    """Names that are right; empty: it provokes nothing, every alarm is false."""
    lasts_s: float = _USUAL_S
    together: bool = False


@dataclass(frozen=True, slots=True)
class Stretch:
    """Life at some charge points together, for so long."""

    plans: tuple[ChargePointPlan, ...]
    seed: int
    lasts_s: float

    @property
    def days(self) -> float:
        """Charge-point-days."""
        return len(self.plans) * self.lasts_s / 86_400


def kind_of(scenario: Scenario) -> Kind:
    """Return what a scenario's file says of how it is to be judged."""
    said = msgspec.structs.asdict(scenario)
    anomaly = scenario.anomaly
    accepted = frozenset(said.get("accepted") or ()) | ({anomaly} if anomaly else set())
    return Kind(
        scenario.name,
        said.get("number") or "",
        accepted if anomaly else frozenset(),
        float(said.get("lasts_s") or _USUAL_S),
        bool(said.get("together")),
    )


def of_scenario(scenario: Scenario, seed: int, spread: float = SPREAD) -> Stretch:
    """Return a run of a scenario within benign life; parameters, equipment and the moment are drawn."""
    kind = kind_of(scenario)
    rng = random.Random(f"{scenario.name}/{seed}")
    count = rng.choice((3, 5, 8)) if kind.together else 1
    start_s = rng.uniform(*LEAD_S)
    ids = tuple(f"CP-{number}" for number in range(1, count + 1))
    run_seed = rng.randrange(2**31)
    parameters = drawn(scenario.parameters, rng, spread)
    plans = []
    for charge_point_id in ids:
        run = ScenarioRun(
            run_id=f"{scenario.name}/{seed}",
            scenario=scenario,
            start_s=start_s,
            parameters=parameters,
            seed=run_seed,
            lasts_s=kind.lasts_s,
            charge_point_ids=ids,
            car=car(rng),
        )
        plans.append(_equipped(charge_point_id, rng, run))
    return Stretch(tuple(plans), seed, start_s + kind.lasts_s + TAIL_S)


def of_benign_life(seed: int, days: float) -> Stretch:
    """Return the life of one charge point with nothing wrong."""
    rng = random.Random(f"benign/{seed}")
    lived = Fleet(charge_points=1, days=days, seed=seed, sample_interval_s=rng.choice(INTERVALS_S))
    return Stretch((fleet.plan(lived, seed),), seed, lived.lasts_in_all_s)


def drawn(parameters: dict[str, Parameter], rng: random.Random, spread: float = SPREAD) -> dict[str, float]:
    """Return a value for each parameter: around its default by a factor, within its range."""
    values = {}
    for name, parameter in parameters.items():
        low = max(parameter.minimum, parameter.default / spread)
        high = min(parameter.maximum, parameter.default * spread)
        values[name] = (
            low if high <= low else low * (high / low) ** rng.random() if low > 0 else rng.uniform(low, high)
        )
    return values


def _equipped(charge_point_id: str, rng: random.Random, run: ScenarioRun) -> ChargePointPlan:
    ratings = Ratings(ramp=LinearRamp(rng.choice(RAMPS_A_PER_S))) if rng.random() < 0.5 else Ratings()
    return equipped(charge_point_id, rng, run, ratings)


def equipped(
    charge_point_id: str,
    rng: random.Random,
    run: ScenarioRun,
    ratings: Ratings,
    losses: Sequence[float] = LOSSES,
) -> ChargePointPlan:
    """Return a charge point for a run: its sensor, its interval and its share of lost frames are drawn."""
    return ChargePointPlan(
        charge_point_id=charge_point_id,
        ratings=ratings,
        noise_sd_a=rng.uniform(*NOISE_SD_A),
        bias_a=rng.uniform(-BIAS_A, BIAS_A),
        sample_interval_s=rng.choice(INTERVALS_S),
        frames_lost_share=rng.choice(losses),
        plugged=False,
        runs=(run,),
    )


def car(rng: random.Random) -> Vehicle:
    """Return one that comes with little, so that it takes what it is offered."""
    return Vehicle(
        soc_percent=rng.uniform(10.0, 40.0),
        cars_to_come=noise.seeded(rng.randrange(2**31)),
        capacity_wh=rng.uniform(60_000.0, 100_000.0),
        peak_w=rng.uniform(80_000.0, 180_000.0),
    )
