"""Runs of scenarios on a whole bench, side by side, and what its detectors said of them.

A lane is a few charge points of its own with one run after the other. Starts are kept apart: charge points
that start within a second or two are a mass step, and rightly told as one.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bench_process import BenchProcess
from contracts.events import FLEET
from csms import scenario_file
from csms.scenario import Scenario
from lab.score.matching import Alarm, Found, TrueEvent, judged, shared_out
from lab.score.remembered import read
from lab.score.stretches import kind_of
from lab.score.truth import benign_runs, true_events
from lab.score.work import OURS
from memorybank.filters import EVERYTHING
from memorybank.reader import Reader
from real_parts import wait_until

_LOOK_S = 0.5
_TOLD = "SELECT charge_point_id, kind, detected_at FROM memory.anomalies ORDER BY detected_at"
SCENARIOS: Mapping[str, Scenario] = scenario_file.load_directory(Path(__file__).parents[1] / "scenarios")[0]
COLUMNS = ("scenario", "charge points", "found", "told", "delay from command (s)", "from physical start (s)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A scenario to be run; `lasts_s`: end it then, where it does not end by itself.

    `after_s`: so long after the run before it in its lane, so that what that one raised is closed.
    `name`: the one that is awaited, where another that is right, too, comes before.
    """

    scenario: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    lasts_s: float | None = None
    after_s: float = 0.0
    name: str = ""

    @property
    def names(self) -> frozenset[str]:
        """The names of which one is awaited."""
        return frozenset({self.name}) if self.name else right_names(self.scenario)


@dataclass(slots=True)
class Lane:
    """Charge points of its own, and what is run there, one after the other."""

    wanted: Sequence[Wanted]
    charge_points: int = 1
    names: list[str] = field(default_factory=list)
    run_id: str = ""
    place: int = 0
    """Which of `wanted` runs, or is next."""
    changed_s: float = 0.0
    """When its run began, or the one before ended."""

    @property
    def current(self) -> Wanted:
        return self.wanted[self.place]


def right_names(scenario: str) -> frozenset[str]:
    """Return the names that are right for what a scenario provokes."""
    return kind_of(SCENARIOS[scenario]).accepted


def count(lanes: Sequence[Lane]) -> int:
    """Return how many charge points the lanes need."""
    return sum(lane.charge_points for lane in lanes)


def live(
    bench: BenchProcess, lanes: Sequence[Lane], *, timeout_s: float, until_found: bool, apart_s: float
) -> None:
    """Run the lanes; `until_found`: go on when a right name was told, else when the run is over.

    Each run has `timeout_s` for that; `apart_s`: from one start to the next.
    """
    numbers = iter(range(1, count(lanes) + 1))
    for lane in lanes:
        lane.names = [f"CP-{next(numbers)}" for _ in range(lane.charge_points)]
    started_s = 0.0
    while going := [lane for lane in lanes if lane.place < len(lane.wanted)]:
        runs = {run["run_id"]: run for run in bench.get("csms_api", "/api/scenario-runs")}
        told = bench.query(_TOLD) if until_found else []
        for lane in going:
            waited_s = time.monotonic() - lane.changed_s
            if not lane.run_id:
                if waited_s >= lane.current.after_s and time.monotonic() - started_s >= apart_s:
                    _start(bench, lane)
                    started_s = lane.changed_s
                continue
            run = runs[lane.run_id]
            if _is_found(lane, run, told) if until_found else _is_over(run):
                if until_found:
                    bench.ask_csms("DELETE", f"/api/scenario-runs/{lane.run_id}")
                lane.run_id, lane.changed_s, lane.place = "", time.monotonic(), lane.place + 1
            elif waited_s > timeout_s:
                there = [row for row in told or bench.query(_TOLD) if row[0] in (*lane.names, FLEET)]
                pytest.fail(f"{run}: not found or not over after {timeout_s:g} s; told there: {there}")
        time.sleep(_LOOK_S)


def _start(bench: BenchProcess, lane: Lane) -> None:
    body = {
        "scenario": lane.current.scenario,
        "charge_point_ids": lane.names,
        "parameters": dict(lane.current.parameters),
        "lasts_s": lane.current.lasts_s,
    }
    lane.run_id = bench.ask_csms("POST", "/api/scenario-runs", body)["run_id"]
    lane.changed_s = time.monotonic()


def _is_over(run: Mapping[str, Any]) -> bool:
    assert run["state"] in ("running", "finished"), run
    return bool(run["state"] == "finished")


def _is_found(lane: Lane, run: Mapping[str, Any], told: Sequence[tuple[Any, ...]]) -> bool:
    """Return whether a right name was told that was not told before the run's first command."""
    if run["first_command_at"] is None:
        return False
    begun_at = datetime.fromisoformat(run["first_command_at"])
    places = {*lane.names, *([FLEET] if lane.charge_points > 1 else [])}
    names = lane.current.names
    return any(place in places and kind in names and at >= begun_at for place, kind, at in told)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the bench's detectors said of all the runs in its memory."""

    found: tuple[Found, ...]
    benign: tuple[tuple[TrueEvent, tuple[Alarm, ...]], ...]
    """Each benign run with its false alarms."""
    strays: tuple[Alarm, ...]
    """False alarms outside of all runs."""

    @property
    def missed(self) -> list[str]:
        """What was not found, or under wrong names only."""
        return [found.event.scenario for found in self.found if not found.named]

    @property
    def disturbed(self) -> dict[str, list[str]]:
        """The benign runs that were told as something, and as what."""
        return {life.scenario: [alarm.kind for alarm in alarms] for life, alarms in self.benign if alarms}

    def rows(self) -> Iterator[list[str]]:
        """Yield a line of the table for each run, in the catalogue's order."""
        lines = [(found.event, found.alarms, _found_cells(found)) for found in self.found]
        lines += [(life, alarms, _benign_cells(life, alarms)) for life, alarms in self.benign]
        for event, alarms, (word, *delays) in sorted(lines, key=lambda line: _order(line[0])):
            kinds = ", ".join(dict.fromkeys(alarm.kind for alarm in alarms))
            label = f"{SCENARIOS[event.scenario].number} {event.scenario}"
            yield [label, str(len(event.charge_point_ids)), word, kinds, *delays]

    def markdown(self) -> str:
        """Return the table."""
        lines = [COLUMNS, ["---"] * len(COLUMNS), *self.rows()]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def verdict(bench: BenchProcess) -> Verdict:
    """Judge all runs of a bench as `chargebench score --memory` does, once all their truth is stored."""
    runs = len(bench.get("csms_api", "/api/scenario-runs"))
    ended = "SELECT count(DISTINCT run_id) FROM truth.labels WHERE phase = 'ended'"
    wait_until(lambda: bench.query(ended) == [(runs,)], timeout_s=60, what=f"the labels of {runs} runs")
    secrets, port = bench.secrets, bench.described["postgres_port"]
    with Reader(f"postgresql://postgres:{secrets['postgres']}@127.0.0.1:{port}/chargebench") as reader:
        run = read(reader, EVERYTHING)
    accepted = {name: right_names(name) for name, scenario in SCENARIOS.items() if scenario.anomaly}
    outcome = judged(true_events(run.labels, accepted, run.ended_at), run.alarms[OURS])
    lives = benign_runs(run.labels, run.ended_at)
    shared = shared_out(outcome.false_alarms, lives)
    told = {alarm for alarms in shared for alarm in alarms}
    strays = tuple(alarm for alarm in outcome.false_alarms if alarm not in told)
    return Verdict(outcome.found, tuple(zip(lives, shared, strict=True)), strays)


def _found_cells(found: Found) -> list[str]:
    word = "yes" if found.named else "under another name" if found.detected else "no"
    delays = (found.delay_s, found.physical_delay_s)
    return [word, *("" if delay_s is None else f"{delay_s:.0f}" for delay_s in delays)]


def _benign_cells(life: TrueEvent, alarms: Sequence[Alarm]) -> list[str]:
    minutes = (life.ended_at - life.commanded_at).total_seconds() / 60
    return [
        f"false alarm in {minutes:.0f} min" if alarms else f"nothing in {minutes:.0f} min, rightly",
        "",
        "",
    ]


def _order(event: TrueEvent) -> tuple[str, int, str]:
    number = SCENARIOS[event.scenario].number
    return number[0], int(number[1:]), event.scenario
