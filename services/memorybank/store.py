"""The one connection that writes: a unit of work is one transaction, repeated until it is in.

When a connection is lost at its COMMIT, nobody knows whether the work is in. The next one must first get the
writer's lock, which the old one held until it was over, and then finds the sources before or after the work.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

import psycopg
from psycopg.types.json import set_json_dumps

from chassis.backoff import delays_s
from memorybank import migrations, tables
from memorybank.errors import StoreUnavailable
from memorybank.keepalive import CLIENT_KEEPALIVE, SERVER_KEEPALIVE
from memorybank.records import Row
from memorybank.sql import queries
from memorybank.tables import Connection, Position, Remembered
from memorybank.work import Work

log = logging.getLogger("memorybank")

T = TypeVar("T")

_QUERIES = queries("store.sql")
_CONNECTION = {
    "autocommit": True,
    "connect_timeout": 5,
    "application_name": "memorybank",
    **CLIENT_KEEPALIVE,
    "options": SERVER_KEEPALIVE,
}
_STALLED_AFTER_S = 10.0
_DAYS_AHEAD = 2
_DAYS_BACK = 31
"""Older or later days do not get a partition of their own: a wrong clock could ask for thousands."""
_PARTITION_RETRY = timedelta(minutes=1)


class Store:
    """Use `load` first; every method waits until the database answers, so cancel it to stop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Connection | None = None
        # psycopg's COPY is fastest without a coroutine a row; one thread, since there is one connection.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._partitions: set[tuple[str, date]] = set()
        self._partitions_from: datetime | None = None
        self._answered = False
        self._asked_s: float | None = None

    @property
    def connected(self) -> bool:
        """Whether the database answers: it did last, and does not stall on what it was asked since."""
        asked_s = self._asked_s
        return self._answered and (asked_s is None or time.monotonic() - asked_s < _STALLED_AFTER_S)

    async def load(self) -> Remembered:
        """Bring the database up to this version and return what it remembers. Raises NewerDatabase."""
        return await self._until_done(_migrate_and_load)

    async def position(self, source: str, boot: UUID, committed: int) -> Position:
        """Return where a source stands, after adding it, stored up to `committed`, where it is new."""
        return await self._until_done(partial(tables.position, source=source, boot=boot, committed=committed))

    async def save(self, work: Work) -> None:
        """Return when the work is committed, exactly once. Raises StoreConflict."""
        first = True

        def save(connection: Connection) -> None:
            nonlocal first
            if first or not tables.is_in(connection, work):
                first = False
                self._make_partitions(connection, work)
                tables.save(connection, work)

        await self._until_done(save)

    async def check(self) -> None:
        """Return when the database answers."""
        await self._until_done(lambda connection: connection.execute("SELECT 1"))

    async def aclose(self) -> None:
        """Let go of the connection; nothing may be called afterwards."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._connection, self._answered = None, False
        self._thread.shutdown(wait=False)

    async def _until_done(self, action: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        for delay_s in delays_s(0.2, 5.0):
            try:
                return await loop.run_in_executor(self._thread, self._attempt, action)
            except StoreUnavailable as error:
                log.warning("the database is not available, trying again: %s", error)
            await asyncio.sleep(delay_s)
        raise AssertionError("the delays never end")

    def _attempt(self, action: Callable[[Connection], T]) -> T:
        self._asked_s = time.monotonic()
        try:
            if self._connection is None or self._connection.closed:
                self._connection = _connect(self._url)
                log.info("connected to the database")
            result = action(self._connection)
        except psycopg.OperationalError as error:
            # Also a full disk or a shutdown: the next attempt begins with a connection known to be sound.
            self._answered = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            raise StoreUnavailable(str(error).strip().replace("\n", " ")) from error
        finally:
            self._asked_s = None
        self._answered = True
        return result

    def _make_partitions(self, connection: Connection, work: Work) -> None:
        """Make the partitions that the work needs, and those of the next days, if nobody minds."""
        now = datetime.now(UTC)
        if self._partitions_from is not None and now < self._partitions_from:
            return
        ahead = {now.date() + timedelta(days=days) for days in range(_DAYS_AHEAD + 1)}
        earliest, latest = now.date() - timedelta(days=_DAYS_BACK), max(ahead)
        wanted = {
            (parent, day)
            for parent, rows in (("events", work.rows.events), ("metrics", work.rows.metrics))
            for day in _days(rows) | ahead
            if earliest <= day <= latest
        }
        for parent, day in sorted(wanted - self._partitions):
            try:
                with connection.transaction():
                    # A reader in the catch-all partition must not hold us up: rows go there meanwhile.
                    connection.execute("SET LOCAL lock_timeout TO '1s'")
                    connection.execute(_QUERIES["make_partition"], {"parent": parent, "day": day})
            except psycopg.errors.LockNotAvailable:
                self._partitions_from = now + _PARTITION_RETRY
                log.warning("the partition of %s for %s must wait for a reader", parent, day)
                return
            self._partitions.add((parent, day))


def _days(rows: Iterable[Row]) -> set[date]:
    return {row[0].astimezone(UTC).date() for row in rows}


def _connect(url: str) -> Connection:
    connection = psycopg.connect(url, **_CONNECTION)
    # JSON comes as bytes already.
    set_json_dumps(lambda encoded: encoded, connection)
    if connection.execute(_QUERIES["lock"]).fetchone() == (True,):
        return connection
    connection.close()
    raise psycopg.OperationalError("another MemoryBank is writing to this database")


def _migrate_and_load(connection: Connection) -> Remembered:
    try:
        migrations.apply(connection, migrations.available())
    except psycopg.errors.InvalidSchemaName as error:
        raise psycopg.OperationalError("sql/roles.sql has not been run on this database") from error
    return tables.load(connection)
