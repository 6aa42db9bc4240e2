"""What we and foreign detectors found on a bench that runs or ran, against the truth in its memory.

All of it is one life: false alarms are those of the whole; which of them came during runs of benign scenarios
and hard negatives is told beside. What began before `since` is neither counted nor are its alarms false.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts.events import ScenarioLabel
from csms.scenario import Scenario
from lab.score.matching import Alarm, Judged, TrueEvent, judged, shared_out
from lab.score.scores import Gathered
from lab.score.stretches import Kind, kind_of
from lab.score.tally import Tally, spread
from lab.score.truth import benign_runs, true_events
from lab.score.work import OURS, Outcome
from memorybank.errors import WrongQuestion
from memorybank.filters import Filters
from memorybank.reader import Reader
from memorybank.sql import queries

WHOLE = "the whole run"
_QUERIES = queries("view.sql")


@dataclass(slots=True)
class Run:
    """What a memory holds of a stretch of time; `alarms` by judge, foreign ones by their detector's name."""

    labels: list[ScenarioLabel]
    alarms: dict[str, list[Alarm]]
    days: float
    began_at: datetime
    ended_at: datetime
    heard_after_s: dict[str, list[float]] = field(default_factory=dict)
    """By foreign detector: how much later than its verdicts say they were heard."""

    @property
    def foreign(self) -> list[str]:
        """The names of the detectors that are not ours."""
        return sorted(self.alarms.keys() - {OURS})


def read(reader: Reader, filters: Filters) -> Run:
    """Return what is remembered of a stretch; the reader must be one that may see the truth.

    Raises WrongQuestion where nothing was observed then, and StoreUnavailable.
    """
    asked = filters.narrowing("scores", "since", "until")
    run = Run([], {OURS: []}, 0.0, datetime.min.replace(tzinfo=UTC), datetime.now(UTC))
    with reader.connection() as connection:
        (observed,) = connection.execute(_QUERIES["observed"], asked)
        if observed["began_at"] is None:
            raise WrongQuestion("nothing was observed in that time")
        run.days = observed["charge_point_days"]
        run.began_at, run.ended_at = observed["began_at"], observed["ended_at"]
        for row in connection.execute(_QUERIES["labels_in_order"], asked):
            run.labels.append(msgspec.convert({**row, "seed": int(row["seed"])}, ScenarioLabel))
        for row in connection.execute(_QUERIES["alarms_in_order"], asked):
            detector = row["detector"] or OURS
            alarm = Alarm(row["charge_point_id"], row["kind"], row["at"])
            run.alarms.setdefault(detector, []).append(alarm)
            if row["detector"]:
                run.heard_after_s.setdefault(detector, []).append(row["heard_after_s"])
    return run


def gathered(run: Run, scenarios: Iterable[Scenario]) -> Gathered:
    """Return what each judge did: a row for each scenario that ran, and one for all false alarms."""
    known = {scenario.name: kind_of(scenario) for scenario in scenarios}
    accepted = {name: kind.accepted for name, kind in known.items() if kind.accepted}
    events = true_events(run.labels, accepted, run.ended_at)
    result = Gathered()
    for judge, alarms in run.alarms.items():
        outcome = judged(events, alarms)
        for kind, tally in _tallies(outcome, known, run).items():
            result.add(Outcome(kind, {judge: tally}, 0.0))
    return result


def _tallies(outcome: Judged, known: Mapping[str, Kind], run: Run) -> dict[Kind, Tally]:
    tallies = {Kind(WHOLE): Tally()}
    tallies[Kind(WHOLE)].add(Judged((), outcome.false_alarms), run.days)
    for found in outcome.found:
        if found.event.commanded_at < run.began_at:
            continue
        kind = known.get(found.event.scenario) or _unknown(found.event)
        tallies.setdefault(kind, Tally()).add(Judged((found,), ()), 0.0)
    _add_benign(tallies, outcome.false_alarms, known, run)
    return tallies


def _add_benign(
    tallies: dict[Kind, Tally], false_alarms: Iterable[Alarm], known: Mapping[str, Kind], run: Run
) -> None:
    lives = [life for life in benign_runs(run.labels, run.ended_at) if life.commanded_at >= run.began_at]
    for life, alarms in zip(lives, shared_out(false_alarms, lives), strict=True):
        lasted_days = (life.ended_at - life.commanded_at).total_seconds() / 86_400
        tally = tallies.setdefault(known.get(life.scenario) or _unknown(life), Tally())
        tally.add(Judged((), alarms), lasted_days * len(life.charge_point_ids))


def _unknown(event: TrueEvent) -> Kind:
    return Kind(event.scenario, accepted=event.accepted)


def made(run: Run, at: datetime, version: str) -> dict[str, Any]:
    """Return how the scores came about, for score.json."""
    return {
        "at": f"{at:%Y-%m-%d %H:%M} UTC",
        "version": version,
        "from": f"{run.began_at:%Y-%m-%d %H:%M} UTC",
        "to": f"{run.ended_at:%Y-%m-%d %H:%M} UTC",
        "charge_point_days": run.days,
        "heard_after_s": {name: spread(seconds) for name, seconds in run.heard_after_s.items()},
    }
