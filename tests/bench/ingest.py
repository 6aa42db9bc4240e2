"""Ingest: from MQTT to committed rows, against the same rows by a bare COPY and by an INSERT a row."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg.types.json import set_json_dumps

from bench import disk
from bench.feed import feed
from bench.life import FLUSH_S, Fleet, Message, messages
from bench.parts import cpu_s, drop_database, new_database, started_broker, started_postgres
from bench.report import Progress, Report, Row, told
from memorybank.records import EVENT_COLUMNS, METRIC_COLUMNS
from memorybank_parts import MemoryBankProcess, ask
from real_parts import Broker, Postgres, wait_until

CHARGE_POINTS = 500
SECONDS = 40
ROUNDS = 2
INSERTS = 3000
_CATCHING_UP_S = 3.0
"""Outboxes that could not flush for so long send larger batches: what ingest sees after a stall."""
_BLOCK = 256 * 1024
_TABLES = {"events": EVENT_COLUMNS, "metrics": METRIC_COLUMNS}

TableRows: TypeAlias = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Ingested:
    """One run: what came, how long until it was committed, and the processor time of each part."""

    events: int
    took_s: float
    memorybank_cpu_s: float
    postgres_cpu_s: float
    broker_cpu_s: float
    rolled_up_after_s: float

    @property
    def per_s(self) -> float:
        """Events per second."""
        return self.events / self.took_s

    @property
    def per_core_s(self) -> float:
        """Events per second of processor time in the MemoryBank, PostgreSQL and the broker."""
        return self.events / (self.memorybank_cpu_s + self.postgres_cpu_s + self.broker_cpu_s)


def measure(report: Report) -> None:
    """Add the rows of ingest; ours and the baselines take turns, and the best of each counts."""
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=SECONDS)
    ways = {
        f"live batches of {CHARGE_POINTS} charge points": _life(report.seed, begin, FLUSH_S),
        f"batches of {_CATCHING_UP_S:g} s, catching up": _life(report.seed, begin, _CATCHING_UP_S),
    }
    results: dict[str, list[Ingested]] = {way: [] for way in ways}
    by_psycopg, by_server, by_insert = [], [], []
    with started_postgres() as postgres:
        for number in range(1, ROUNDS + 1):
            for way, live in ways.items():
                count = sum(message.events for message in live)
                told(f"Ingest, round {number} of {ROUNDS}: {count:,} events in {len(live):,} messages, {way}")
                database = new_database(postgres, f"ingest_{number}")
                results[way].append(_ingest(database, live))
                if way == min(ways, key=lambda one: len(ways[one])):
                    rows, encoded = _stored(database)
                    by_psycopg.append(_by_psycopg(postgres, rows, begin))
                    by_server.append(_by_server(postgres, encoded, begin))
                    by_insert.append(_by_insert(postgres, rows, begin))
                    if number == ROUNDS:
                        disk.add_events(report, database)
                drop_database(database)
    for way, found in results.items():
        name, per_s = f"ingest, {way}", max(one.per_s for one in found)
        baselines = (
            (max(by_psycopg), "a bare binary COPY of the same rows by psycopg", 0.5),
            (max(by_server), "the same, encoded beforehand: PostgreSQL alone", None),
            (max(by_insert), "an INSERT a row, each committed", 10),
        )
        for baseline, baseline_name, goal in baselines:
            report.add(
                Row(
                    name=name,
                    unit="events/s",
                    ours=per_s,
                    baseline=baseline,
                    baseline_name=baseline_name,
                    goal=goal and f"ratio ≥ {goal:g}",
                    met=goal and per_s >= goal * baseline,
                )
            )
        report.add(Row(name=f"{name}: for each core kept busy", unit="events/s", ours=_per_core_s(found)))
    latest_s = max(one.rolled_up_after_s for found in results.values() for one in found)
    name = "rollups whole, after the last commit"
    report.add(Row(name=name, unit="s", ours=latest_s, goal="≤ 10 s", met=latest_s <= 10))


def _life(seed: int, begin: datetime, flush_s: float) -> list[Message]:
    return list(messages(Fleet(CHARGE_POINTS, seed), begin, SECONDS, flush_s=flush_s))


def _per_core_s(found: list[Ingested]) -> float:
    return max(one.per_core_s for one in found)


@contextmanager
def _memorybank(postgres: Postgres) -> Iterator[tuple[MemoryBankProcess, Broker]]:
    with tempfile.TemporaryDirectory(prefix="chargebench-") as folder, started_broker() as broker:
        bank = MemoryBankProcess(postgres, broker, Path(folder) / "memorybank.log")
        bank.start()
        try:
            bank.wait_healthy(60)
            yield bank, broker
        finally:
            bank.kill()


def _ingest(postgres: Postgres, live: list[Message]) -> Ingested:
    """Send everything to a new MemoryBank on an empty database, and check that everything is there."""
    count = sum(message.events for message in live)
    with _memorybank(postgres) as (bank, broker):
        pids = [server.process.pid for server in (bank, postgres.server, broker.server) if server.process]
        before_s = [cpu_s(pid) for pid in pids]
        took_s = asyncio.run(feed(broker, live, Progress("committed", count).at))
        used_s = [cpu_s(pid) - before for pid, before in zip(pids, before_s, strict=True)]
        committed_s = time.monotonic()
        wait_until(lambda: _is_rolled_up(postgres), timeout_s=60, what="the rollups")
        rolled_up_after_s = time.monotonic() - committed_s
    assert ask(postgres, "SELECT count(*) FROM memory.numbered_events") == [(count,)]
    return Ingested(count, took_s, *used_s, rolled_up_after_s)


def _is_rolled_up(postgres: Postgres) -> bool:
    query = "SELECT (SELECT sum(readings) FROM memory.metrics_1h) = (SELECT count(*) FROM memory.metrics)"
    return ask(postgres, query) == [(True,)]


def _stored(postgres: Postgres) -> tuple[TableRows, dict[str, list[bytes]]]:
    """Return each table's rows as Python values (JSON as bytes), and as binary COPY has them."""
    rows: TableRows = {}
    encoded: dict[str, list[bytes]] = {}
    with psycopg.connect(postgres.superuser_url) as connection:
        for table, columns in _TABLES.items():
            names = ", ".join(columns)
            as_text = names.replace("detail", "convert_to(detail::text, 'UTF8')")
            rows[table] = connection.execute(f"SELECT {as_text} FROM memory.{table}").fetchall()
            with connection.cursor().copy(
                f"COPY (SELECT {names} FROM memory.{table}) TO STDOUT (FORMAT BINARY)"
            ) as copy:
                encoded[table] = _blocks(copy)
    return rows, encoded


def _blocks(copy: psycopg.Copy) -> list[bytes]:
    """Join what COPY gives row by row, so that sending it costs Python nothing."""
    blocks, block = [], bytearray()
    for part in copy:
        block += part
        if len(block) >= _BLOCK:
            blocks.append(bytes(block))
            block.clear()
    return [*blocks, bytes(block)]


@contextmanager
def _empty(postgres: Postgres, begin: datetime) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection to a migrated database without rows that has the partitions of the run."""
    database = new_database(postgres, "baseline")
    with psycopg.connect(database.writer_url, autocommit=True) as connection:
        set_json_dumps(lambda encoded: encoded, connection)
        for day in sorted({begin.date(), (begin + timedelta(seconds=2 * SECONDS)).date()}):
            for table in _TABLES:
                connection.execute("SELECT memory.make_partition(%s, %s)", (table, day))
        yield connection
    drop_database(database)


def _by_psycopg(postgres: Postgres, rows: TableRows, begin: datetime) -> float:
    """Return rows per second by COPY of Python values, everything in one transaction."""
    with _empty(postgres, begin) as connection:
        begun_s = time.monotonic()
        with connection.transaction():
            for table, columns in _TABLES.items():
                with connection.cursor().copy(_copy_into(table)) as copy:
                    copy.set_types(list(columns.values()))
                    for row in rows[table]:
                        copy.write_row(row)
        return sum(map(len, rows.values())) / (time.monotonic() - begun_s)


def _by_server(postgres: Postgres, encoded: dict[str, list[bytes]], begin: datetime) -> float:
    """Return rows per second by COPY of bytes that are ready, everything in one transaction."""
    with _empty(postgres, begin) as connection:
        begun_s = time.monotonic()
        with connection.transaction():
            for table, blocks in encoded.items():
                with connection.cursor().copy(_copy_into(table)) as copy:
                    for block in blocks:
                        copy.write(block)
        took_s = time.monotonic() - begun_s
        query = "SELECT (SELECT count(*) FROM memory.events) + (SELECT count(*) FROM memory.metrics)"
        ((count,),) = connection.execute(query).fetchall()
        return count / took_s


def _by_insert(postgres: Postgres, rows: TableRows, begin: datetime) -> float:
    """Return rows per second by prepared INSERTs, each its own transaction."""
    with _empty(postgres, begin) as connection:
        begun_s = time.monotonic()
        for table, columns in _TABLES.items():
            places = ", ".join(f"%s::{kind}" for kind in columns.values())
            query = f"INSERT INTO memory.{table} ({', '.join(columns)}) VALUES ({places})"
            for row in rows[table][: INSERTS // 2]:
                values = [one.decode() if isinstance(one, bytes) else one for one in row]
                connection.execute(query, values, prepare=True)
        return INSERTS / (time.monotonic() - begun_s)


def _copy_into(table: str) -> str:
    return f"COPY memory.{table} ({', '.join(_TABLES[table])}) FROM STDIN (FORMAT BINARY)"
