"""The truth's labels to events: a start and an end of one run make one. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from contracts.events import ScenarioLabel
from lab.score.matching import TrueEvent


def true_events(
    labels: Iterable[ScenarioLabel], accepted: Mapping[str, frozenset[str]], until: datetime
) -> list[TrueEvent]:
    """Return the provoked anomalies, by their first command; benign runs and hard negatives are none.

    `accepted`: the right names by scenario (else the anomaly's own). A run without an end lasted to `until`.
    """
    started: dict[str, ScenarioLabel] = {}
    ended: dict[str, ScenarioLabel] = {}
    for label in labels:
        if label.anomaly is not None:
            (started if label.phase == "started" else ended)[label.run_id] = label
    events = []
    for run_id, start in started.items():
        end = ended.get(run_id)
        physical_at = start.physical_started_at or (end.physical_started_at if end else None)
        ends = (
            [until] if end is None else [end.at, *([end.physical_ended_at] if end.physical_ended_at else [])]
        )
        events.append(
            TrueEvent(
                scenario=start.scenario,
                accepted=accepted.get(start.scenario, frozenset({start.anomaly or ""})),
                charge_point_ids=frozenset(start.charge_point_ids),
                commanded_at=start.at,
                physical_at=physical_at,
                ended_at=max(ends),
                parameters=dict(start.parameters),
            )
        )
    return sorted(events, key=lambda event: event.commanded_at)
