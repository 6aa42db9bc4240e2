"""Judging stretches of life, in worker processes: each lives its stretch once, before all judges."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from contracts.events import ScenarioLabel
from csms.scenario import Scenario
from lab import pool
from lab.score import stretches
from lab.score.foreign import Foreign
from lab.score.judges import Baselines, Ours
from lab.score.matching import judged
from lab.score.stretches import BENIGN, Kind, Stretch
from lab.score.tally import Tally
from lab.score.truth import true_events
from lab.simulated.bench import Bench
from memorybank.detector import AnyDetector

OURS = "ChargeBench"
BEGIN_AT = datetime(2026, 1, 5, tzinfo=UTC)
LOOK_EVENTS = 5000
"""Between two looks at whether to go on."""


@dataclass(frozen=True, slots=True)
class Task:
    """One stretch to be lived: a run of a scenario, or (None) so many days of benign life.

    `judges` are those of the jury's sets of detectors that look at it; each costs as much as living it.
    """

    scenario: Scenario | None
    seed: int
    judges: tuple[str, ...] = (OURS,)
    days: float = 0.0
    spread: float = stretches.SPREAD

    @property
    def kind(self) -> Kind:
        """The row that it belongs to."""
        return Kind(BENIGN) if self.scenario is None else stretches.kind_of(self.scenario)


@dataclass(frozen=True, slots=True)
class Jury:
    """Who judges: sets of detectors by name, and the baselines if they have thresholds."""

    detectors: Mapping[str, tuple[AnyDetector, ...]]
    thresholds: Mapping[str, float] = field(default_factory=dict)
    foreign: str = ""
    """The command of somebody else's detector, if there is one; it is the name of its tallies, too."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the judges did on one stretch."""

    kind: Kind
    tallies: dict[str, Tally]
    lived_s: float
    complaints: Mapping[str, int] = field(default_factory=dict)
    """What was wrong with the foreign detector, by reason."""


def calibrated(names: Iterable[str], seed: int, days: float) -> dict[str, float]:
    """Return the thresholds of these baselines, from so many days of benign life."""
    stretch = stretches.of_benign_life(seed, days)
    baselines = Baselines(names, seed)
    for event in _bench(stretch).run(stretch.lasts_s):
        baselines.take(event)
    return baselines.thresholds(stretch.days)


def outcome(task: Task, jury: Jury) -> Outcome:
    """Live a stretch and return what each judge did."""
    kind = task.kind
    stretch = (
        stretches.of_benign_life(task.seed, task.days)
        if task.scenario is None
        else stretches.of_scenario(task.scenario, task.seed, task.spread)
    )
    ours = {name: Ours(jury.detectors[name]) for name in task.judges}
    theirs = Baselines(jury.thresholds, task.seed, jury.thresholds) if jury.thresholds else None
    foreign = Foreign(jury.foreign) if jury.foreign else None
    judges = [judge for judge in (*ours.values(), theirs, foreign) if judge is not None]
    labels: list[ScenarioLabel] = []
    bench = _bench(stretch)
    try:
        for number, event in enumerate(bench.run(stretch.lasts_s)):
            if number % LOOK_EVENTS == 0:
                pool.look()
            if isinstance(event, ScenarioLabel):
                labels.append(event)
                continue
            for judge in judges:
                judge.take(event)
    finally:
        if foreign is not None:
            foreign.close()
    until = BEGIN_AT + timedelta(seconds=stretch.lasts_s)
    events = true_events(labels, {kind.name: kind.accepted}, until)
    alarms = {name: judge.alarms for name, judge in ours.items()} | (theirs.alarms if theirs else {})
    if foreign is not None:
        alarms[jury.foreign] = foreign.alarms
    tallies = {}
    for name, raised in alarms.items():
        tallies[name] = Tally()
        tallies[name].add(judged(events, raised), stretch.days)
    return Outcome(
        kind, tallies, sum(one.lived_s for one in bench.charge_points), foreign.complaints if foreign else {}
    )


def outcomes(
    tasks: Iterable[Task], jury: Jury, workers: int, tell: Callable[[int], None]
) -> Iterator[Outcome]:
    """Yield the outcome of each task as it comes; `tell` is given how many are done."""
    with pool.pool(workers) as processes:
        yield from pool.results([processes.submit(outcome, task, jury) for task in tasks], tell)


def _bench(stretch: Stretch) -> Bench:
    return Bench(stretch.plans, seed=stretch.seed, begin_at=BEGIN_AT)
