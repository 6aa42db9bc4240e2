"""What a replay told, for people and for programs; beside it the truth, where there is one."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chassis.screen import Block, Column, Screen, short
from chassis.terminal import plural
from contracts.events import Anomaly
from lab.replay.truth import Truth
from lab.score.matching import TrueEvent

_TOLD = (
    Column("start (UTC)", "started_at"),
    Column("charge point", "charge_point_id"),
    Column("kind", "kind"),
    Column("severity", "severity"),
    Column("lasted", "lasted"),
)
_BESIDE = (
    Column("truth", "scenario"),
    Column("run's start (UTC)", "run_started_at", drop=1),
    Column("verdict", "verdict"),
)
_WHY = Column("why", "explanation", folds=True)
_MISSED = (
    Column("run's start (UTC)", "run_started_at"),
    Column("scenario", "scenario"),
    Column("on", "where", folds=True),
    Column("lasted", "lasted"),
)


def show(screen: Screen, anomalies: Sequence[Anomaly], count: int, truth: Truth | None) -> None:
    """Show anomalies, of so many events, and the runs that nothing was told of."""
    if anomalies:
        columns = (*_TOLD, *(() if truth is None else _BESIDE), _WHY)
        rows = [_row(anomaly, truth) for anomaly in anomalies]
        screen.table("Anomalies", columns, rows, block=_block)
    missed = [] if truth is None else truth.missed(anomalies)
    if missed:
        screen.table("Not found", _MISSED, map(_missed, missed))
    screen.line(_sum(anomalies, count, truth, missed))


def _row(anomaly: Anomaly, truth: Truth | None) -> dict[str, Any]:
    row = {
        "started_at": anomaly.started_at,
        "charge_point_id": anomaly.charge_point_id,
        "kind": anomaly.kind,
        "severity": anomaly.severity,
        "lasted": _lasted(anomaly.started_at, anomaly.ended_at),
        "explanation": anomaly.explanation,
    }
    if truth is None:
        return row
    beside = truth.beside(anomaly)
    run = beside.run
    return {
        **row,
        "scenario": "no run" if run is None else run.scenario,
        "run_started_at": None if run is None else run.commanded_at,
        "verdict": beside.verdict,
    }


def _block(row: Mapping[str, Any]) -> Block:
    head = [short(row["started_at"]), *(row[column.field] for column in _TOLD[1:])]
    if "verdict" in row:
        began: datetime | None = row["run_started_at"]
        head += [f"truth: {row['scenario']}" + ("" if began is None else f" from {began:%H:%M:%S}")]
        head += [row["verdict"]]
    return Block(head, row["explanation"])


def _missed(run: TrueEvent) -> dict[str, Any]:
    return {
        "run_started_at": run.commanded_at,
        "scenario": run.scenario,
        "where": ", ".join(sorted(run.charge_point_ids)),
        "lasted": _lasted(run.commanded_at, run.ended_at),
    }


def _lasted(since: datetime, until: datetime | None) -> str:
    return "open" if until is None else f"{(until - since) // timedelta(seconds=1)} s"


def _sum(anomalies: Sequence[Anomaly], count: int, truth: Truth | None, missed: Sequence[TrueEvent]) -> str:
    told = f"{plural(len(anomalies), 'anomaly', 'anomalies')} in {plural(count, 'event')}"
    if truth is None:
        return told
    false = sum(truth.beside(anomaly).verdict == "false alarm" for anomaly in anomalies)
    runs = len(truth.provoked)
    return (
        f"{told}; of {plural(runs, 'provoked run')} {runs - len(missed)} found,"
        f" {len(missed)} not; {plural(false, 'false alarm')}"
    )
