"""The verdict of a timed run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from embedded.report import ChargePointReport, Report

START = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = Report(
    START,
    START + timedelta(seconds=60),
    [
        ChargePointReport("CP-1", observed=60, reported=60, peak_a=99.0, trough_a=0.0, anomalies=1),
        ChargePointReport("CP-2", observed=60, reported=60, peak_a=63.0, trough_a=0.0, anomalies=0),
    ],
    gaps=0,
)


def _with(number: int, **changes: float) -> Report:
    charge_points = list(GOOD.charge_points)
    charge_points[number - 1] = replace(charge_points[number - 1], **changes)  # type: ignore[arg-type]
    return replace(GOOD, charge_points=charge_points)


def test_a_whole_chain_has_no_failure() -> None:
    assert GOOD.failures("default") == []


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(GOOD, gaps=3), "3 events are missing"),
        (_with(1, observed=0), "CP-1: no reading"),
        (_with(2, reported=0), "CP-2: no MeterValues"),
        (_with(1, peak_a=50.0), "0 to 50 A"),
        (_with(1, trough_a=20.0), "from 20 to 99 A"),
        (_with(1, anomalies=0), "not detected"),
        (_with(2, anomalies=2), "2 false alarms"),
    ],
)
def test_each_failure_is_named(report: Report, words: str) -> None:
    failures = report.failures("default")
    assert len(failures) == 1
    assert words in failures[0]


def test_a_short_run_cannot_demand_detection() -> None:
    short = replace(_with(1, anomalies=0), ended_at=START + timedelta(seconds=30))
    assert short.failures("default") == []


def test_without_a_plan_only_the_chain_is_judged() -> None:
    assert _with(1, peak_a=0.0, anomalies=0).failures("none") == []


def test_what_came_after_a_restored_backup_is_no_failure_of_this_run() -> None:
    assert replace(GOOD, gaps=58, restored=True).failures("default") == []
