"""The rules of transactions, and that the state keeps them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from csms import transaction
from csms.state import State, StateError
from csms.transaction import STALE, SUPERSEDED, StartRequest, StopRequest, Transaction

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
START = StartRequest(
    charge_point_id="CP-1",
    connector=1,
    id_tag="A",
    timestamp="2026-06-01T12:00:00Z",
    at=NOW,
    meter_start_wh=100,
)
ACTIVE = Transaction(
    transaction_id=7, charge_point_id="CP-1", connector=1, id_tag="A", started_at=NOW, meter_start_wh=100
)
STOP = StopRequest(charge_point_id="CP-1", transaction_id=7, at=NOW + timedelta(hours=1), meter_stop_wh=900)


def test_a_stop_ends_the_transaction():
    stop = transaction.stop(ACTIVE, STOP)
    assert stop.oddity is None
    assert stop.transaction == replace(ACTIVE, ended_at=STOP.at, meter_stop_wh=900, reason="Local")


def test_an_unknown_stop_is_odd():
    assert transaction.stop(None, STOP) == transaction.Stop(None, "transaction_unknown")


def test_nobody_stops_the_transaction_of_another():
    stop = transaction.stop(ACTIVE, replace(STOP, charge_point_id="CP-2"))
    assert stop == transaction.Stop(None, "transaction_of_another_charge_point")


def test_a_retried_stop_changes_nothing():
    ended = transaction.stop(ACTIVE, STOP).transaction
    assert transaction.stop(ended, STOP) == transaction.Stop(ended)


def test_a_different_second_stop_changes_nothing_and_is_odd():
    ended = transaction.stop(ACTIVE, STOP).transaction
    assert transaction.stop(ended, replace(STOP, meter_stop_wh=1)) == transaction.Stop(
        ended, "transaction_stopped_twice"
    )


def test_a_meter_that_ran_backwards_is_odd_but_taken():
    stop = transaction.stop(ACTIVE, replace(STOP, meter_stop_wh=99))
    assert stop.oddity == "meter_ran_backwards"
    assert stop.transaction is not None
    assert stop.transaction.meter_stop_wh == 99


@pytest.mark.parametrize(
    "concluded",
    [
        transaction.superseded(ACTIVE, replace(START, meter_start_wh=800)),
        transaction.stale(ACTIVE, NOW + timedelta(minutes=1)),
    ],
)
def test_the_charge_points_own_word_replaces_an_end_that_was_concluded(concluded):
    stop = transaction.stop(concluded, STOP)
    assert stop.oddity is None
    assert stop.transaction is not None
    assert stop.transaction.meter_stop_wh == 900


def test_an_active_transaction_has_no_end_to_tell():
    with pytest.raises(ValueError, match="7 has not ended"):
        transaction.ended_event(ACTIVE)


@pytest.fixture
def state():
    with State.opened(":memory:") as opened:
        yield opened


def test_ids_grow_and_a_started_transaction_is_active(state):
    first = state.transactions.started(START)
    second = state.transactions.started(replace(START, connector=2))
    assert (first.transaction_id, second.transaction_id) == (1, 2)
    assert state.transactions.active("CP-1") == [first, second]
    assert state.transactions.active("CP-1", 2) == [second]
    assert state.transactions.get(1) == first


@pytest.mark.parametrize(
    "changes",
    [
        {"connector": 2},
        {"id_tag": "B"},
        {"timestamp": "2026-06-01T12:00:01Z"},
        {"meter_start_wh": 101},
        {"charge_point_id": "CP-2"},
    ],
)
def test_only_the_very_same_request_is_a_retry(state, changes):
    started = state.transactions.started(START)
    assert state.transactions.started_before(START) == started
    assert state.transactions.started_before(replace(START, **changes)) is None


def test_what_its_charge_point_stopped_is_started_by_no_retry(state):
    """A charge point whose clock stands still and whose meter did not move sends the same words again."""
    started = state.transactions.started(START)
    state.transactions.ended(replace(started, ended_at=START.at, meter_stop_wh=100, reason="Local"))
    assert state.transactions.started_before(START) is None


@pytest.mark.parametrize("concluded", [SUPERSEDED, STALE])
def test_an_end_that_was_concluded_here_leaves_a_retry_a_retry(state, concluded):
    started = state.transactions.started(START)
    ended = replace(started, ended_at=START.at, meter_stop_wh=100, reason=concluded)
    state.transactions.ended(ended)
    assert state.transactions.started_before(START) == ended


def test_ids_are_not_given_again_after_a_restart(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        before = state.transactions.started(START).transaction_id
    with State.opened(path) as state:
        state.transactions._db.execute("DELETE FROM transactions")
    with State.opened(path) as state:
        assert state.transactions.started(START).transaction_id == before + 1


def test_a_replica_has_ids_of_its_own():
    with State.opened(":memory:", replica=3) as state:
        assert state.transactions.started(START).transaction_id == 300_000_001


def test_a_state_file_of_another_replica_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path, replica=1) as state:
        state.transactions.started(START)
    with pytest.raises(StateError, match="CSMS_REPLICA=0"), State.opened(path):
        pass


def test_a_state_file_has_one_owner(tmp_path, monkeypatch):
    path = tmp_path / "state.sqlite"
    monkeypatch.setattr("csms.state.BUSY_TIMEOUT_S", 0.05)
    with State.opened(path) as state:
        state.transactions.started(START)
        with pytest.raises(StateError, match="locked"), State.opened(path):
            pass


def test_a_newer_state_file_is_refused(tmp_path):
    path = tmp_path / "state.sqlite"
    with State.opened(path) as state:
        state.transactions._db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="version 99"), State.opened(path):
        pass


def test_old_ended_transactions_are_forgotten_and_active_ones_kept(state, monkeypatch):
    monkeypatch.setattr("csms.state.transactions.KEPT_ENDED", 3)
    monkeypatch.setattr("csms.state.transactions._PRUNE_EVERY", 10)
    oldest = state.transactions.started(START)
    for _ in range(9):
        started = state.transactions.started(START)
        state.transactions.ended(transaction.stale(started, NOW))
    kept = {found.transaction_id for found in state.transactions.newest(limit=100)}
    assert oldest.transaction_id in kept
    assert kept == {1, 7, 8, 9, 10}


def test_a_transaction_asked_for_again_is_as_it_is_now(state, monkeypatch):
    monkeypatch.setattr("csms.state.transactions.KNOWN", 2)
    started = [state.transactions.started(START) for _ in range(3)]
    for _ in range(2):
        assert [state.transactions.get(one.transaction_id) for one in started] == started
    ended = transaction.stale(started[2], NOW)
    state.transactions.ended(ended)
    assert state.transactions.get(ended.transaction_id) == ended
    monkeypatch.setattr("csms.state.transactions.KEPT_ENDED", 0)
    monkeypatch.setattr("csms.state.transactions._PRUNE_EVERY", 1)
    state.transactions.started(START)
    assert state.transactions.get(ended.transaction_id) is None


def test_the_newest_transactions_are_listed_by_charge_point_and_activity(state):
    first = state.transactions.started(START)
    second = state.transactions.started(replace(START, charge_point_id="CP-2"))
    ended = transaction.stale(first, NOW)
    state.transactions.ended(ended)
    assert state.transactions.newest() == [second, ended]
    assert state.transactions.newest("CP-1") == [ended]
    assert state.transactions.newest(active=True) == [second]
    assert state.transactions.newest(active=False) == [ended]
