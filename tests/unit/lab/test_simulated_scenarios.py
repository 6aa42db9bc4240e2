"""Every scenario file can be simulated: its commands are welcome, its truth is told, nothing outlasts it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.events import AnyEvent, CommandSent, Reading, ScenarioLabel
from csms import scenario_file
from lab.simulated.bench import Bench
from lab.simulated.fleet import starts_transactions, visiting_car
from lab.simulated.plan import ChargePointPlan, ScenarioRun

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
FILES = sorted((Path(__file__).parents[3] / "scenarios").glob("*.toml"))
MOST_S = 240.0
UNWELCOME = {"RemoteStopTransaction": 1}
"""A stop of a transaction that an orphan's start left behind is refused, and that is that."""


def lived(path: Path) -> list[AnyEvent]:
    scenario = scenario_file.load(path)
    run = ScenarioRun(
        run_id="run",
        scenario=scenario,
        start_s=30.0,
        seed=1,
        lasts_s=min(scenario.lasts_s, MOST_S),
        car=visiting_car(1) if starts_transactions(scenario) else None,
    )
    plan = ChargePointPlan(charge_point_id="CP-1", runs=(run,), plugged=False, connectors=2)
    return list(Bench([plan], seed=1, begin_at=BEGIN_AT).run(400.0))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario_can_be_simulated(path: Path) -> None:
    events = lived(path)
    refused = [
        e.command
        for e in events
        if isinstance(e, CommandSent) and e.outcome not in ("Accepted", "Answered", "Unknown")
    ]
    assert all(refused.count(command) <= UNWELCOME.get(command, 0) for command in refused)
    started, ended = [event for event in events if isinstance(event, ScenarioLabel)]
    assert (started.phase, ended.phase) == ("started", "ended")
    assert started.at <= ended.at <= BEGIN_AT + timedelta(seconds=300)
    if ended.physical_ended_at is not None:
        assert ended.physical_started_at is not None
        assert started.at <= ended.physical_started_at <= ended.physical_ended_at
        assert ended.physical_ended_at <= BEGIN_AT + timedelta(seconds=300)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_flows_when_it_is_over(path: Path) -> None:
    last = [e for e in lived(path) if isinstance(e, Reading) and e.origin == "can" and e.connector == 1][-1]
    assert last.current_a == 0.0
    assert last.transaction_id is None
