"""What is forgotten, on a real PostgreSQL: by age, by size on disk, and what stays."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from memorybank import migrations, retention, rollup, tables
from memorybank.retention import Keep, Retention
from memorybank_parts import ask
from real_parts import Postgres, wait_until

NOW = datetime.now(UTC)
FOR_EVER = Keep(days=0, rollup_days=0, gigabytes=0)
DAYS = ("events", "metrics", "metrics_10s")
PARENTS = (*DAYS, "metrics_1m", "metrics_1h")

Connection = psycopg.Connection[tuple[object, ...]]


@pytest.fixture
def memory(postgres: Postgres) -> Iterator[Connection]:
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        migrations.apply(connection, migrations.available())
        yield connection


def day_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def name_of(parent: str, at: datetime) -> str:
    return f"{parent}_{at:%Y%m%d}"


def remember(
    connection: Connection,
    days: float,
    rows: int = 3,
    *,
    partition: bool = True,
    charge_point_id: str = "CP-1",
) -> int:
    """Store readings and as many events of so many days ago, rolled up; return their source."""
    at = day_ago(days)
    if partition:
        for parent in PARENTS:
            connection.execute("SELECT memory.make_partition(%s, %s)", (parent, at.replace(tzinfo=None)))
    row = connection.execute(
        "INSERT INTO memory.sources (source, boot, committed_seq, last_stored_at) VALUES (%s, %s, %s, %s)"
        " RETURNING source_no",
        (f"chargepoint:{charge_point_id}/events/03", uuid4(), 2 * rows, at),
    ).fetchone()
    assert row is not None
    connection.execute(
        "INSERT INTO memory.metrics (at, seq, source_no, connector, charge_point_id, origin, current_a)"
        " SELECT %s, n, %s, 1, %s, 'can', n FROM generate_series(1, %s) n",
        (at, row[0], charge_point_id, rows),
    )
    connection.execute(
        "INSERT INTO memory.events (at, seq, source_no, connector, charge_point_id, kind, detail)"
        " SELECT %s, n, %s, 1, %s, 'system_event', '{}' FROM generate_series(%s + 1, 2 * %s) n",
        (at, row[0], charge_point_id, rows, rows),
    )
    while rollup.advance(connection, range(16)):
        pass
    return row[0]  # type: ignore[return-value]


def days_of(connection: Connection, parent: str) -> set[date]:
    rows = connection.execute(
        f"SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM memory.{parent}"
    ).fetchall()  # type: ignore[arg-type]
    return {row[0] for row in rows}  # type: ignore[misc]


def partitions(connection: Connection) -> set[str]:
    return {str(row[0]) for row in connection.execute("SELECT partition FROM memory.partitions")}


def test_whole_days_go_by_age(memory: Connection) -> None:
    """Events, readings and 10 s rollups; minutes and hours stay, and so does what is younger."""
    for days in (0, 1, 29, 32):
        remember(memory, days)
    outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert outcome.problem is None
    assert set(outcome.dropped) == {name_of(parent, day_ago(32)) for parent in DAYS}
    for parent in DAYS:
        assert days_of(memory, parent) == {day_ago(days).date() for days in (0, 1, 29)}
    assert memory.execute("SELECT sum(readings) FROM memory.metrics_1m").fetchone() == (12,)
    assert memory.execute("SELECT sum(readings) FROM memory.metrics_1h").fetchone() == (12,)


def test_a_day_is_kept_until_all_of_it_is_too_old(memory: Connection) -> None:
    """What happened at noon 30 days ago is still there in the evening."""
    noon = NOW.replace(hour=12)
    midnight = noon.replace(hour=0, minute=0, second=0, microsecond=0)
    for days in (30, 31):
        memory.execute(
            "SELECT memory.make_partition('events', %s)", ((midnight - timedelta(days=days)).date(),)
        )
    keep = Keep(days=30, rollup_days=400, gigabytes=0)
    gone = name_of("events", midnight - timedelta(days=31))
    assert retention.enforce(memory, keep, midnight).dropped == [gone]
    assert retention.enforce(memory, keep, noon).dropped == []


def test_borders_are_utc_wherever_one_asks(memory: Connection) -> None:
    """A month is not longer, and a day not shorter, for a session with a time zone of its own."""
    for day in ("2026-03-29", "2026-10-25"):
        memory.execute("SELECT memory.make_partition(parent, %s) FROM memory.partitioning", (day,))
    question = (
        "SELECT partition, extract(epoch FROM from_at), extract(epoch FROM to_at) FROM memory.partitions"
    )
    expected = set(memory.execute(question))
    for zone in ("America/New_York", "Europe/Berlin", "Pacific/Kiritimati"):
        memory.execute("SELECT set_config('timezone', %s, false)", (zone,))
        assert set(memory.execute(question)) == expected


def test_only_partitions_have_names_that_are_dates(memory: Connection) -> None:
    """A table of PostgreSQL's own ends in its number, which is no date, whatever is looked at first."""
    memory.execute("CREATE TABLE memory.verdicts_999999 (n integer)")  # six digits, and no month
    assert retention.enforce(memory, FOR_EVER, NOW).problem is None
    view = memory.execute("SELECT partition FROM memory.partitions WHERE to_at <= now()").fetchall()
    assert ("verdicts_999999",) not in view


def test_rollups_go_by_an_age_of_their_own(memory: Connection) -> None:
    """A month of minutes and a year of hours go when all of it is too old."""
    remember(memory, 800)
    remember(memory, 2)
    outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert {f"metrics_1m_{day_ago(800):%Y%m}", f"metrics_1h_{day_ago(800):%Y}"} <= set(outcome.dropped)
    assert days_of(memory, "metrics_1m") == {day_ago(2).date()}
    assert len(days_of(memory, "metrics_1h")) == 1


def test_nothing_goes_where_nothing_is_bounded(memory: Connection) -> None:
    """0 is without end."""
    remember(memory, 5000)
    remember(memory, 4000, partition=False)
    before = partitions(memory)
    assert retention.enforce(memory, FOR_EVER, NOW) == retention.Outcome([], None)
    assert partitions(memory) == before
    assert memory.execute("SELECT count(*) FROM memory.events").fetchone() == (6,)


def test_catch_alls_are_emptied_of_what_is_too_old(memory: Connection) -> None:
    """A wrong clock's rows have no partition to drop; those of the future stay."""
    remember(memory, 900, partition=False)
    remember(memory, 3, partition=False)
    remember(memory, -9000, partition=False)
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    for parent in PARENTS:
        assert len(days_of(memory, f"{parent}_other")) == 2, parent
        assert min(days_of(memory, f"{parent}_other")) == day_ago(3).date()


def test_poison_goes_with_the_events(memory: Connection) -> None:
    for days, digest in ((31, b"old"), (29, b"young")):
        memory.execute(
            "INSERT INTO memory.poison (last_at, topic, reason, payload, digest)"
            " VALUES (%s, 't', 'r', '', %s)",
            (day_ago(days), digest),
        )
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert memory.execute("SELECT digest FROM memory.poison").fetchall() == [(b"young",)]


def test_the_pace_goes_with_the_events(memory: Connection) -> None:
    for days in (31, 29):
        memory.execute(
            "INSERT INTO memory.pulses VALUES (%s, 10, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0)",
            (day_ago(days),),
        )
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert memory.execute("SELECT at FROM memory.pulses").fetchall() == [(day_ago(29),)]


def test_verdicts_go_by_age_and_by_number(memory: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing else is forgotten: nobody bounds what foreign detectors say but us."""
    for days in (31, 29, 3, 2):
        memory.execute(
            "INSERT INTO memory.verdicts (detector, charge_point_id, connector, kind, at, explanation,"
            " heard_at)"
            " VALUES ('d', 'CP-1', 1, 'k', %(at)s, '', %(at)s)",
            {"at": day_ago(days)},
        )
    retention.enforce(memory, FOR_EVER, NOW)
    assert memory.execute("SELECT count(*) FROM memory.verdicts").fetchone() == (4,)
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    left = memory.execute("SELECT at FROM memory.verdicts ORDER BY at DESC").fetchall()
    assert left == [(day_ago(2),), (day_ago(3),), (day_ago(29),)]
    monkeypatch.setattr(retention, "_MOST_VERDICTS", 2)
    retention.enforce(memory, FOR_EVER, NOW)
    assert memory.execute("SELECT count(*) FROM memory.verdicts").fetchone() == (2,)


def test_numbers_that_were_set_aside_are_not_taken_for_lost(memory: Connection) -> None:
    """They go by the second, their neighbours by the day."""
    source = remember(memory, 30.1)
    memory.execute(
        "INSERT INTO memory.poison (last_at, topic, source_no, seq, reason, payload, digest)"
        " VALUES (%s, 't', %s, 4, 'r', '', '')",
        (day_ago(30.1), source),
    )
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert memory.execute("SELECT count(*) FROM memory.poison").fetchone() == (0,)
    dropped = memory.execute("SELECT dropped_seq FROM memory.sources").fetchone()
    assert dropped is not None
    assert dropped[0] >= 4  # type: ignore[operator]


def test_too_much_on_disk_costs_the_oldest_days(memory: Connection) -> None:
    """Until it fits: the oldest first, and no more than it takes."""
    for days in (9, 8, 7, 1, 0):
        remember(memory, days, rows=3000)
    held = retention.bytes_on_disk(memory)
    oldest = memory.execute(
        "SELECT sum(bytes) FROM memory.partitions WHERE span = 'day' AND from_at <= %s", (day_ago(9),)
    ).fetchone()
    assert oldest is not None
    bound = (held - int(oldest[0]) + 10_000) / 1e9  # type: ignore[call-overload]
    outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=bound), NOW)
    assert outcome.problem is None
    assert set(outcome.dropped) == {name_of(parent, day_ago(9)) for parent in DAYS}
    assert retention.bytes_on_disk(memory) <= bound * 1e9
    assert days_of(memory, "metrics") == {day_ago(days).date() for days in (8, 7, 1, 0)}


def test_today_and_yesterday_stay_however_much_it_is(memory: Connection) -> None:
    """What happens now is worth more than the bound, and that it does not hold is told."""
    for days in (400, 2, 1, 0):
        remember(memory, days)
    outcome = retention.enforce(memory, Keep(days=0, rollup_days=0, gigabytes=1e-6), NOW)
    assert outcome.problem is not None
    assert "nothing more may be dropped" in outcome.problem
    for parent in DAYS:
        assert days_of(memory, parent) == {day_ago(days).date() for days in (1, 0)}
    # The rollups of a year would not make it fit: they are not given away for nothing.
    assert len(days_of(memory, "metrics_1m")) == 4


def test_old_rollups_go_where_that_makes_it_fit(memory: Connection) -> None:
    for days in (400, 0):
        remember(memory, days)
    for parent in DAYS:
        memory.execute(f"DROP TABLE memory.{name_of(parent, day_ago(400))}")  # type: ignore[arg-type]
    bound = (retention.bytes_on_disk(memory) - 10_000) / 1e9
    outcome = retention.enforce(memory, Keep(days=0, rollup_days=0, gigabytes=bound), NOW)
    assert outcome == retention.Outcome([f"metrics_1m_{day_ago(400):%Y%m}"], None)


def test_nothing_younger_goes_in_the_place_of_what_is_read(memory: Connection, postgres: Postgres) -> None:
    """A backup or an export that takes long does not cost the rollups of a year."""
    for days in (400, 9, 0):
        remember(memory, days)
    before = partitions(memory)
    keep = Keep(days=0, rollup_days=0, gigabytes=(retention.bytes_on_disk(memory) - 10_000) / 1e9)
    with psycopg.connect(postgres.reader_url) as reader:
        for parent in DAYS:
            reader.execute(f"SELECT count(*) FROM memory.{parent}")  # type: ignore[arg-type]
        outcome = retention.enforce(memory, keep, NOW)
        assert outcome == retention.Outcome([], f"{name_of('events', day_ago(400))} waits for a reader")
        assert partitions(memory) == before


def test_a_reader_is_waited_for_once(memory: Connection, postgres: Postgres) -> None:
    """Each wait holds everybody up: not one for every day that a lowered setting forgets."""
    for days in (35, 34, 33, 32):
        remember(memory, days)
    with psycopg.connect(postgres.reader_url) as reader:
        reader.execute("SELECT count(*) FROM memory.metrics")
        outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
        assert outcome.problem == f"{name_of('metrics', day_ago(35))} waits for a reader"
        assert len(outcome.dropped) == 8


def test_a_writer_in_the_way_holds_up_nothing_else(memory: Connection, postgres: Postgres) -> None:
    """What needs a source that is being written waits; other days go."""
    wrong_clock = remember(memory, 900, partition=False)
    remember(memory, 40, charge_point_id="CP-2")
    with psycopg.connect(postgres.writer_url) as writer:
        writer.execute("UPDATE memory.sources SET events = 1 WHERE source_no = %s", (wrong_clock,))
        outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    assert outcome.problem == "events_other waits for the writer; metrics_other waits for the writer"
    assert set(outcome.dropped) == {name_of(parent, day_ago(40)) for parent in DAYS}


def test_no_reading_goes_from_a_catch_all_before_it_is_rolled_up(memory: Connection) -> None:
    """Rollups stay longer than readings, also those of a clock that was months behind."""
    source = remember(memory, 100, partition=False)
    memory.execute("UPDATE memory.sources SET rolled_seq = 1")
    memory.execute("TRUNCATE memory.metrics_1h")
    keep = Keep(days=30, rollup_days=400, gigabytes=0)
    retention.enforce(memory, keep, NOW)
    assert memory.execute("SELECT seq FROM memory.metrics ORDER BY seq").fetchall() == [(2,), (3,)]
    assert memory.execute("SELECT count(*) FROM memory.events").fetchone() == (0,)
    rollup.advance(memory, range(16))
    retention.enforce(memory, keep, NOW)
    assert memory.execute("SELECT count(*) FROM memory.metrics").fetchone() == (0,)
    assert memory.execute("SELECT sum(readings) FROM memory.metrics_1h").fetchone() == (2,)
    assert memory.execute("SELECT source_no, dropped_seq FROM memory.sources").fetchall() == [(source, 6)]


def test_what_comes_while_its_day_goes_is_not_lost_unnoticed(memory: Connection, postgres: Postgres) -> None:
    """A reading committed between the noting and the dropping of its day is rolled up and noted first."""
    source = remember(memory, 40)
    keep = Keep(days=30, rollup_days=400, gigabytes=0)
    with psycopg.connect(postgres.writer_url) as writer, ThreadPoolExecutor(1) as thread:
        writer.execute(
            "INSERT INTO memory.metrics (at, seq, source_no, connector, charge_point_id, origin, current_a)"
            " VALUES (%s, 7, %s, 1, 'CP-1', 'can', 7)",
            (day_ago(40), source),
        )
        forgetting = thread.submit(retention.enforce, memory, keep, NOW)
        wait_until(
            lambda: ask(postgres, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(1,)],
            what="the drop to wait",
        )
        writer.execute("UPDATE memory.sources SET committed_seq = 7 WHERE source_no = %s", (source,))
        writer.commit()
        outcome = forgetting.result(15)
    assert outcome.problem == f"{name_of('metrics', day_ago(40))} waits for a reader"
    rollup.advance(memory, range(16))
    assert retention.enforce(memory, keep, NOW).dropped == [name_of("metrics", day_ago(40))]
    assert memory.execute("SELECT sum(readings) FROM memory.metrics_1h").fetchone() == (4,)
    assert memory.execute("SELECT dropped_seq FROM memory.sources").fetchone() == (7,)


def test_no_day_goes_by_age_before_it_is_rolled_up(memory: Connection) -> None:
    """A database that was just migrated has the rollups of its days still before it."""
    remember(memory, 40)
    memory.execute("UPDATE memory.sources SET rolled_seq = 1")
    keep = Keep(days=30, rollup_days=400, gigabytes=0)
    outcome = retention.enforce(memory, keep, NOW)
    assert name_of("metrics", day_ago(40)) not in outcome.dropped
    assert outcome.problem == f"{name_of('metrics', day_ago(40))} waits for the rollups"
    memory.execute("UPDATE memory.sources SET rolled_seq = committed_seq")
    assert retention.enforce(memory, keep, NOW).dropped == [name_of("metrics", day_ago(40))]


def test_numbers_that_were_dropped_are_not_taken_for_lost(memory: Connection) -> None:
    """A source knows up to where its numbers may be gone."""
    old, older = remember(memory, 40, rows=5), remember(memory, 2000, rows=7, partition=False)
    young = remember(memory, 3, charge_point_id="CP-2")
    retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=0), NOW)
    rows = memory.execute("SELECT source_no, dropped_seq FROM memory.sources").fetchall()
    assert dict(rows) == {old: 10, older: 14, young: 0}  # type: ignore[arg-type]


def test_a_reader_is_not_disturbed_and_disturbs_nobody(memory: Connection, postgres: Postgres) -> None:
    """What somebody reads goes later; meanwhile the others are not kept waiting."""
    remember(memory, 40)
    keep = Keep(days=30, rollup_days=400, gigabytes=0)
    with psycopg.connect(postgres.reader_url) as reader:
        reader.execute("SELECT count(*) FROM memory.events")
        outcome = retention.enforce(memory, keep, NOW)
        assert outcome.problem == f"{name_of('events', day_ago(40))} waits for a reader"
        assert name_of("metrics", day_ago(40)) in outcome.dropped
        reader.rollback()
        assert retention.enforce(memory, keep, NOW) == retention.Outcome(
            [name_of("events", day_ago(40))], None
        )


def test_sources_without_rows_are_forgotten(memory: Connection) -> None:
    """Not those of another share, not those that were heard of lately or have rows left."""
    gone, with_rows, lately = remember(memory, 40), remember(memory, 41), remember(memory, 2)
    memory.execute("INSERT INTO memory.gaps VALUES (%s, 1, 2), (%s, 3, 4)", (gone, lately))
    memory.execute("DELETE FROM memory.events WHERE source_no <> %s", (with_rows,))
    memory.execute("DELETE FROM memory.metrics WHERE source_no <> %s", (with_rows,))
    assert retention.forget_sources(memory, [0, 1, 2], day_ago(30)) == 0
    assert retention.forget_sources(memory, range(16), day_ago(30)) == 1
    assert memory.execute("SELECT source_no FROM memory.sources ORDER BY 1").fetchall() == [
        (with_rows,),
        (lately,),
    ]
    assert memory.execute("SELECT source_no FROM memory.gaps").fetchall() == [(lately,)]


def test_a_forgotten_source_goes_on_where_it_was(memory: Connection) -> None:
    """It lost nothing, and what it sends again is known."""
    number = remember(memory, 40)
    ((source, boot, stored),) = memory.execute(
        "SELECT source, boot, committed_seq FROM memory.sources WHERE source_no = %s", (number,)
    ).fetchall()
    memory.execute("DELETE FROM memory.events")
    memory.execute("DELETE FROM memory.metrics")
    assert retention.forget_sources(memory, range(16), day_ago(30)) == 1
    position = tables.position(memory, source, boot)
    assert position.committed == stored > 0
    assert position.source_no != number
    assert memory.execute("SELECT rolled_seq, dropped_seq, gaps FROM memory.sources").fetchall() == [
        (stored, stored, 0)
    ]
    assert memory.execute("SELECT count(*) FROM memory.forgotten").fetchall() == [(0,)]


async def test_it_tells_what_does_not_work_and_goes_on(own_postgres: Postgres) -> None:
    """Without a database it says so, and forgets when there is one again."""
    with psycopg.connect(own_postgres.writer_url, autocommit=True) as connection:
        migrations.apply(connection, migrations.available())
        remember(connection, 40)
    own_postgres.server.stop()
    forgetting = Retention(own_postgres.writer_url, Keep(days=30, rollup_days=400, gigabytes=0), again_s=0.1)
    task = asyncio.create_task(forgetting.run())
    try:
        await asyncio.to_thread(wait_until, lambda: forgetting.problem is not None, what="the problem")
        own_postgres.server.start()
        await asyncio.to_thread(wait_until, lambda: forgetting.dropped_partitions == 3, what="the drops")
        await asyncio.to_thread(wait_until, lambda: forgetting.problem is None, what="no problem")
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert ask(own_postgres, "SELECT count(*) FROM memory.events") == [(0,)]


def hours_of(connection: Connection) -> list[datetime]:
    rows = connection.execute(
        "SELECT from_at FROM memory.partitions WHERE parent = 'metrics' AND span = 'hour' ORDER BY 1"
    )
    return [row[0] for row in rows]  # type: ignore[misc]


def hour(ago: int) -> datetime:
    return NOW.replace(minute=0, second=0, microsecond=0) - timedelta(hours=ago)


def test_too_much_on_disk_costs_the_oldest_hours(memory: Connection) -> None:
    """Where a fleet is cut by the hour, what is left is this hour and the last one."""
    memory.execute("SELECT memory.cut_by('hour')")
    for ago in (30, 5, 2, 1, 0):
        remember(memory, ago / 24, rows=300)
    assert hours_of(memory) == [hour(ago) for ago in (30, 5, 2, 1, 0)]
    outcome = retention.enforce(memory, Keep(days=30, rollup_days=400, gigabytes=1e-6), NOW)
    assert len(outcome.dropped) == 3 * len(DAYS)
    assert hours_of(memory) == [hour(1), hour(0)]
    assert memory.execute("SELECT count(*) FROM memory.metrics").fetchone() == (600,)
    assert memory.execute("SELECT sum(readings) FROM memory.metrics_1h").fetchone() == (1500,)


def test_what_was_begun_as_a_day_stays_a_day(memory: Connection) -> None:
    """Hours begin tomorrow: the empty day that was made ahead gives way, one with rows does not."""
    for days in (-2, 0):
        remember(memory, days)
    memory.execute("SELECT memory.make_partition('metrics', %s)", (day_ago(-1).date(),))
    memory.execute("SELECT memory.cut_by('hour')")
    for days in (-2, -1, 0):
        memory.execute("SELECT memory.make_partition('metrics', %s)", (day_ago(days).replace(tzinfo=None),))
    assert hours_of(memory) == [hour(-24)]
    days = {name_of("metrics", day_ago(days)) for days in (-2, 0)}
    assert days <= partitions(memory)
    assert name_of("metrics", day_ago(-1)) not in partitions(memory)


def test_what_was_begun_in_hours_stays_in_hours(memory: Connection) -> None:
    """Cut by the day again, the rest of today gets its hours, and tomorrow is a day."""
    memory.execute("SELECT memory.cut_by('hour')")
    remember(memory, 0)
    memory.execute("SELECT memory.make_partition('metrics', %s)", (day_ago(-1).replace(tzinfo=None),))
    memory.execute("SELECT memory.cut_by('day')")
    memory.execute("SELECT memory.make_partition('metrics', %s)", (day_ago(-1).date(),))
    assert hours_of(memory)[-1] == hour(0).replace(hour=23)
    assert name_of("metrics", day_ago(-1)) in partitions(memory)


def test_rows_that_waited_move_into_their_hour(memory: Connection) -> None:
    memory.execute("SELECT memory.cut_by('hour')")
    remember(memory, 0, partition=False)
    assert memory.execute("SELECT count(*) FROM memory.metrics_other").fetchone() == (3,)
    memory.execute("SELECT memory.make_partition('metrics', %s)", (NOW.replace(tzinfo=None),))
    assert memory.execute("SELECT count(*) FROM memory.metrics_other").fetchone() == (0,)
    assert memory.execute("SELECT count(*) FROM memory.metrics").fetchone() == (3,)
