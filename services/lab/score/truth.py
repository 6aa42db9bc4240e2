"""The truth's labels to events: all labels of one run make one. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from contracts.events import ScenarioLabel
from lab.score.matching import TrueEvent


def true_events(
    labels: Iterable[ScenarioLabel], accepted: Mapping[str, frozenset[str]], until: datetime
) -> list[TrueEvent]:
    """Return the provoked anomalies, by their first command; benign runs and hard negatives are none.

    `accepted`: right names by scenario (else the anomaly's own). A run at several charge points, each with
    labels of its own, is one event. A run without an end lasted to `until`.
    """
    return _events((label for label in labels if label.anomaly is not None), accepted, until)


def benign_runs(labels: Iterable[ScenarioLabel], until: datetime) -> list[TrueEvent]:
    """Return the runs that provoke nothing, by their first command: benign life and hard negatives."""
    return _events((label for label in labels if label.anomaly is None), {}, until)


def _events(
    labels: Iterable[ScenarioLabel], accepted: Mapping[str, frozenset[str]], until: datetime
) -> list[TrueEvent]:
    by_run: dict[str, list[ScenarioLabel]] = {}
    for label in labels:
        by_run.setdefault(label.run_id, []).append(label)
    events = [_event(run, accepted, until) for run in by_run.values()]
    return sorted((event for event in events if event is not None), key=lambda event: event.commanded_at)


def _event(
    run: list[ScenarioLabel], accepted: Mapping[str, frozenset[str]], until: datetime
) -> TrueEvent | None:
    starts = [label for label in run if label.phase == "started"]
    ends = [label for label in run if label.phase == "ended"]
    if not starts:
        return None
    first = min(starts, key=lambda label: label.at)
    began = [label.physical_started_at for label in run if label.physical_started_at is not None]
    # Charge points end on their own; one that did not is still in it.
    is_over = len(ends) >= len(starts)
    over = [max(label.at, label.physical_ended_at or label.at) for label in ends] if is_over else [until]
    return TrueEvent(
        scenario=first.scenario,
        accepted=accepted.get(first.scenario, frozenset({first.anomaly} if first.anomaly else ())),
        charge_point_ids=frozenset(name for label in starts for name in label.charge_point_ids),
        commanded_at=first.at,
        physical_at=min(began, default=None),
        ended_at=max(over),
        parameters=dict(first.parameters),
    )
