"""Whether a drift that goes on for weeks becomes what is usual: a scenario, several times a day, at a place.

First come days of clean sessions, by which the baselines grow up; then every session is a run of it. Beside
the memory as it is in life there is one that nobody tells of anomalies: what holds it are its own bounds.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import structs

from contracts.events import ScenarioLabel
from csms.scenario import Scenario, Wait
from lab.life.session import LimitChange, Session
from lab.score.matching import Alarm, Found, judged
from lab.score.stretches import kind_of
from lab.score.tally import spread
from lab.score.truth import true_events
from lab.score.work import BEGIN_AT
from lab.simulated.bench import Bench
from lab.simulated.fleet import DAY_S, visiting_car
from lab.simulated.plan import ChargePointPlan, ScenarioRun
from lab.watching import Watching
from memorybank.baselines import Baseline
from memorybank.detector import AnyDetector
from memorybank.learning import Learning

_ARRIVES_S = 20.0
"""A car is there for some seconds before it charges: readings before it show that a session is whole."""
_LIMITS_A = (55.0, 65.0)
"""Around what the scenario begins with."""
_FIRST_S = (600.0, 3600.0)
_PLACE = "CP-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long it goes on; a session lasts `session_s`, clean or not."""

    clean_days: int = 7
    drifting_days: int = 21
    sessions_a_day: int = 3
    session_s: float = 3000.0
    seed: int = 0

    @property
    def begins_to_drift_at(self) -> datetime:
        """When the clean days are over."""
        return BEGIN_AT + timedelta(days=self.clean_days)

    @property
    def lasts_s(self) -> float:
        """From begin to end."""
        return (self.clean_days + self.drifting_days) * DAY_S


def lived(scenario: Scenario, course: Course, detectors: Iterable[AnyDetector]) -> dict[str, Any]:
    """Live it and return what was found, and what was learned (section `learning` of score.json)."""
    watching, untold = Watching(detectors), Learning()
    bench = Bench((plan(scenario, course),), seed=course.seed, begin_at=BEGIN_AT, shows_wire=False)
    alarms: list[Alarm] = []
    labels: list[ScenarioLabel] = []
    before: dict[tuple[str, str], Baseline] = {}
    for event in bench.run(course.lasts_s):
        if isinstance(event, ScenarioLabel):
            before = before or _here(watching.learning)
            labels.append(event)
            continue
        alarms += [
            Alarm(_PLACE, finding.anomaly.kind, finding.anomaly.detected_at)
            for finding in watching.observe(event)
            if finding.anomaly.phase == "opened"
        ]
        untold.observe(event)
        untold.advance(event.at)
    end_at = BEGIN_AT + timedelta(seconds=course.lasts_s)
    for learning in (watching.learning, untold):
        learning.advance(end_at + learning.quarantine)
    events = true_events(labels, {scenario.name: kind_of(scenario).accepted}, end_at)
    found = judged(events, alarms).found
    told, not_told = _here(watching.learning), _here(untold)
    return {
        "scenario": scenario.name,
        "clean_days": course.clean_days,
        "drifting_days": course.drifting_days,
        "days": list(_days(found, course)),
        "learned_sessions": watching.learning.learned_sessions,
        "refused_sessions": watching.learning.refused_sessions,
        "metrics": [
            _moved(known, told[key], not_told[key]) for key, known in before.items() if key in not_told
        ],
    }


def plan(scenario: Scenario, course: Course) -> ChargePointPlan:
    """Return the charge point at which it happens."""
    rng = random.Random(f"learned/{course.seed}")
    arriving = structs.replace(scenario, prepare=(Wait(seconds=_ARRIVES_S), *scenario.prepare))
    sessions: list[Session] = []
    runs: list[ScenarioRun] = []
    for number in range((course.clean_days + course.drifting_days) * course.sessions_a_day):
        start_s = number * DAY_S / course.sessions_a_day + rng.uniform(*_FIRST_S)
        car, limit_a = visiting_car(rng.randrange(2**31)), rng.uniform(*_LIMITS_A)
        if number < course.clean_days * course.sessions_a_day:
            sessions.append(
                Session(
                    plug_s=start_s,
                    tag_after_s=_ARRIVES_S,
                    stop_s=start_s + course.session_s,
                    leave_s=start_s + course.session_s + _ARRIVES_S,
                    vehicle=car,
                    id_tag="DRIVER",
                    limits=(LimitChange(after_s=_ARRIVES_S + 1, limit_a=limit_a),),
                )
            )
        else:
            run_id = f"{scenario.name}/{number}"
            runs.append(
                ScenarioRun(
                    run_id=run_id, scenario=arriving, start_s=start_s, lasts_s=course.session_s, car=car
                )
            )
    return ChargePointPlan(
        charge_point_id=_PLACE, plugged=False, sample_interval_s=10, sessions=sessions, runs=runs
    )


def _here(learning: Learning) -> dict[tuple[str, str], Baseline]:
    return {
        (metric, phase): baseline
        for (place, _, metric, phase), baseline in learning.baselines.items()
        if place == _PLACE
    }


def _days(found: Iterable[Found], course: Course) -> Iterator[dict[str, Any]]:
    """Yield what was found on each day of the drift."""
    by_day: list[list[Found]] = [[] for _ in range(course.drifting_days)]
    for one in found:
        by_day[(one.event.commanded_at - course.begins_to_drift_at).days].append(one)
    for number, of_day in enumerate(by_day, 1):
        delays_s = [one.delay_s for one in of_day if one.delay_s is not None]
        yield {
            "day": number,
            "events": len(of_day),
            "detected": sum(one.detected for one in of_day),
            "named": sum(one.named for one in of_day),
            "delay_from_command_s": spread(delays_s),
        }


def _moved(before: Baseline, after: Baseline, untold: Baseline) -> dict[str, Any]:
    """Return how far a baseline moved in the drift, in standard deviations of before: told, and not told."""
    return {
        "metric": before.metric,
        "phase": before.phase,
        "mean_before": before.mean,
        "sd_before": before.sd,
        "mean_after": after.mean,
        "moved_sd": (after.mean - before.mean) / before.sd,
        "untold_mean_after": untold.mean,
        "untold_moved_sd": (untold.mean - before.mean) / before.sd,
        "untold_is_held": untold.is_held,
        "untold_recent_mean": untold.recent_mean,
    }
