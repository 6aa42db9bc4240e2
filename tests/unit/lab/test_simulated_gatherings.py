"""Scenarios at several charge points of a data set, each of which is planned by itself."""

import itertools
from pathlib import Path

import pytest

from contracts.events import CommandSent, ScenarioLabel
from csms import scenario_file
from lab.data_set import reader
from lab.simulated import __main__ as command
from lab.simulated.bench import Bench
from lab.simulated.fleet import BEGIN_AT, CALM_S, DC_SUPPLY, Fleet, plan
from lab.simulated.gatherings import FEWEST, MOST

SCENARIOS = Path(__file__).parents[3] / "scenarios"
MASS_STEP = scenario_file.load(SCENARIOS / "mass-step.toml")
SWING = scenario_file.load(SCENARIOS / "repeated-current-fluctuation.toml")


def fleet(**changes) -> Fleet:
    return Fleet(
        **{"charge_points": 5, "days": 3.0, "seed": 4, "scenarios": (MASS_STEP, SWING), "every_h": 8.0}
        | changes
    )


def runs_of(lived: Fleet):
    plans = [plan(lived, number) for number in range(lived.charge_points)]
    together = {}
    for one in plans:
        for run in one.runs:
            if run.scenario.together:
                together.setdefault(run.run_id, []).append((one.charge_point_id, run))
    return plans, together


def test_all_who_take_part_agree_without_asking():
    _, together = runs_of(fleet())
    assert len(together) > 3
    for taking_part in together.values():
        ids = tuple(charge_point_id for charge_point_id, _ in taking_part)
        assert FEWEST <= len(ids) <= MOST
        assert {run.charge_point_ids for _, run in taking_part} == {ids}
        assert len({(run.start_s, run.lasts_s, run.seed) for _, run in taking_part}) == 1


def test_they_are_kept_free_for_it():
    """No car of somebody else's, and no run of its own, at that time."""
    plans, together = runs_of(fleet())
    busy = [run for one in plans for run in one.runs]
    assert len(busy) > sum(map(len, together.values()))  # runs of its own are there
    for one in plans:
        times = [(run.start_s, run.start_s + run.lasts_s) for run in one.runs]
        assert times == sorted(times)
        assert all(end_s < start_s for (_, end_s), (start_s, _) in itertools.pairwise(times))
        for run in one.runs:
            if run.scenario.together:
                assert not any(
                    session.plug_s < run.start_s + run.lasts_s + CALM_S
                    and session.leave_s > run.start_s - CALM_S
                    for session in one.sessions
                )


def test_too_few_have_none_and_the_rest_is_as_ever():
    with_gatherings, alone = fleet(charge_points=2), fleet(charge_points=2, scenarios=(SWING,))
    assert [plan(with_gatherings, n).runs for n in range(2)] == [plan(alone, n).runs for n in range(2)]


def test_none_at_alternating_current():
    lived = fleet(charge_points=8, ac_share=0.5)
    plans, together = runs_of(lived)
    assert together
    assert all(one.supply == DC_SUPPLY for one in plans if any(r.scenario.together for r in one.runs))


def test_they_step_within_a_second_and_the_truth_says_so_once(tmp_path):
    """A data set as its command makes it, against the same fleet on a bench."""
    out = tmp_path / "set"
    line = ["simulate", "--charge-points", "3", "--days", "0.3", "--mix", "mass-step", "--every-hours", "3"]
    more = ["--seed", "2", "--workers", "1", "--scenarios", str(SCENARIOS), "--out", str(out)]
    assert command.main([*line, *more]) == 0
    lived = Fleet(charge_points=3, days=0.3, seed=2, scenarios=(MASS_STEP,), every_h=3.0)
    bench = Bench([plan(lived, n) for n in range(3)], seed=2, begin_at=BEGIN_AT, shows_wire=False)
    told = [event for event in bench.run(lived.lasts_in_all_s) if isinstance(event, ScenarioLabel)]
    labels = reader.labels(out)
    assert labels == told
    assert labels[0].charge_point_ids == ["CP-1", "CP-2", "CP-3"]
    starts = [
        event
        for event in reader.events(out)
        if isinstance(event, CommandSent)
        and event.command == "RemoteStartTransaction"
        and labels[0].at <= event.at
    ]
    first = starts[:3]
    assert {event.charge_point_id for event in first} == {"CP-1", "CP-2", "CP-3"}
    assert (first[-1].at - first[0].at).total_seconds() < 1


def test_too_few_for_what_is_named_is_said(tmp_path, capsys: pytest.CaptureFixture[str]):
    line = ["simulate", "--charge-points", "2", "--mix", "mass-step", "--scenarios", str(SCENARIOS)]
    assert command.main([*line, "--out", str(tmp_path / "set")]) == 2
    assert "mass-step: needs 3 charge points" in capsys.readouterr().err
