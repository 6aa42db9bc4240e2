"""What a simulated charge point is and what happens at it: cars that come, scenarios that run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from chargepoint.smart_charging import Supply
from charger.power_stage import Ratings
from charger.quirks import Overshoot, SawTooth
from charger.vehicle import Vehicle
from contracts.injections import Inject
from csms.scenario import Scenario
from lab.life.session import Session

_SUPPLY = Supply(300.0, 400.0)
_RATINGS = Ratings()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRun:
    """A scenario run from `start_s` on: for so many cycles, or so many seconds, or as the scenario says."""

    run_id: str
    scenario: Scenario
    start_s: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    cycles: int | None = None
    lasts_s: float | None = None
    charge_point_ids: tuple[str, ...] = ()
    """All that take part, for the label; empty: only the one that it is planned for."""
    car: Vehicle | None = None
    """A car that is plugged at connector 1 for the time of the run; None: what stands there stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInjection:
    """An injection that begins at an instant."""

    start_s: float
    order: Inject


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargePointPlan:
    """One charge point: its equipment, its quirks, and what happens at it.

    `plugged`: whether a car stands there at the begin (as the real ones have, unless a Session is to come).
    `sessions` come one after the other at a connector and are taken as time goes by, so may be endless.
    """

    charge_point_id: str
    connectors: int = 1
    supply: Supply = _SUPPLY
    ratings: Ratings = _RATINGS
    vehicle: Vehicle | None = None
    noise_sd_a: float = 0.1
    bias_a: float = 0.0
    saw_tooth: SawTooth | None = None
    overshoot: Overshoot | None = None
    plugged: bool | None = None
    sample_interval_s: int = 1
    frames_lost_share: float = 0.0
    latency_s: float = 0.005
    """One way, between charge point and CSMS."""
    sessions: Iterable[Session] = ()
    runs: Sequence[ScenarioRun] = ()
    injections: Sequence[PlannedInjection] = ()
    """Beside those of scenarios; without a label."""
    known_id_tags: tuple[str, ...] = ()
    """Tags on the CSMS's list beside the bench's own; those of the sessions are on it too."""
