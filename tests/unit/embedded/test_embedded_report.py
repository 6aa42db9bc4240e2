"""The verdict of a timed run: what worked, by the truth of what was run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from console.answers import ScenarioRun
from embedded.report import BASE, ChargePointReport, Remembered, Report

START = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(charge_point_id: str, at_s: float, kind: str = BASE) -> Remembered:
    """An anomaly that began then, was told 10 s later, and lasts."""
    return Remembered(charge_point_id, kind, after(at_s), after(at_s + 10))


PLANNED = ScenarioRun(
    run_id="1",
    scenario=BASE,
    state="running",
    anomaly=BASE,
    charge_point_ids=["CP-1"],
    seed=1,
    started_at=after(5),
    first_command_at=after(6),
)
BENIGN = ScenarioRun(
    run_id="2",
    scenario="benign-charging",
    state="running",
    charge_point_ids=["CP-2"],
    seed=2,
    started_at=after(5),
    first_command_at=after(7),
)
FLOOD = ScenarioRun(
    run_id="3",
    scenario="can-flood",
    state="finished",
    anomaly="can-flood",
    charge_point_ids=["CP-2"],
    started_at=after(20),
    ended_at=after(40),
    first_command_at=after(20),
)
FLOOD_BEFORE = msgspec.structs.replace(
    FLOOD, state="stopped", started_at=after(-60), first_command_at=after(-60), ended_at=after(-20)
)
"""Of the bench before, on the same memory."""
GOOD = Report(
    START,
    after(65),
    [
        ChargePointReport("CP-1", 60, 60, peak_a=99.0, trough_a=0.0, anomalies=(told("CP-1", 6),)),
        ChargePointReport("CP-2", 60, 60, peak_a=63.0, trough_a=0.0),
    ],
    gaps=0,
    runs=(PLANNED, BENIGN),
)


def _with(number: int, **changes: Any) -> Report:
    charge_points = list(GOOD.charge_points)
    charge_points[number - 1] = replace(charge_points[number - 1], **changes)
    return replace(GOOD, charge_points=charge_points)


def _stopped(at_s: float) -> ScenarioRun:
    """The plan's run, stopped by a person."""
    return msgspec.structs.replace(
        PLANNED, state="stopped", reason="stopped by request", ended_at=after(at_s)
    )


def test_a_whole_chain_has_no_failure() -> None:
    assert (GOOD.failures("default"), GOOD.remarks("default")) == ([], [])


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (replace(GOOD, gaps=1), "1 event is missing"),
        (replace(GOOD, gaps=3), "3 events are missing"),
        (_with(1, observed=0), "CP-1: no reading"),
        (_with(2, reported=0), "CP-2: no MeterValues"),
        (_with(1, peak_a=50.0), "0 to 50 A"),
        (_with(1, trough_a=20.0), "from 20 to 99 A"),
        (_with(1, anomalies=()), "CP-1: the fluctuation was not detected"),
        (replace(_with(1, anomalies=()), runs=(BENIGN,)), f"CP-1: {BASE} did not run"),
        (_with(2, anomalies=(told("CP-2", 9, "stop-storm"),)), "CP-2: 1 false alarm: stop-storm"),
        (_with(2, anomalies=(told("CP-2", 9), told("CP-2", 20))), "CP-2: 2 false alarms"),
    ],
)
def test_each_failure_is_named(report: Report, words: str) -> None:
    (failure,) = report.failures("default")
    assert words in failure


def test_a_run_that_was_short_cannot_demand_detection() -> None:
    """Whether the bench ended soon, or took long to start."""
    late = msgspec.structs.replace(PLANNED, started_at=after(30), first_command_at=after(31))
    for short in (
        replace(_with(1, anomalies=()), ended_at=after(40)),
        replace(_with(1, anomalies=()), runs=(late, BENIGN)),
    ):
        assert (short.failures("default"), short.remarks("default")) == ([], [])


def test_what_was_stopped_soon_is_told_and_not_judged() -> None:
    stopped = replace(_with(1, anomalies=(), peak_a=20.0), runs=(_stopped(26), BENIGN))
    assert stopped.failures("default") == []
    assert stopped.remarks("default") == [
        f"CP-1: {BASE} was stopped after 20 s (stopped by request): whether it is found was not judged"
    ]


def test_what_was_stopped_when_it_had_to_be_found_is_judged() -> None:
    stopped = replace(_with(1, anomalies=()), runs=(_stopped(56), BENIGN))
    assert stopped.failures("default") == ["CP-1: the fluctuation was not detected"]


def test_what_a_csms_broke_off_is_judged_by_the_run_that_followed() -> None:
    died = msgspec.structs.replace(_stopped(10), state="failed")
    assert replace(GOOD, runs=(PLANNED, died, BENIGN)).failures("default") == []
    assert replace(_with(1, anomalies=()), runs=(PLANNED, died, BENIGN)).failures("default") == [
        "CP-1: the fluctuation was not detected"
    ]


def test_what_was_provoked_by_hand_is_no_false_alarm() -> None:
    """During the run, and until a minute after it."""
    found = (told("CP-2", 21, "can-flood"), told("CP-2", 60, "phantom-current"))
    report = replace(_with(2, anomalies=found), runs=(PLANNED, BENIGN, FLOOD))
    assert report.failures("default") == []
    assert report.remarks("default") == ["CP-2: 2 anomalies of what was run there by hand: can-flood"]


@pytest.mark.parametrize(
    ("runs", "anomaly"),
    [
        ((FLOOD,), told("CP-2", 5, "can-flood")),  # told before it began
        ((FLOOD,), told("CP-2", 101, "can-flood")),  # more than a minute after its end
        ((msgspec.structs.replace(FLOOD, charge_point_ids=["CP-4"]),), told("CP-2", 21, "can-flood")),
        ((msgspec.structs.replace(FLOOD, anomaly=None),), told("CP-2", 21, "can-flood")),  # a hard negative
    ],
)
def test_a_run_of_another_time_or_place_or_a_benign_one_explains_nothing(
    runs: tuple[ScenarioRun, ...], anomaly: Remembered
) -> None:
    report = replace(_with(2, anomalies=(anomaly,)), runs=(PLANNED, *runs), ended_at=after(120))
    assert report.failures("default") == ["CP-2: 1 false alarm: can-flood"]


def test_what_was_told_before_the_bench_began_is_no_false_alarm_of_this_run() -> None:
    assert _with(2, anomalies=(told("CP-2", -30),)).failures("default") == []


def test_an_anomaly_that_stands_since_the_bench_before_is_found() -> None:
    """Started again within a minute, the memory goes on with it."""
    before = msgspec.structs.replace(
        _stopped(-20), run_id="0", started_at=after(-90), first_command_at=after(-89)
    )
    assert (
        replace(_with(1, anomalies=(told("CP-1", -80),)), runs=(PLANNED, BENIGN, before)).failures("default")
        == []
    )


def test_a_run_of_the_bench_before_explains_nothing_of_this_one() -> None:
    """Although an anomaly a minute after a run's end may still be the run's."""
    report = replace(
        _with(2, anomalies=(told("CP-2", 21, "can-flood"),)), runs=(PLANNED, BENIGN, FLOOD_BEFORE)
    )
    assert report.failures("default") == ["CP-2: 1 false alarm: can-flood"]
    assert report.remarks("default") == []
    died_with_it = msgspec.structs.replace(
        FLOOD_BEFORE, state="failed", ended_at=after(2)
    )  # undone in this one
    assert replace(report, runs=(PLANNED, BENIGN, died_with_it)).failures("default") == []


def test_what_began_in_the_bench_before_and_is_told_in_this_one_is_its_runs() -> None:
    late = replace(_with(2, anomalies=(told("CP-2", -5, "can-flood"),)), runs=(PLANNED, BENIGN, FLOOD_BEFORE))
    assert late.failures("default") == []


def test_without_a_plan_only_the_chain_is_judged() -> None:
    report = replace(_with(1, peak_a=0.0, anomalies=()), runs=())
    assert (report.failures("none"), report.remarks("none")) == ([], [])


def test_what_came_after_a_restored_backup_is_no_failure_of_this_run() -> None:
    assert replace(GOOD, gaps=58, restored=True).failures("default") == []
