"""What PostgreSQL has of a window: when rows were committed, which are missing, what it writes."""

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import psycopg

from bench import past
from bench.knee.ears import Sent
from contracts.can_frames import STATUS_ID
from embedded.bench import postgres_alone
from embedded.postgres import DATABASE, SUPERUSER, PostgresFiles
from memorybank import migrations
from real_parts import Postgres, ServerProcess

Ask: TypeAlias = Callable[..., list[tuple[Any, ...]]]
"""BenchProcess.query: takes SQL and its parameters."""

_ROWS = """
SELECT charge_point_id, source_no, seq, detail->>'data', NULL::float8
FROM memory.events
WHERE kind = 'can_frame_seen' AND detail->>'can_id' = %s AND charge_point_id = ANY(%s) AND at >= %s
UNION ALL
SELECT charge_point_id, source_no, seq, NULL, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
FROM memory.metrics WHERE origin = 'can' AND charge_point_id = ANY(%s) AND at >= %s
ORDER BY 1, 2, 3
"""
_COUNTED = """
SELECT charge_point_id, origin, count(*)::int FROM memory.metrics
WHERE at >= %s AND at < %s AND charge_point_id = ANY(%s) GROUP BY 1, 2
"""
_BEYOND = """
SELECT count(DISTINCT (charge_point_id, origin))::int FROM memory.metrics
WHERE at >= %s AND charge_point_id = ANY(%s)
"""
_ROW_DELAY = """
SELECT percentile_disc(0.95) WITHIN GROUP (
  ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin) - at)
)::float8
FROM memory.metrics WHERE origin = 'can' AND at >= %s AND at < %s
"""
_TROUBLE = """
SELECT detail->>'name', count(*)::int FROM memory.events
WHERE kind = 'system_event' AND at >= %s AND at < %s AND detail->>'name' IN ('csms_lost', 'message_given_up')
GROUP BY 1
"""
_GAPS = "SELECT coalesce(sum(gaps), 0)::int FROM memory.sources"
_WRITTEN = """
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::float8, pg_database_size(current_database())::float8,
       extract(epoch FROM clock_timestamp())::float8
"""


def prepare(home: Path, readings: int = 0) -> None:
    """Make the database of a bench that has not begun: it keeps when what was committed, and has a past.

    `readings`: how many that past has.
    """

    async def prepared() -> None:
        async with postgres_alone(home, lambda *_: None) as files:
            await asyncio.to_thread(_prepare, files, readings)

    asyncio.run(prepared())


def _prepare(files: PostgresFiles, readings: int) -> None:
    with psycopg.connect(files.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")  # from its next start on
    if readings:
        postgres = Postgres(ServerProcess([], files.port), files, DATABASE)
        with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
            migrations.apply(connection, migrations.available())
        past.make(postgres, readings)


@dataclass(frozen=True, slots=True)
class Row:
    """A row in the order of its source's numbers: a 0x302 (`status`), or a reading (`committed_s`)."""

    charge_point_id: str
    source_no: int
    seq: int
    status: str | None
    committed_s: float | None


def delays_s(sent: Iterable[Sent], rows: Iterable[Row]) -> list[float]:
    """Return from each frame sent to the commit of its reading; infinite where that is not there.

    The reading of a 0x300 is the next row of its charge point after the 0x302 that went before it.
    """
    committed: dict[tuple[str, str], float] = {}
    status: dict[str, str] = {}
    for row in rows:
        if row.status is not None:
            status[row.charge_point_id] = row.status
        elif row.committed_s is not None:
            named = status.pop(row.charge_point_id, None)
            if named is not None:
                committed[row.charge_point_id, named] = row.committed_s
    return [committed.get((frame.charge_point_id, frame.status), math.inf) - frame.at_s for frame in sent]


def rows(ask: Ask, sample: Sequence[str], since: datetime) -> list[Row]:
    """Return the rows of a sample of charge points, from two seconds before an instant on.

    A 0x302 may be on this side of the window's begin and its 0x300 on the other.
    """
    names = list(sample)
    since -= timedelta(seconds=2)
    return [Row(*row) for row in ask(_ROWS, str(STATUS_ID), names, since, names, since)]


def all_are_beyond(ask: Ask, names: Sequence[str], until: datetime) -> bool:
    """Return whether every charge point has readings of both origins from `until` on."""
    return ask(_BEYOND, until, list(names)) == [(2 * len(names),)]


def missing(
    counted: Iterable[tuple[str, str, int]], names: Collection[str], window_s: float
) -> dict[str, float]:
    """Return by how many readings a window of 1 Hz falls short, by origin; one is where it was cut."""
    least = math.floor(window_s) - 1
    found = {(name, origin): count for name, origin, count in counted}
    lost = {
        f"readings by {origin}": float(sum(max(0, least - found.get((name, origin), 0)) for name in names))
        for origin in ("can", "ocpp")
    }
    return {name: count for name, count in lost.items() if count}


def lost(
    ask: Ask, names: Sequence[str], since: datetime, until: datetime, *, interval_s: int = 1
) -> dict[str, float]:
    """Return what of a window is not there, by name; readings by OCPP are asked for at 1 Hz only."""
    found = missing(ask(_COUNTED, since, until, list(names)), names, (until - since).total_seconds())
    if interval_s != 1:
        found.pop("readings by ocpp", None)
    found |= {name: float(count) for name, count in ask(_TROUBLE, since, until)}
    ((gaps,),) = ask(_GAPS)
    return found | ({"numbers that are gaps": float(gaps)} if gaps else {})


def row_p95_s(ask: Ask, since: datetime, until: datetime) -> float | None:
    """Return from a reading at its charge point to its commit, 95 of 100 of all rows."""
    ((delay_s,),) = ask(_ROW_DELAY, since, until)
    return delay_s if delay_s is None else float(delay_s)


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of WAL since ever, and of the database, at an instant of PostgreSQL's clock."""

    wal: float
    database: float
    at_s: float

    def since(self, before: "Written") -> tuple[float, float]:
        """Return bytes a second of WAL, and by which the database grew."""
        took_s = self.at_s - before.at_s
        return (self.wal - before.wal) / took_s, (self.database - before.database) / took_s


def written(ask: Ask) -> Written:
    """Return what is written now."""
    ((wal, size, at_s),) = ask(_WRITTEN)
    return Written(wal, size, at_s)
