"""The store on a real PostgreSQL: what a transaction leaves behind, and what a cut one does not."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec
import psycopg
import pytest
from msgspec import structs

import detector_parts
from contracts.events import (
    CanFrameSeen,
    OcppMessageSeen,
    ScenarioLabel,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from contracts.topics import Source
from detector_parts import fluctuation
from memorybank import store as store_module
from memorybank.errors import StoreConflict
from memorybank.pace import Pace
from memorybank.records import Poison
from memorybank.sql import queries
from memorybank.store import Store
from memorybank.work import Work
from memorybank_bank import Bank, numbers_of
from memorybank_parts import START_AT, ask, batch, note, reading
from real_parts import Postgres


@pytest.fixture
async def bank(postgres: Postgres) -> AsyncIterator[Bank]:
    store = Store(postgres.writer_url)
    yield Bank(store, await store.load())
    await store.aclose()


async def reopened(postgres: Postgres, bank: Bank) -> Bank:
    """Return the bank as the next process finds it."""
    await bank.store.aclose()
    store = Store(postgres.writer_url)
    return Bank(store, await store.load())


async def test_every_kind_of_event_is_stored_where_it_belongs(bank: Bank, postgres: Postgres) -> None:
    """Events, metrics and labels get their rows; everything of an event can be read back."""
    at = START_AT
    truth = Source("csms:csms-0", "truth", 3)
    await bank.tell(
        [
            CanFrameSeen(at=at, charge_point_id="CP-1", connector=1, can_id=0x300, data="6400"),
            OcppMessageSeen(
                at=at,
                charge_point_id="CP-1",
                direction="sent",
                message_type="call_result",
                unique_id="7",
                action="Heartbeat",
                payload={"currentTime": "now", "deep": [1, {"ünï": None}]},
                round_trip_s=0.0123,
            ),
            reading(0, 63.5, voltage_v=400.1, transaction_id=7, commanded_a=64.0),
            note(4, charge_point_id=None),
        ]
    )
    await bank.tell(
        [
            ScenarioLabel(
                at=at,
                run_id="run-1",
                scenario="repeated-current-fluctuation",
                anomaly="repeated-current-fluctuation",
                phase="started",
                charge_point_ids=["CP-1", "CP-3"],
                parameters={"high_a": 100},
                seed=2**70,
            )
        ],
        truth,
    )
    rows = ask(postgres, "SELECT kind, detail, charge_point_id FROM memory.events ORDER BY seq")
    assert rows == [
        ("can_frame_seen", {"can_id": 0x300, "data": "6400"}, "CP-1"),
        (
            "ocpp_message_seen",
            {
                "direction": "sent",
                "message_type": "call_result",
                "unique_id": "7",
                "action": "Heartbeat",
                "payload": {"currentTime": "now", "deep": [1, {"ünï": None}]},
                "round_trip_s": 0.0123,
            },
            "CP-1",
        ),
        ("system_event", {"service": "test", "name": "noted", "detail": {"number": 4}}, None),
    ]
    metric = ask(
        postgres,
        "SELECT at, charge_point_id, connector, origin, transaction_id, current_a, voltage_v, power_w,"
        " commanded_a FROM memory.metrics",
    )
    assert metric == [(at, "CP-1", 1, "can", 7, 63.5, 400.1, None, 64.0)]
    label = ask(postgres, "SELECT scenario, phase, charge_point_ids, parameters, seed FROM truth.labels")
    assert label == [("repeated-current-fluctuation", "started", ["CP-1", "CP-3"], {"high_a": 100}, 2**70)]
    counts = (
        "SELECT committed_seq, events, metrics, gaps, duplicates, ahead FROM memory.sources ORDER BY source"
    )
    assert ask(postgres, counts) == [(4, 3, 1, 0, 0, 0), (1, 0, 0, 0, 0, 0)]


async def test_a_batch_that_comes_again_adds_nothing(bank: Bank, postgres: Postgres) -> None:
    """The same numbers, whole or overlapping, are stored once and counted as duplicates."""
    notes = [note(number) for number in range(1, 13)]
    await bank.save(batch(notes[:10]))
    await bank.save(batch(notes[:10]))
    await bank.save(batch(notes[5:12], 6))
    assert numbers_of(postgres) == list(range(1, 13))
    assert ask(postgres, "SELECT committed_seq, duplicates FROM memory.sources") == [(12, 15)]


async def test_a_batch_that_comes_too_early_is_left(bank: Bank, postgres: Postgres) -> None:
    """What does not continue what is stored waits until its predecessors came."""
    notes = [note(number) for number in range(1, 13)]
    await bank.save(batch(notes[:4]))
    await bank.save(batch(notes[8:], 9))
    assert numbers_of(postgres) == [1, 2, 3, 4]
    await bank.save(batch(notes[4:8], 5), batch(notes[8:], 9))
    assert numbers_of(postgres) == list(range(1, 13))
    assert ask(postgres, "SELECT committed_seq, ahead, gaps FROM memory.sources") == [(12, 4, 0)]


async def test_a_source_that_remembers_more_leaves_a_gap(bank: Bank, postgres: Postgres) -> None:
    """With an older database the events that the source has forgotten are counted as missing, once."""
    await bank.save(batch([note(1), note(2)]))
    await bank.save(batch([note(11), note(12)], 11, committed=10))
    assert numbers_of(postgres) == [1, 2, 11, 12]
    assert ask(postgres, "SELECT committed_seq, gaps FROM memory.sources") == [(12, 8)]
    assert ask(postgres, "SELECT first_seq, last_seq FROM memory.gaps") == [(3, 10)]
    assert ask(postgres, "SELECT first_seq, last_seq, lost FROM dash.gaps") == [(3, 10, 8)]


async def test_an_unknown_source_goes_on_where_it_says_and_leaves_a_gap(
    bank: Bank, postgres: Postgres
) -> None:
    """An empty or an older database has not what the source knows to be stored somewhere, and says so."""
    await bank.save(batch([note(101)], 101, committed=100))
    assert numbers_of(postgres) == [101]
    assert ask(postgres, "SELECT committed_seq, gaps FROM memory.sources") == [(101, 100)]
    assert ask(postgres, "SELECT first_seq, last_seq FROM memory.gaps") == [(1, 100)]


async def test_a_new_boot_begins_anew(bank: Bank, postgres: Postgres) -> None:
    """A new outbox numbers from 1 again; both numberings are kept apart."""
    await bank.save(batch([note(1), note(2)]))
    await bank.save(batch([note(3)], boot=2))
    rows = ask(postgres, "SELECT boot, seq FROM memory.numbered_events ORDER BY boot, seq")
    assert rows == [(uuid.UUID(int=1), 1), (uuid.UUID(int=1), 2), (uuid.UUID(int=2), 1)]


async def test_what_another_stored_meanwhile_is_not_stored_again(bank: Bank, postgres: Postgres) -> None:
    """A transaction whose source stands elsewhere is rolled back as a whole, and says so."""
    await bank.save(batch([note(1)]))
    work = await bank.work_of(batch([note(2)], 2))
    with psycopg.connect(postgres.superuser_url) as connection:
        connection.execute("UPDATE memory.sources SET committed_seq = 5")
    with pytest.raises(StoreConflict):
        await bank.store.save(work)
    assert numbers_of(postgres) == [1]


async def test_a_connection_lost_before_commit_changes_nothing_twice(bank: Bank, postgres: Postgres) -> None:
    """The backend is ended in the middle of a transaction; the work is stored once all the same."""
    await bank.save(batch([note(1)]))
    work = await bank.work_of(batch([note(2), note(3)], 2))
    with psycopg.connect(postgres.superuser_url, autocommit=True) as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE memory.metrics, memory.events IN ACCESS EXCLUSIVE MODE")
        saving = asyncio.create_task(bank.store.save(work))
        waits = (
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'memorybank' AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(10):
            while not (pids := ask(postgres, waits)):  # noqa: ASYNC110 - nobody wakes us
                await asyncio.sleep(0.02)
        ask(postgres, "SELECT pg_terminate_backend(%s)", pids[0][0])
        other.execute("COMMIT")
        await asyncio.wait_for(saving, 20)
    assert numbers_of(postgres) == [1, 2, 3]


async def test_a_database_that_stalls_is_not_said_to_answer(
    bank: Bank, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the work and says nothing more: health must tell, and say so no longer when it goes on."""
    monkeypatch.setattr(store_module, "_STALLED_AFTER_S", 0.1)
    work = await bank.work_of(batch([note(1)]))
    with psycopg.connect(postgres.superuser_url) as other:
        other.execute("LOCK TABLE memory.events IN ACCESS EXCLUSIVE MODE")
        saving = asyncio.create_task(bank.store.save(work))
        async with asyncio.timeout(10):
            while bank.store.connected:  # noqa: ASYNC110 - nobody wakes us
                await asyncio.sleep(0.02)
    await asyncio.wait_for(saving, 20)
    assert bank.store.connected


async def test_a_connection_lost_after_commit_stores_nothing_twice(bank: Bank, postgres: Postgres) -> None:
    """The commit came through, its answer did not: the second attempt finds it and leaves it."""
    await bank.save(batch([note(1)]))
    sessions = await bank.work_of(batch([reading(0, 10.0, transaction_id=1)], 2))
    attempt, lost = bank.store._attempt, 0

    def losing(action: object) -> object:
        nonlocal lost
        result = attempt(action)  # type: ignore[arg-type, var-annotated]
        if not lost:
            lost += 1

            def cut(_: object) -> object:
                raise psycopg.OperationalError("server closed the connection unexpectedly")

            return attempt(cut)
        return result

    bank.store._attempt = losing  # type: ignore[assignment, method-assign]
    await bank.store.save(sessions)
    assert lost == 1
    assert numbers_of(postgres) == [1, 2]
    assert ask(postgres, "SELECT can_readings FROM memory.sessions") == [(1,)]


async def test_only_one_memorybank_writes(bank: Bank, postgres: Postgres) -> None:
    """A second one waits until the first has gone."""
    second = Store(postgres.writer_url)
    loading = asyncio.create_task(second.load())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(loading), 0.7)
    assert not second.connected
    await bank.store.aclose()
    await asyncio.wait_for(loading, 10)
    await second.aclose()


async def test_events_of_odd_days_are_kept(bank: Bank, postgres: Postgres) -> None:
    """Old days and days far ahead make no partition; a day that comes takes what waited for it."""
    now = datetime.now(UTC)
    old, near, far = now - timedelta(days=3000), now - timedelta(days=5), now + timedelta(days=9)
    await bank.tell([note(1, at=old), note(2, at=near), note(3, at=far)])
    days = "SELECT count(*) FROM pg_class WHERE relname = 'events_' || to_char(%s::timestamptz, 'YYYYMMDD')"
    assert [ask(postgres, days, at) for at in (old, near, far)] == [[(0,)], [(1,)], [(0,)]]
    with psycopg.connect(postgres.writer_url) as connection:
        connection.execute("SELECT memory.make_partition('events', %s)", (far.date(),))
    assert numbers_of(postgres) == [1, 2, 3]
    assert ask(postgres, "SELECT count(*) FROM memory.events_other") == [(1,)]


async def test_a_large_fleet_is_cut_by_the_hour(postgres: Postgres) -> None:
    """Changed to days, today stays in hours: no row is without a partition, and none must move."""
    now = datetime.now(UTC)
    hours = "SELECT count(*) FROM memory.partitions WHERE parent = 'events' AND span = 'hour' AND to_at > %s"
    days = "SELECT count(*) FROM memory.partitions WHERE parent = 'events' AND span = 'day'"
    for span in ("hour", "day"):
        store = Store(postgres.writer_url, span=span)
        bank = Bank(store, await store.load())
        await bank.tell([note(1, at=datetime.now(UTC))])
        if span == "hour":
            assert ask(postgres, hours, now)[0][0] >= 4  # type: ignore[operator]
        await store.aclose()
    left_today = 24 - now.hour
    assert ask(postgres, hours, now)[0][0] in (left_today, left_today - 1)  # the hour may be over by now
    assert ask(postgres, days) == [(2,)]
    assert ask(postgres, "SELECT count(*) FROM memory.events_other") == [(0,)]


async def test_a_reader_in_the_way_does_not_stop_the_memory(bank: Bank, postgres: Postgres) -> None:
    """A long question keeps a partition from being made; events are stored without it."""
    with psycopg.connect(postgres.reader_url) as reader:
        reader.execute("SELECT count(*) FROM memory.events")
        await asyncio.wait_for(bank.tell([note(1)]), 10)
    assert numbers_of(postgres) == [1]


async def test_a_session_is_remembered_with_its_statistics(bank: Bank, postgres: Postgres) -> None:
    """Start, readings from both origins and end give energy, peak and mean; CAN's current counts."""
    await bank.tell([reading(0.5, 10.0, transaction_id=7)])  # comes before its start is known
    start = TransactionStarted(
        at=START_AT,
        charge_point_id="CP-1",
        connector=1,
        transaction_id=7,
        id_tag="TAG",
        meter_start_wh=1000.0,
    )
    await bank.tell([start, reading(1, 20.0, transaction_id=7, energy_wh=1010.0)])
    await bank.tell([reading(2, 99.0, transaction_id=7, origin="ocpp", energy_wh=1020.0)])
    row = "SELECT id_tag, started_at, ended_at, energy_wh, peak_a, mean_a, reason FROM dash.sessions"
    assert ask(postgres, row) == [("TAG", START_AT, None, 20.0, 20.0, 15.0, None)]
    open_now = "SELECT transaction_id, current_a, connected FROM dash.charge_points"
    assert ask(postgres, open_now) == [(7, 20.0, False)]
    end = TransactionEnded(
        at=START_AT + timedelta(seconds=3),
        charge_point_id="CP-1",
        connector=1,
        transaction_id=7,
        meter_stop_wh=1025.0,
        reason="Remote",
    )
    await bank.tell([end])
    assert ask(postgres, row) == [("TAG", START_AT, end.at, 25.0, 20.0, 15.0, "Remote")]
    assert ask(postgres, open_now) == [(None, 20.0, False)]


async def test_phantom_transactions_make_no_session(bank: Bank, postgres: Postgres) -> None:
    """A reading that names a transaction that never began is no session on a dashboard."""
    await bank.tell([reading(0, 10.0, transaction_id=-1)])
    assert ask(postgres, "SELECT count(*) FROM dash.sessions") == [(0,)]


async def test_the_latest_of_a_connector_is_by_event_time(bank: Bank, postgres: Postgres) -> None:
    """Late messages change nothing that is newer; a lost connection shows as Offline."""
    later = START_AT + timedelta(seconds=10)

    def status(word: str, at: datetime) -> StatusChanged:
        return StatusChanged(at=at, charge_point_id="CP-1", connector=1, status=word)

    await bank.tell([status("Charging", later), reading(10, 50.0)])
    await bank.tell([status("Preparing", START_AT), reading(2, 5.0)])
    now = "SELECT status, status_code, current_a, connected FROM dash.charge_points"
    assert ask(postgres, now) == [("Charging", 3, 50.0, True)]
    closed = SystemEvent(
        at=later, charge_point_id="CP-1", service="csms", name="connection_closed", detail={"code": 1006}
    )
    await bank.tell([closed])
    assert ask(postgres, now) == [("Offline", 0, 50.0, False)]
    assert ask(postgres, "SELECT status FROM dash.status ORDER BY at") == [("Preparing",), ("Charging",)]


async def test_the_store_knows_of_the_latest_readings_what_the_database_would_say(
    bank: Bank, postgres: Postgres
) -> None:
    """Readings that the store leaves out beforehand change nothing where all are left to the database."""
    draw = Random(1)
    shown = (
        "SELECT reading_at, reading_origin, current_a FROM memory.charge_points WHERE charge_point_id = '{}'"
    )
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        for number in range(60):
            one = reading(draw.randrange(60) / 2, number, origin=draw.choice(["can", "ocpp"]))
            await bank.tell([one])
            other = msgspec.json.encode([structs.replace(one, charge_point_id="CP-2")]).decode()
            connection.execute(queries("store.sql")["save_readings"], (other,))
            assert ask(postgres, shown.format("CP-1")) == ask(postgres, shown.format("CP-2"))


async def test_a_new_connection_asks_anew_for_the_latest_readings(bank: Bank, postgres: Postgres) -> None:
    """Whoever wrote while there was no connection is believed, not what was known before."""
    await bank.tell([reading(10, 50.0)])
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute("UPDATE memory.charge_points SET reading_at = %s", (START_AT,))
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE application_name = 'memorybank'"
        )
    await bank.tell([reading(11, 60.0, origin="ocpp")])
    assert ask(postgres, "SELECT current_a FROM dash.charge_points") == [(60.0,)]


async def test_the_base_scenario_is_remembered_as_one_anomaly(bank: Bank, postgres: Postgres) -> None:
    """It opens by its commands within two periods, is updated, closes, and its sessions know of it."""
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    start = TransactionStarted(
        at=START_AT + timedelta(seconds=20),
        charge_point_id="CP-1",
        connector=1,
        transaction_id=1,
        id_tag="TAG",
        meter_start_wh=0.0,
    )
    await bank.tell([start])
    opened_s = None
    commands = list(fluctuation(0.0, 8.0, 100.0, cycles=10))
    late = START_AT - detector_parts.START_AT
    for second in range(80):
        now = START_AT + timedelta(seconds=second)
        told = [structs.replace(each, at=each.at + late) for each in commands]
        due = [each for each in told if now - timedelta(seconds=1) < each.at <= now]
        work = await bank.tell([*due, reading(second, cycle[second % 8])])
        if opened_s is None and work.findings:
            opened_s = second
    assert opened_s is not None
    assert opened_s <= 18
    for second in range(80, 220):
        await bank.tell([reading(second, 0.0)])
    rows = ask(
        postgres,
        "SELECT kind, severity, phase, score >= threshold, deviation, ended_at IS NOT NULL, explanation"
        " FROM memory.anomalies",
    )
    assert len(rows) == 1
    kind, severity, phase, crossed, deviation, ended, explanation = rows[0]
    assert (kind, phase, crossed, ended) == ("repeated-current-fluctuation", "closed", True, True)
    assert severity == "info"  # ten swings of a third of what the station can do: it has just begun
    assert deviation == 99.0
    assert "the first of its kind on CP-1" in str(explanation)
    assert ask(postgres, "SELECT anomalies FROM dash.sessions") == [(1,)]
    assert ask(postgres, "SELECT open_anomalies FROM dash.charge_points") == [(0,)]
    assert ask(postgres, "SELECT count, signature ->> 'period_s' FROM memory.patterns") == [(1, "8.0")]


async def test_an_anomaly_survives_a_restart(bank: Bank, postgres: Postgres) -> None:
    """The next process goes on with the open anomaly; none is opened twice, and it closes in time."""
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    for second in range(60):
        await bank.tell([reading(second, cycle[second % 8])])
    bank = await reopened(postgres, bank)
    for second in range(60, 100):
        await bank.tell([reading(second, cycle[second % 8])])
    assert ask(postgres, "SELECT count(*), count(ended_at) FROM memory.anomalies") == [(1, 0)]
    bank = await reopened(postgres, bank)
    for second in range(100, 240):
        await bank.tell([reading(second, 0.0)])
    await bank.store.aclose()
    rows = ask(postgres, "SELECT phase, explanation FROM memory.anomalies")
    assert [phase for phase, _ in rows] == ["closed"]
    assert str(rows[0][1]).count("the first of its kind") == 1
    assert ask(postgres, "SELECT count FROM memory.patterns") == [(1,)]


async def test_poison_is_kept_once_with_its_reason(bank: Bank, postgres: Postgres) -> None:
    """The same nonsense again raises a count; NUL in what the reason quotes does no harm."""
    for _ in range(3):
        work = Work()
        work.rows.poison.append(Poison(topic="t", reason="Invalid value '\0'", payload=b"\x00nonsense"))
        await bank.store.save(work)
    assert ask(postgres, "SELECT topic, reason, times, payload FROM memory.poison") == [
        ("t", "Invalid value '\u2400'", 3, b"\x00nonsense")
    ]


async def test_the_pace_is_stored_once_and_leaves_the_truth_out(bank: Bank, postgres: Postgres) -> None:
    """When labels come tells when scenarios begin; a pulse whose commit nobody heard of is tried again."""
    truth = Source("csms:csms-0", "truth", 3)
    label = ScenarioLabel(
        at=START_AT,
        run_id="r",
        scenario="s",
        anomaly=None,
        phase="started",
        charge_point_ids=["CP-1"],
    )
    pace = Pace(0, 0.0)
    told = [await bank.tell([label], truth), await bank.tell([note(0), reading(0.0, 5.0)])]
    for work in told:
        pace.commit(work.tally, START_AT + timedelta(seconds=3))
    pulse = pace.pulse(START_AT + timedelta(seconds=10), 10.0, 4)
    for _ in range(2):
        await bank.store.save(Work(pulse=pulse))
    assert ask(
        postgres,
        "SELECT transactions, messages, events, readings, lag_p50_s, lag_max_s, waiting_messages"
        " FROM memory.pulses",
    ) == [(1, 1, 1, 1, 3, 3, 4)]


async def test_a_misplaced_event_holds_up_nothing(bank: Bank, postgres: Postgres) -> None:
    """A label on the events channel is set aside at its number; what follows is stored."""
    label = ScenarioLabel(
        at=START_AT, run_id="r", scenario="s", anomaly=None, phase="started", charge_point_ids=[]
    )
    await bank.tell([note(1), label, note(3)])
    assert numbers_of(postgres) == [1, 2, 3]
    assert ask(postgres, "SELECT seq, reason FROM memory.poison") == [
        (2, "ScenarioLabel has no place on the events channel - at `$.events[1]`")
    ]
    assert ask(postgres, "SELECT count(*) FROM truth.labels") == [(0,)]
