"""Forward from every released version: a memory full of data is brought up to this one, nothing is lost."""

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from embedded import postgres as embedded_postgres
from embedded.postgres import SUPERUSER, PostgresFiles
from memorybank import migrations, rollup
from memorybank.store import Store
from memorybank.work import Work
from memorybank_parts import ask
from real_parts import COUNTED_BY_SOURCE, Postgres, ServerProcess, wait_until

FROZEN = Path(__file__).parent.parent / "golden" / "memory"
RELEASED = {1: "9d0aff29506d4199da77c53735e75e36efdf0b59c77c5a95c62f9ea76ca6f73f"}
"""SHA-256 of each released migration: who changes one leaves every database behind that has had it."""
VERSIONS = sorted(int(path.stem) for path in FROZEN.glob("*.sql"))

Connection = psycopg.Connection[Any]


@pytest.fixture(params=VERSIONS)
def old(request: pytest.FixtureRequest, postgres: Postgres) -> Postgres:
    """A database of a released version with data in every table."""
    until = [migration for migration in migrations.available() if migration.version <= request.param]
    with psycopg.connect(postgres.writer_url) as connection:
        migrations.apply(connection, until)
        connection.execute((FROZEN / f"{request.param:04}.sql").read_bytes())
    return postgres


@pytest.fixture
def new(_shared_postgres: tuple[ServerProcess, PostgresFiles]) -> Iterator[Postgres]:
    """A second database, empty."""
    server, files = _shared_postgres
    name = f"new_{secrets.token_hex(4)}"
    embedded_postgres.prepare(files, name)
    yield Postgres(server, files, name)
    with psycopg.connect(files.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[arg-type]


def tables(connection: Connection) -> list[str]:
    rows = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables t JOIN pg_class c"
        " ON c.oid = to_regclass(format('%I.%I', schemaname, tablename))"
        " WHERE schemaname IN ('memory', 'truth') AND NOT c.relispartition ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def contents(connection: Connection, columns: dict[str, list[str]] | None = None) -> dict[str, list[Any]]:
    """Return every row of every table, by the columns given or all there are."""
    kept: dict[str, list[Any]] = {}
    for table in columns or tables(connection):
        names = ", ".join(columns[table]) if columns else "*"
        cursor = connection.execute(f"SELECT {names} FROM {table}")  # type: ignore[arg-type]
        kept[table] = sorted(map(repr, cursor.fetchall()))
    return kept


def columns_of(connection: Connection, table: str) -> list[str]:
    cursor = connection.execute(f"SELECT * FROM {table} LIMIT 0")  # type: ignore[arg-type]
    return [column.name for column in cursor.description or []]


def migrate(postgres: Postgres) -> None:
    with psycopg.connect(postgres.writer_url) as connection:
        migrations.apply(connection, migrations.available())


def test_the_frozen_memory_has_data_in_every_table(old: Postgres) -> None:
    """Else the tests below would show nothing."""
    with psycopg.connect(old.superuser_url) as connection:
        assert [table for table, rows in contents(connection).items() if not rows] == []


def test_no_row_is_lost_or_changed(old: Postgres) -> None:
    """Every row of every table, in all the columns it had."""
    with psycopg.connect(old.superuser_url) as connection:
        had = {table: columns_of(connection, table) for table in tables(connection)}
        had.pop("memory.schema_migrations")
        before = contents(connection, had)
    migrate(old)
    with psycopg.connect(old.superuser_url) as connection:
        assert contents(connection, had) == before


def test_a_migrated_memory_is_the_same_as_a_new_one(old: Postgres, new: Postgres) -> None:
    """The same tables, columns, indexes, views and grants, partitions of its own days apart."""
    migrate(old)
    migrate(new)
    shape = """
        SELECT n.nspname, c.relname, c.relkind, c.relacl::text, c.reloptions, c.relrowsecurity,
               (SELECT array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || a.attnotnull
                                 ORDER BY a.attnum)
                FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
               CASE c.relkind WHEN 'v' THEN pg_get_viewdef(c.oid) WHEN 'i' THEN pg_get_indexdef(c.oid)
                              WHEN 'I' THEN pg_get_indexdef(c.oid) END
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('memory', 'truth', 'dash') AND c.relname !~ '_[0-9]{4,8}(_|$)' ORDER BY 1, 2"""
    assert ask(old, shape) == ask(new, shape)


def test_its_readings_are_rolled_up(old: Postgres) -> None:
    """Bit by bit, into partitions of the days they are of."""
    migrate(old)
    with psycopg.connect(old.writer_url, autocommit=True) as connection:
        while rollup.advance(connection, range(16), rows=50):
            pass
    (readings,) = ask(old, "SELECT count(*), sum(current_a) FROM memory.metrics")
    for level in ("10s", "1m", "1h"):
        (rolled,) = ask(old, f"SELECT sum(readings), sum(current_sum) FROM memory.metrics_{level}")
        assert rolled == pytest.approx(readings)
    assert ask(old, "SELECT sum(readings) FROM memory.metrics_10s_20260203") == ask(
        old, "SELECT count(*) FROM memory.metrics_20260203"
    )


def test_readers_and_a_migration_do_not_block_each_other(old: Postgres) -> None:
    """Who reads one thing and then another while it waits is let through first; nobody's work is cut off."""
    with psycopg.connect(old.grafana_url) as reader, ThreadPoolExecutor(1) as thread:
        reader.execute("SELECT count(*) FROM dash.sources")
        migrating = thread.submit(migrate, old)
        waiting = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted"
        wait_until(lambda: ask(old, waiting) == [(True,)], what="the migration to wait")
        reader.execute("SELECT count(*) FROM dash.metrics")
        reader.execute("SELECT count(*) FROM dash.events")
        reader.commit()
        migrating.result(30)
    (version,) = ask(old, "SELECT max(version) FROM memory.schema_migrations")
    assert version == (migrations.available()[-1].version,)


def test_a_memorybank_goes_on_with_it(old: Postgres) -> None:
    """It knows its sources, patterns and open anomalies, and every number is there as before."""
    counted = ask(old, COUNTED_BY_SOURCE + " ORDER BY 1, 2")

    async def start() -> tuple[int, int, int]:
        store = Store(old.writer_url)
        try:
            remembered = await store.load()
            await store.save(Work())
            return len(remembered.positions), len(remembered.patterns), len(remembered.open_anomalies)
        finally:
            await store.aclose()

    assert asyncio.run(start()) == (14, 1, 1)
    assert ask(old, COUNTED_BY_SOURCE + " ORDER BY 1, 2") == counted


def test_released_migrations_stay_as_they_are() -> None:
    """A change comes as a migration of its own."""
    assert {m.version: m.checksum for m in migrations.available() if m.version in RELEASED} == RELEASED
