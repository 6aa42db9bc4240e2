"""Which charge points a data set has, what is lived at them, and which scenarios run when: all from seeds."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chargepoint.smart_charging import Supply
from charger.vehicle import Vehicle
from csms.mix import DrawnRun, Mix, course
from csms.scenario import RemoteStart, Scenario
from lab.life.cars import GRID_V, charging_s, dc_car
from lab.life.equipment import equipment
from lab.life.profile import AC_ONE_PHASE, AC_THREE_PHASES, DC, Profile
from lab.life.session import Session
from lab.life.sessions import AC_RATED_A, DC_RATED_A, sessions
from lab.simulated.gatherings import FEWEST, Gathering, gatherings
from lab.simulated.plan import ChargePointPlan, ScenarioRun

BEGIN_AT = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
DC_SUPPLY = Supply(DC_RATED_A, 400.0)
DAY_S = 86_400.0
CALM_S = 120.0
"""A scenario begins no earlier after a session's start than that, or after the end of the one before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a data set is made of; equal ones give equal data sets.

    At each charge point one of the `scenarios`, drawn evenly, runs about every `every_h` hours for `lasts_s`
    (None: as long as its file says): within a session, or between two where it starts its own transactions.
    Those that need several charge points in phase run at some of them, one about every `every_h` hours.
    With a `mix`, of these scenarios, each charge point lives the course that the mix has for it on a bench,
    with pauses at least as long as its own.
    """

    charge_points: int
    days: float
    seed: int
    scenarios: tuple[Scenario, ...] = ()
    every_h: float = 24.0
    lasts_s: float | None = None
    mix: Mix | None = None
    sample_interval_s: int = 10
    ac_share: float = 0.0
    """Of the charge points: alternating current, at work; scenarios run at the others alone."""

    @property
    def lasts_in_all_s(self) -> float:
        """From begin to end."""
        return self.days * DAY_S


def plan(fleet: Fleet, number: int) -> ChargePointPlan:
    """Return the plan of the charge point with this number, from 0 on."""
    rng = _rng(fleet, number)
    profile = _profile(fleet, rng)
    is_dc = profile.kind == "dc"
    together = [one for one in _gatherings(fleet) if number in one.members]
    lived = [
        session
        for session in sessions(number, seed=fleet.seed, days=fleet.days, profile=profile, begin_at=BEGIN_AT)
        if not any(one.is_near(session.plug_s, session.leave_s, CALM_S) for one in together)
    ]
    quirks = equipment(number, seed=fleet.seed, profile=profile)
    return ChargePointPlan(
        charge_point_id=name(number),
        supply=DC_SUPPLY if is_dc else Supply(AC_RATED_A, GRID_V, profile.phases),
        ratings=quirks.ratings,
        noise_sd_a=quirks.noise_sd_a,
        bias_a=quirks.bias_a,
        saw_tooth=quirks.saw_tooth,
        overshoot=quirks.overshoot,
        plugged=False,
        sample_interval_s=fleet.sample_interval_s,
        sessions=[session for session in lived if session.leave_s < fleet.lasts_in_all_s],
        runs=_in_order(_runs(fleet, number, lived, together, rng), together, number) if is_dc else (),
    )


def _gatherings(fleet: Fleet) -> Iterator[Gathering]:
    return gatherings(
        [scenario for scenario in fleet.scenarios if scenario.together and fleet.mix is None],
        _members(fleet),
        seed=fleet.seed,
        days=fleet.days,
        every_h=fleet.every_h,
        lasts_s=fleet.lasts_s,
        calm_s=CALM_S,
    )


def can_gather(fleet: Fleet) -> bool:
    """Return whether there are enough charge points for scenarios that need several."""
    return len(_members(fleet)) >= FEWEST


def _members(fleet: Fleet) -> list[int]:
    numbers = range(fleet.charge_points)
    return [number for number in numbers if _profile(fleet, _rng(fleet, number)).kind == "dc"]


def _in_order(
    runs: Iterable[ScenarioRun], together: Iterable[Gathering], number: int
) -> tuple[ScenarioRun, ...]:
    gathered = (
        ScenarioRun(
            run_id=one.run_id,
            scenario=one.scenario,
            start_s=one.start_s,
            seed=one.seed,
            lasts_s=one.lasts_s,
            charge_point_ids=tuple(map(name, one.members)),
            car=visiting_car(one.seed + number),
        )
        for one in together
    )
    return tuple(sorted((*runs, *gathered), key=lambda run: run.start_s))


def name(number: int) -> str:
    """Return the identity of the charge point with this number, from 0 on."""
    return f"CP-{number + 1}"


def _rng(fleet: Fleet, number: int) -> random.Random:
    return random.Random(f"{fleet.seed}/{name(number)}/plan")


def _profile(fleet: Fleet, rng: random.Random) -> Profile:
    if rng.random() >= fleet.ac_share:
        return DC
    return rng.choice((AC_ONE_PHASE, AC_THREE_PHASES))


def visiting_car(seed: int) -> Vehicle:
    """Return a car for a scenario's own transactions, which takes the scenario's currents for a while."""
    rng = random.Random(seed)
    return dc_car(
        rng, rng.uniform(10.0, 50.0), rng.uniform(40_000.0, 100_000.0), rng.uniform(60_000.0, 180_000.0)
    )


def starts_transactions(scenario: Scenario) -> bool:
    """Return whether it needs a car of its own, since it starts transactions."""
    return any(isinstance(step, RemoteStart) for step in (*scenario.prepare, *scenario.steps))


def _runs(
    fleet: Fleet,
    number: int,
    lived: Sequence[Session],
    together: Sequence[Gathering],
    rng: random.Random,
) -> Iterator[ScenarioRun]:
    due_s = 0.0
    for drawn in _drawn(fleet, name(number), rng):
        due_s += drawn.pause_s
        if due_s >= fleet.lasts_in_all_s:
            return
        scenario, seed, lasts_s = drawn.scenario, drawn.seed, fleet.lasts_s or drawn.lasts_s
        start_s = _fitting(scenario, lived, due_s, lasts_s)
        if start_s is None:
            return
        due_s = start_s + lasts_s + CALM_S
        if any(one.is_near(start_s, start_s + lasts_s, CALM_S) for one in together):
            continue
        yield ScenarioRun(
            run_id=f"{scenario.name}/{name(number)}/{seed}",
            scenario=scenario,
            start_s=start_s,
            parameters=drawn.parameters,
            seed=seed,
            lasts_s=lasts_s,
            car=visiting_car(seed) if starts_transactions(scenario) else None,
        )


def _drawn(fleet: Fleet, charge_point_id: str, rng: random.Random) -> Iterator[DrawnRun]:
    """Yield, without end, what runs at a charge point, and after which pause."""
    if fleet.mix is not None:
        known = {scenario.name: scenario for scenario in fleet.scenarios}
        yield from course(fleet.mix, known, fleet.seed, charge_point_id)
    alone = [scenario for scenario in fleet.scenarios if not scenario.together]
    while alone:
        pause_s = rng.expovariate(1 / (fleet.every_h * 3600.0))
        scenario = rng.choice(alone)
        seed = rng.randrange(2**31)
        yield DrawnRun(scenario=scenario, parameters={}, seed=seed, lasts_s=scenario.lasts_s, pause_s=pause_s)


def _fitting(scenario: Scenario, lived: Sequence[Session], due_s: float, lasts_s: float) -> float | None:
    """Return the first instant from `due_s` on at which the scenario has its place; None: there is none."""
    if starts_transactions(scenario):
        free_s = 0.0
        for session in lived:
            start_s = max(due_s, free_s + CALM_S)
            if start_s + lasts_s + CALM_S < session.plug_s:
                return start_s
            free_s = session.leave_s
        return None
    for session in lived:
        start_s = max(due_s, session.plug_s + CALM_S)
        if start_s + lasts_s < _charged_s(session):
            return start_s
    return None


def _charged_s(session: Session) -> float:
    """Return about when a session's charging ends if nothing limits it."""
    if session.vehicle is None or session.energy_wh is None:
        return session.stop_s
    needed_s = charging_s(session.vehicle, session.energy_wh, DC_RATED_A)
    return min(session.stop_s, session.plug_s + session.tag_after_s + needed_s)
