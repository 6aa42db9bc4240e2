"""What the state keeps of charge points, id tags, limits and runs."""

import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from contracts.charging_profile import Kind, Period, Profile, Purpose, Unit
from csms.authorisation import IdTag
from csms.limits import Book, Limits
from csms.state import State
from csms.state import limits as state_limits
from csms.state.charge_points import ConnectorStatus
from csms.state.runs import Intervention, Run

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def state():
    with State.opened(":memory:") as opened:
        yield opened


def test_the_bench_tag_is_there_at_first_and_can_be_deleted_for_good(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        assert [tag.id_tag for tag in state.id_tags.all()] == ["BENCH"]
        assert state.id_tags.delete("bench")
    with State.opened(path) as state:
        assert state.id_tags.all() == []


def test_a_tag_is_the_same_in_upper_and_lower_case(state):
    state.id_tags.put(IdTag(id_tag="Abc", status="Blocked", expires_at=NOW, parent_id_tag="P"))
    assert state.id_tags.get("aBC") == IdTag(
        id_tag="Abc", status="Blocked", expires_at=NOW, parent_id_tag="P"
    )


def test_a_charge_point_is_remembered_as_it_last_connected(state):
    state.charge_points.connected("CP-1", NOW, enrolled=False)
    state.charge_points.booted("CP-1", "V", "M", None, "S")
    state.charge_points.status_changed(
        "CP-1", ConnectorStatus(connector=1, status="Charging", error_code="NoError")
    )
    state.charge_points.connected("CP-1", NOW + timedelta(hours=1), enrolled=True)
    known = state.charge_points.get("CP-1")
    assert known is not None
    assert known.enrolled
    assert (known.vendor, known.model, known.firmware, known.serial_number) == ("V", "M", None, "S")
    assert known.connectors[0].status == "Charging"
    assert known.last_seen_at == NOW + timedelta(hours=1)


def test_charge_points_that_were_cut_off_are_told_once(state):
    state.charge_points.connected("CP-1", NOW, enrolled=True)
    state.charge_points.connected("CP-2", NOW, enrolled=True)
    state.charge_points.disconnected("CP-2", NOW)
    assert state.charge_points.take_cut_off() == ["CP-1"]
    assert state.charge_points.take_cut_off() == []


def test_foreign_charge_points_beyond_the_bound_are_forgotten_the_longest_unseen_first(state, monkeypatch):
    monkeypatch.setattr("csms.state.charge_points.KEPT", 2)
    state.charge_points.connected("OWN", NOW, enrolled=True)
    for number in range(5):
        state.charge_points.connected(f"F-{number}", NOW + timedelta(seconds=number), enrolled=False)
        state.charge_points.disconnected(f"F-{number}", NOW + timedelta(seconds=number))
    # The newest was connected when it was counted.
    assert [known.charge_point_id for known in state.charge_points.all()] == ["F-2", "F-3", "F-4", "OWN"]


def test_runs_are_kept_as_they_go(state):
    run = Run(
        run_id="r",
        scenario="s",
        anomaly=None,
        charge_point_ids=("CP-1",),
        parameters={"x": 1.5},
        seed=3,
        started_at=NOW,
    )
    state.runs.save(run)
    assert state.runs.running() == [run]
    ended = replace(run, state="stopped", cycles=4, reason="why", first_command_at=NOW, ended_at=NOW)
    state.runs.save(ended)
    assert state.runs.running() == []
    assert state.runs.ended() == [ended]


def test_an_intervention_is_kept_until_undone(state):
    intervention = Intervention("r", frozenset({"BENCH"}), frozenset({1, 2}))
    state.runs.intervened("CP-1", intervention)
    assert state.runs.intervention("CP-1") == intervention
    assert state.runs.intervened_at() == ["CP-1"]
    state.runs.undone("CP-1")
    assert state.runs.intervention("CP-1") is None


def test_one_or_all_charge_points_are_left_alone(state):
    state.runs.leave_alone("CP-1")
    assert state.runs.is_left_alone("CP-1")
    assert not state.runs.is_left_alone("CP-2")
    state.runs.leave_alone()
    assert state.runs.is_left_alone("CP-2")
    state.runs.leave_none_alone()
    assert not state.runs.is_left_alone("CP-1")


def limited_to(amperes: float) -> Limits:
    profile = Profile(1, 0, Purpose.TX_DEFAULT, Kind.RELATIVE, Unit.A, (Period(0, amperes),))
    return Limits(commanded=Book().with_profile(1, profile, NOW))


def test_limits_in_force_outlive_the_process(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        assert state.limits.get("CP-1") == Limits()
        state.limits.put("CP-1", limited_to(16))
        state.limits.put("CP-1", limited_to(32))
    with State.opened(path) as state:
        assert state.limits.get("CP-1") == limited_to(32)


def test_limits_that_nobody_can_read_are_not_known(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        state.limits.put("CP-1", limited_to(16))
        state.limits.put("CP-2", limited_to(32))
    with sqlite3.connect(path) as other:
        other.execute("UPDATE limits SET limits = '{}x' WHERE charge_point_id = 'CP-1'")
    other.close()
    with State.opened(path) as state:
        assert state.limits.get("CP-1") == Limits()
        assert state.limits.get("CP-2") == limited_to(32)


def test_limits_of_so_many_charge_points_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(state_limits, "KEPT", 3)
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        for number in range(5):
            state.limits.put(f"F-{number}", limited_to(16))
    with State.opened(path) as state:
        known = [number for number in range(5) if state.limits.get(f"F-{number}") != Limits()]
    assert known == [2, 3, 4]
