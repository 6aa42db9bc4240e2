"""A memory with a long past: made in the database, rolled up by the MemoryBank's own SQL."""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from contracts.topics import PARTITIONS
from memorybank import rollup
from memorybank.sql import named
from real_parts import Postgres

CONNECTORS = 20
"""Of one fleet, read twice a second: 100 million readings are 29 days of it."""
_CHUNK_S = 3600
_ROLLUP_ROWS = 200_000
_WRITERS = 2
_SMALL = ("advance", "sessions", "patterns", "anomalies", "labels", "pulses", "charge_points")


@dataclass(frozen=True, slots=True)
class Past:
    """What was made: the first and the last instant of it, and how many readings."""

    begin: datetime
    end: datetime
    readings: int
    connectors: int = CONNECTORS

    @property
    def charge_points(self) -> list[str]:
        """The names of the fleet."""
        return [f"CP-{k}" for k in range(1, self.connectors + 1)]

    def anomaly(self, charge_point_id: str) -> str:
        """Return the id of the newest anomaly of a charge point."""
        number = max(1, (int((self.end - self.begin).total_seconds()) - 1) // 3600)
        return str(UUID(hashlib.md5(f"{charge_point_id}/{number}".encode()).hexdigest()))


def make(
    postgres: Postgres,
    readings: int,
    on_done: Callable[[float], None] = lambda _: None,
    *,
    connectors: int = CONNECTORS,
) -> Past:
    """Fill an empty, migrated database with a past that ends about now; `on_done` hears the readings made."""
    seconds = readings // (2 * connectors)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=seconds)
    end = begin + timedelta(seconds=seconds)
    known = {"begin": begin, "end": end, "last": seconds - 1, "connectors": connectors}
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute(_QUERIES["sources"], known)
        for day in range((end.date() - begin.date()).days + 1):
            for (parent,) in connection.execute("SELECT parent FROM memory.partitioning").fetchall():
                partition = (parent, begin.date() + timedelta(days=day))
                connection.execute("SELECT memory.make_partition(%s, %s)", partition)
    chunks = [
        {**known, "first": first, "last": min(first + _CHUNK_S, seconds) - 1}
        for first in range(0, seconds, _CHUNK_S)
    ]
    with ThreadPoolExecutor(_WRITERS) as writers:
        made = 0
        for count in writers.map(partial(_write, postgres.writer_url), chunks):
            made += count
            on_done(made)
        with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
            for name in _SMALL:
                connection.execute(_QUERIES[name], known)
        shares = [range(number, PARTITIONS, _WRITERS) for number in range(_WRITERS)]
        list(writers.map(partial(_roll_up, postgres.writer_url), shares))
    with psycopg.connect(postgres.superuser_url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")  # as the server does by itself in the time that a past takes
    return Past(begin, end, made, connectors)


def _write(url: str, chunk: dict[str, Any]) -> int:
    with psycopg.connect(url) as connection:
        connection.execute("SET LOCAL synchronous_commit TO off")
        connection.execute(_QUERIES["events"], chunk)
        return connection.execute(_QUERIES["metrics"], chunk).rowcount


def _roll_up(url: str, share: range) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET synchronous_commit TO off")
        while rollup.advance(connection, share, rows=_ROLLUP_ROWS):
            pass


_QUERIES = named((Path(__file__).parent / "past.sql").read_text(encoding="utf-8"))
