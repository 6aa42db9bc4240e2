"""What the reader promises to all who ask through it, against a real PostgreSQL."""

import asyncio
import re
from datetime import timedelta

import psycopg
import pytest

from memorybank.errors import StoreUnavailable
from memorybank.filters import Filters
from memorybank.paging import Page
from memorybank.reader import LEVELS, QUERIES, Reader
from memorybank_parts import START_AT
from real_parts import Postgres
from remembered import remember, remember_more


@pytest.fixture
def much(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    remember_more(postgres.writer_url)
    return postgres


def test_what_is_added_meanwhile_moves_no_page(much: Postgres) -> None:
    """A list that grows at its newest end is read on as if nothing had happened."""
    with Reader(much.reader_url) as reader:
        known = reader.anomalies(limit=100).items
        first = reader.anomalies(limit=2)
        with psycopg.connect(much.writer_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO memory.anomalies SELECT gen_random_uuid(), charge_point_id, 2, kind, severity,"
                " phase, now(), now(), now(), NULL, 7, 6, 90, '{}', 'new', NULL FROM memory.anomalies LIMIT 1"
            )
        second = reader.anomalies(limit=100, after=first.next)
        assert first.items + second.items == known
        assert len(reader.anomalies(limit=100)) == len(known) + 1


def test_a_memory_of_another_version_is_said_so(much: Postgres) -> None:
    """What a question needs may not be there yet, or no more."""
    with psycopg.connect(much.writer_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE memory.metrics RENAME COLUMN acknowledged_a TO something_else")
    with Reader(much.reader_url) as reader:
        with pytest.raises(StoreUnavailable, match=r"of another version.*acknowledged_a"):
            reader.metrics(Filters(charge_point_id="CP-1"))
        assert reader.summary()["sessions"] == 5


def test_a_slow_question_is_ended(much: Postgres) -> None:
    """The reader's own time limit ends it; an export has none, and changes nothing."""
    with Reader(much.reader_url, timeout_s=0.2) as reader:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"), reader._connection() as busy:
            busy.execute("SELECT pg_sleep(5)")
        assert reader.summary()["sessions"] == 5
        with reader.connection() as exporting:
            exporting.execute("SELECT pg_sleep(0.4)")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), exporting.transaction():
                exporting.execute("DELETE FROM memory.events")
        assert reader.summary()["sessions"] == 5


QUESTIONS = [
    ("events", {}),
    ("events", {"charge_point_id": "CP-1"}),
    ("events", {"kind": "transaction_started"}),
    ("events", {"charge_point_id": "CP-1", "kind": "transaction_started"}),
    ("events", {"since": START_AT, "until": START_AT + timedelta(days=1)}),
    ("events", {"after_at": START_AT, "after_source_no": 1, "after_seq": 1}),
    ("anomalies", {}),
    ("anomalies", {"charge_point_id": "CP-1"}),
    ("anomalies", {"kind": "other"}),
    ("anomalies", {"severity": "critical"}),
    ("anomalies", {"open": True}),
    ("anomalies", {"pattern_id": "00000000-0000-0000-0000-000000000000"}),
    ("anomalies", {"after_started_at": START_AT, "after_id": "00000000-0000-0000-0000-000000000000"}),
    ("sessions", {}),
    ("sessions", {"charge_point_id": "CP-1"}),
    ("metrics", {"charge_point_id": "CP-1", "connector": 1, "origin": "can"}),
    ("metrics", {"charge_point_id": "CP-1", "connector": 1, "origin": "can", "seconds": 60.0}),
    ("metrics", {"charge_point_id": "CP-1", "connector": 1, "origin": "ocpp", "seconds": 60.0}),
    *((f"rollup_{level}", {"charge_point_id": "CP-1", "connector": 1, "origin": "can"}) for level in LEVELS),
]


@pytest.mark.parametrize(("query", "asked"), QUESTIONS)
def test_a_list_begins_at_its_newest_row(much: Postgres, query: str, asked: dict[str, object]) -> None:
    """An index gives the order: neither all rows are read nor sorted, however many there are.

    In a small table the planner would rather read it all. Told not to, it marks what it must do still.
    """
    names = set(re.findall(rb"%\((\w+)\)s", QUERIES[query]))
    unasked = {name.decode(): None for name in names}
    with Reader(much.reader_url) as reader, reader.connection() as connection:
        for way in ("enable_seqscan", "enable_bitmapscan", "enable_sort"):
            connection.execute(f"SET LOCAL {way} = off".encode())
        rows = connection.execute(b"EXPLAIN " + QUERIES[query], {**unasked, **asked, "limit": 101}).fetchall()
    plan = "\n".join(row["QUERY PLAN"] for row in rows)
    assert "Index" in plan
    assert "Disabled" not in plan, plan
    for name in asked.keys() & {"charge_point_id", "kind", "severity", "connector", "pattern_id"}:
        assert re.search(rf"Index Cond: .*\b{name} = ", plan), plan


def test_pages_are_sequences(much: Postgres) -> None:
    """What asks for rows only needs not know of pages."""
    with Reader(much.reader_url) as reader:
        page = reader.sources()
        assert isinstance(page, Page)
        assert [row["source"] for row in page] == sorted(row["source"] for row in page)


def test_a_restart_of_the_database_is_not_noticed(own_postgres: Postgres) -> None:
    """A connection that the server left meanwhile is replaced before it is used."""
    asyncio.run(remember(own_postgres.writer_url))
    with Reader(own_postgres.reader_url) as reader:
        assert reader.summary()["sessions"] == 1
        own_postgres.server.stop()
        with pytest.raises(StoreUnavailable):
            reader.summary()
        own_postgres.server.start()
        own_postgres.wait_ready()
        assert reader.summary()["sessions"] == 1
        own_postgres.server.kill()
        own_postgres.server.start()
        own_postgres.wait_ready()
        assert reader.summary()["sessions"] == 1
