"""What a replay told beside the truth: which run explains an anomaly, and which was not found."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from chassis.screen import Screen
from console_parts import fluctuation
from contracts.events import FLEET, Anomaly, ScenarioLabel
from lab.replay import showing
from lab.replay.truth import Truth

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
SWING, STORM, SUN = "repeated-current-fluctuation", "stop-storm", "h3-solar-surplus"


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def run(scenario: str, begin_s: float, end_s: float, *places: str) -> list[ScenarioLabel]:
    return [
        ScenarioLabel(
            at=at(seconds),
            run_id=f"{scenario}/{begin_s}",
            scenario=scenario,
            anomaly=None if scenario == SUN else scenario,
            phase=phase,
            charge_point_ids=list(places or ("CP-1",)),
        )
        for phase, seconds in (("started", begin_s), ("ended", end_s))
    ]


def told(kind: str, detected_s: float, place: str = "CP-1") -> Anomaly:
    return fluctuation(
        place,
        kind=kind,
        started_at=at(detected_s - 10),
        detected_at=at(detected_s),
        ended_at=at(detected_s + 90),
    )


LABELS = [
    *run(STORM, 100, 200),
    *run("mass-step", 300, 400, "CP-1", "CP-2"),
    *run(SUN, 500, 600, "CP-2"),
    *run("can-flood", 1000, 1060, "CP-3"),
]
TRUTH = Truth(LABELS, {STORM: frozenset({STORM, SWING})}, at(2000))


@pytest.mark.parametrize(
    ("anomaly", "verdict", "scenario"),
    [
        (told(STORM, 150), "found", STORM),
        (told(SWING, 150), "found", STORM),
        (told("can-flood", 150), "found under another name", STORM),
        (told(STORM, 260), "found", STORM),  # until a minute after it
        (told(STORM, 261), "false alarm", None),
        (told(STORM, 99), "false alarm", None),  # it stood before
        (told(STORM, 150, "CP-2"), "false alarm", None),
        (told("mass-step", 310, FLEET), "found", "mass-step"),
        (told(SWING, 550, "CP-2"), "false alarm", SUN),
    ],
)
def test_each_anomaly_has_the_run_that_explains_it_or_none(anomaly, verdict, scenario):
    beside = TRUTH.beside(anomaly)
    assert (beside.verdict, beside.run and beside.run.scenario) == (verdict, scenario)


def test_what_no_anomaly_belongs_to_was_not_found():
    missed = TRUTH.missed([told(SWING, 150), told(STORM, 160)])
    assert [one.scenario for one in missed] == ["mass-step", "can-flood"]


def shown(anomalies: list[Anomaly], truth: Truth | None, width: int = 80) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    showing.show(Screen(console), anomalies, 1234, truth)
    return console.file.getvalue()


def test_it_is_read_at_80_columns(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown([told(SWING, 150), told("can-flood", 700)], TRUTH)
    assert max(map(len, text.splitlines())) <= 80
    assert f"truth: {STORM} from 00:01:40  found\n" in text
    assert "truth: no run  false alarm\n" in text
    assert "can-flood" in text[text.index("Not found") :]
    assert text.endswith("2 anomalies in 1,234 events; of 3 provoked runs 1 found, 2 not; 1 false alarm\n")


def test_without_a_truth_nothing_is_judged(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown([told(SWING, 150)], None)
    assert "truth" not in text
    assert text.endswith("\n1 anomaly in 1,234 events\n")
