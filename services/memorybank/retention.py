"""What is forgotten, and when: whole partitions by age and by size on disk.

A dropped partition costs nothing and gives its disk back at once; rows deleted one by one would do neither.
Sessions, anomalies, patterns and labels stay. What foreign detectors said is bounded in number as well.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from memorybank.keepalive import as_writer
from memorybank.sql import queries

log = logging.getLogger("memorybank")

_QUERIES = {name: text.decode() for name, text in queries("retention.sql").items()}
_NUMBERED = ("events", "metrics")
_KEPT_SHORT = (*_NUMBERED, "metrics_10s")
_KEPT_LONG = ("metrics_1m", "metrics_1h")
_MOST_VERDICTS = 1_000_000
_EVERY_S = 600.0
_AGAIN_S = 60.0
_ROWS = 20_000
_LOCK_TIMEOUT = "300ms"
"""While a drop waits for a reader, everybody else waits behind it: so it waits briefly, and comes again."""
_GB = 1_000_000_000

_HELD = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
"""Somebody has what we want."""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class _Partition:
    parent: str
    name: str
    to_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """How long what is kept, in days, and how much, in GB of 10⁹ bytes on disk; 0: without end."""

    days: int
    rollup_days: int
    gigabytes: float

    def before(self, parent: str, now: datetime) -> datetime | None:
        """Return before when the rows of a table are forgotten by age; None: never."""
        days = self.days if parent in _KEPT_SHORT else self.rollup_days
        return now - timedelta(days=days) if days else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a pass dropped, and why it could not do all it should (None: it could)."""

    dropped: list[str]
    problem: str | None


class Retention:
    """Forgets every ten minutes, on a connection of its own; `run` it once a database, beside the ingest."""

    def __init__(self, url: str, keep: Keep, *, again_s: float = _AGAIN_S) -> None:
        self._url = url
        self._keep = keep
        self._again_s = again_s
        self.dropped_partitions = 0
        """So many since the start."""
        self.problem: str | None = None
        """Why the last pass did not do all it should."""

    async def run(self) -> None:
        """Forget until cancelled; what does not work is told, and tried again after `again_s`."""
        while True:
            problem = await asyncio.to_thread(self._pass)
            if problem is not None and problem != self.problem:
                log.warning("retention: %s", problem)
            self.problem = problem
            await asyncio.sleep(_EVERY_S if problem is None else self._again_s)

    def _pass(self) -> str | None:
        try:
            with psycopg.connect(self._url, **as_writer("memorybank retention")) as connection:
                outcome = enforce(connection, self._keep, datetime.now(UTC))
        except psycopg.Error as error:
            return str(error).strip().replace("\n", " ")
        self.dropped_partitions += len(outcome.dropped)
        return outcome.problem


def enforce(connection: Connection, keep: Keep, now: datetime) -> Outcome:
    """Drop what is too old and, while there is too much, the oldest days; on a connection in autocommit.

    Never today's and yesterday's; where hours are cut, never this hour's and the last's. By age no day goes
    whose readings the rollups do not have yet; by size it does, since a full disk would end everything.
    Raises psycopg.Error.
    """
    connection.execute(f"SET lock_timeout TO '{_LOCK_TIMEOUT}'")
    dropped: list[str] = []
    problems = _delete_old(connection, keep, now)
    kept: list[_Partition] = []
    held: set[str] = set()
    for each in _oldest(connection, now):
        before = keep.before(each.parent, now)
        if before is None or each.to_at > before:
            kept.append(each)
        elif each.parent == "metrics" and _ask(connection, "not_rolled_up", each) == (True,):
            problems.append(f"{each.name} waits for the rollups")
            kept.append(each)
        elif each.parent in held:
            continue  # who reads there reads all of it: everybody would wait once more for each of its days
        elif _drop(connection, each, rolled_up=True):
            dropped.append(each.name)
        else:
            problems.append(f"{each.name} waits for a reader")
            held.add(each.parent)
    if keep.gigabytes and not held:
        dropped += _drop_to_size(connection, kept, keep.gigabytes, problems)
    return Outcome(dropped, "; ".join(problems) or None)


def forget_sources(connection: Connection, partitions: Sequence[int], before: datetime) -> int:
    """Forget sources of these partitions not heard since and without rows; return how many.

    Only by who writes these partitions, and before it loads its sources: else it would miss what it knows.
    """
    parameters = {"partitions": list(partitions), "before": before}
    row = connection.execute(_statement("forget_sources"), parameters).fetchone()
    return int(row[0]) if row else 0


def _drop_to_size(
    connection: Connection, oldest: list[_Partition], gigabytes: float, problems: list[str]
) -> Iterator[str]:
    limit = gigabytes * _GB
    rollups = sum(each.bytes for each in oldest if each.parent in _KEPT_LONG)
    for each in oldest:
        excess = bytes_on_disk(connection) - limit
        if excess <= 0:
            return
        if each.parent in _KEPT_LONG and excess > rollups:
            break  # months would be forgotten for what today holds, and it would still be too much
        if not _drop(connection, each):
            # What is younger, or rolled up, does not go in its place: the reader will be gone soon.
            problems.append(f"{each.name} waits for a reader")
            return
        log.warning("dropped %s: the memory holds more than %g GB", each.name, gigabytes)
        yield each.name
    held = bytes_on_disk(connection)
    if held > limit:
        problems.append(
            f"{held / _GB:.1f} GB are held, {gigabytes:g} GB allowed, and nothing more may be dropped"
        )


def _oldest(connection: Connection, now: datetime) -> list[_Partition]:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    stay = {"yesterday": hour.replace(hour=0) - timedelta(days=1), "last_hour": hour - timedelta(hours=1)}
    rows = connection.execute(_statement("oldest"), stay)
    return [_Partition(*row) for row in rows]


def bytes_on_disk(connection: Connection) -> int:
    """Return what schema memory holds on disk, indexes included."""
    row = connection.execute(_statement("bytes")).fetchone()
    return int(row[0]) if row else 0


def _drop(connection: Connection, partition: _Partition, *, rolled_up: bool = False) -> bool:
    """Drop a partition unless somebody reads or writes there; return whether it is gone.

    With `rolled_up` not if it has readings that the rollups have not.
    """
    numbered = partition.parent in _NUMBERED
    try:
        if numbered:
            # First and apart: in one transaction it could wait for the writer, who waits for the table.
            connection.execute(_statement("note_dropped", partition.name))
        with connection.transaction():
            connection.execute(_statement("lock", partition.name, partition.parent))
            # What came late, since that was noted, is noted and rolled up before the next time.
            checks = ["not_noted"] if numbered else []
            if rolled_up and partition.parent == "metrics":
                checks.append("not_rolled_up")
            if any(_ask(connection, check, partition) == (True,) for check in checks):
                return False
            connection.execute(_statement("drop", partition.name))
    except _HELD:
        return False
    log.info("dropped %s", partition.name)
    return True


def _delete_old(connection: Connection, keep: Keep, now: datetime) -> list[str]:
    """Empty the catch-alls of what is too old: they cannot be dropped. Return what did not work."""
    problems = []
    for parent in (*_KEPT_SHORT, *_KEPT_LONG):
        before = keep.before(parent, now)
        if before is None:
            continue
        name = {"events": "delete_events", "metrics": "delete_readings"}.get(parent, "delete")
        statement = _statement(name, f"{parent}_other")
        parameters = {"before": before, "rows": _ROWS}
        try:
            while connection.execute(statement, parameters).fetchone() not in (None, (0,)):
                pass
        except _HELD:
            problems.append(f"{parent}_other waits for the writer")
    before = now - timedelta(days=keep.days) if keep.days else None
    for name in ("poison", "pulses", "verdicts"):
        parameters = {"before": before, "most": _MOST_VERDICTS}
        try:
            connection.execute(_statement(f"delete_{name}"), parameters)
        except _HELD:
            problems.append(f"{name} waits for the writer")
    return problems


def _ask(connection: Connection, name: str, partition: _Partition) -> tuple[Any, ...] | None:
    return connection.execute(_statement(name, partition.name)).fetchone()


def _statement(name: str, partition: str = "", parent: str = "") -> sql.Composed:
    return sql.SQL(_QUERIES[name]).format(
        partition=sql.Identifier("memory", partition), parent=sql.Identifier("memory", parent)
    )
