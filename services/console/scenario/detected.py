"""What was detected of a run, beside its truth. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from msgspec import Struct

from console.answers import Scenario, ScenarioRun
from console.truth import AFTERMATH_S, is_anothers
from contracts.events import FLEET, Anomaly

Verdict: TypeAlias = Literal[
    "found", "found under another name", "missed", "not yet", "nothing, rightly", "false alarm", "not known"
]


class Detection(Struct, frozen=True, kw_only=True):
    """An anomaly of the run's time and place; delays in seconds, None where the truth does not tell."""

    kind: str
    charge_point_id: str
    detected_at: datetime
    after_command_s: float | None
    after_physical_s: float | None
    is_right: bool
    """Its name is one that is right for what was provoked."""


class Found(Struct, frozen=True, kw_only=True):
    """What was detected of a run; `detections` None: the memory could not be asked."""

    verdict: Verdict
    detections: list[Detection] | None


def stretch(run: ScenarioRun, now: datetime) -> tuple[datetime, datetime]:
    """Return in which time an anomaly must have begun to be the run's."""
    return run.started_at or now, (run.ended_at or now) + timedelta(seconds=AFTERMATH_S)


def found(
    run: ScenarioRun,
    scenario: Scenario | None,
    anomalies: Iterable[Anomaly],
    runs: Sequence[ScenarioRun],
    now: datetime,
) -> Found:
    """Return what anomalies tell of a run; `runs`: all that are known, to which they may belong."""
    since, until = stretch(run, now)
    right = () if run.anomaly is None else (run.anomaly, *(scenario.accepted if scenario else ()))
    detections = [
        Detection(
            kind=anomaly.kind,
            charge_point_id=anomaly.charge_point_id,
            detected_at=anomaly.detected_at,
            after_command_s=_after(anomaly.detected_at, run.first_command_at),
            after_physical_s=_after(anomaly.detected_at, run.physical_started_at),
            is_right=anomaly.kind in right,
        )
        for anomaly in sorted(anomalies, key=lambda anomaly: anomaly.detected_at)
        if _is_of(anomaly, run)
        and since <= anomaly.started_at < until
        and not is_anothers(anomaly, run, runs)
    ]
    return Found(verdict=_verdict(run, detections), detections=detections)


def first(found: Found) -> Detection | None:
    """Return the detection that counts: the first under a right name, else the first."""
    detections = found.detections or []
    return next((one for one in detections if one.is_right), detections[0] if detections else None)


def _is_of(anomaly: Anomaly, run: ScenarioRun) -> bool:
    # What one charge point does is nothing of the fleet's.
    of_fleet = anomaly.charge_point_id == FLEET and len(run.charge_point_ids) > 1
    return of_fleet or anomaly.charge_point_id in run.charge_point_ids


def _verdict(run: ScenarioRun, detections: list[Detection]) -> Verdict:
    if run.anomaly is None:
        return "false alarm" if detections else "nothing, rightly"
    if any(detection.is_right for detection in detections):
        return "found"
    if detections:
        return "found under another name"
    return "not yet" if run.state == "running" else "missed"


def _after(at: datetime, since: datetime | None) -> float | None:
    return None if since is None else round((at - since).total_seconds(), 3)
