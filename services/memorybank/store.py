"""The one connection that writes: a unit of work is one transaction, repeated until it is in.

When a connection is lost at its COMMIT, nobody knows whether the work is in. The next one must first get the
writer's locks, which the old one held until it was over, and then finds the sources before or after the work.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import psycopg

from chassis.backoff import delays_s
from contracts.events import Anomaly
from contracts.verdicts import Verdict
from memorybank import migrations, retention, rollup, tables
from memorybank.errors import StoreUnavailable
from memorybank.keepalive import as_writer
from memorybank.latest import Latest
from memorybank.records import Poison
from memorybank.share import Share
from memorybank.sql import queries
from memorybank.tables import Connection, Position, Remembered
from memorybank.work import Work

log = logging.getLogger("memorybank")

T = TypeVar("T")

_QUERIES = queries("store.sql")
_STALLED_AFTER_S = 10.0
_GIVEN_UP_AFTER_S = 30.0
"""A server that says nothing for so long is asked anew, each time with twice the patience: it may be slow."""
_MOST_PATIENCE_S = 600.0
_MIGRATION_PATIENCE_S = 86_400.0
_EVENTS, _METRICS = ("events",), ("metrics", "metrics_10s", "metrics_1m", "metrics_1h")
"""What is partitioned by time, by the rows that need a partition."""
_PARTITION_RETRY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class _Cut:
    """How single rows are cut into partitions, and for how many of these around now there are any.

    What is older or later does not get one of its own: a wrong clock could ask for thousands.
    """

    span: timedelta
    ahead: int
    back: int

    def around(self, now: datetime, times: set[datetime]) -> set[datetime]:
        """Return where partitions begin that are wanted now and for rows of these times; UTC, naive."""
        begin = self.begin(now)
        ahead = {begin + self.span * number for number in range(self.ahead + 1)}
        earliest, latest = begin - self.span * self.back, max(ahead)
        return ahead | {at for at in times if earliest <= at <= latest}

    def begin(self, at: datetime) -> datetime:
        """Return where the partition of a time begins; UTC, naive."""
        hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
        return hour if self.span < timedelta(days=1) else hour.replace(hour=0)

    def begins(self, times: list[datetime]) -> set[datetime]:
        """Return where the partitions of these times begin; mostly all are of one, as their ends tell."""
        ends = {self.begin(end(times)) for end in (min, max)} if times else set()
        return ends if len(ends) < 2 else set(map(self.begin, times))


_CUTS = {
    "day": _Cut(timedelta(days=1), ahead=2, back=31),
    "hour": _Cut(timedelta(hours=1), ahead=3, back=72),
}


class Store:
    """Use `load` first; every method waits until the database answers, so cancel it to stop."""

    def __init__(
        self,
        url: str,
        share: Share = Share(),  # noqa: B008 - frozen
        forget_after: timedelta | None = None,
        *,
        span: str = "day",
    ) -> None:
        """As memorybank_writer; rows are cut into partitions of a `span`, "day" or "hour".

        A start forgets sources silent for `forget_after` that have no rows.
        """
        self._url = url
        self._share = share
        self._forget_after = forget_after
        self._connection: Connection | None = None
        self._latest: Latest | None = None
        # psycopg's COPY is fastest without a coroutine a row; one thread, since there is one connection.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._span, self._cut = span, _CUTS[span]
        self._partitions: set[tuple[str, datetime]] = set()
        self._partitions_from: datetime | None = None
        self._answered = False
        self._asked: tuple[Callable[[Connection], Any], float] | None = None
        self.problem: str | None = None
        """Why the database did not take what it was given last; None: it did."""
        self.retries = 0
        """How often something had to be tried again."""

    @property
    def connected(self) -> bool:
        """Whether the database answers: it did last, and does not stall on what it was asked since."""
        asked = self._asked
        return self._answered and (asked is None or time.monotonic() - asked[1] < _STALLED_AFTER_S)

    async def load(self) -> Remembered:
        """Bring the database up to this version and return what it remembers. Raises NewerDatabase."""
        return await self._until_done(self._migrate_and_load, _MIGRATION_PATIENCE_S)

    async def recent_anomalies(self) -> list[Anomaly]:
        """Return the anomalies that are open or changed within a day, the latest last."""
        return await self._until_done(partial(tables.recent_anomalies, share=self._share))

    async def position(self, source: str, boot: UUID) -> Position:
        """Return where a source stands, after adding it where it is new."""
        return await self._until_done(partial(tables.position, source=source, boot=boot))

    async def save(self, work: Work) -> None:
        """Return when the work is committed, exactly once. Raises StoreConflict."""
        first = True

        def save(connection: Connection) -> None:
            nonlocal first
            if first or not tables.is_in(connection, work):
                first = False
                self._make_partitions(connection, work)
                if self._latest is None:
                    self._latest = tables.latest_readings(connection)
                tables.save(connection, work, self._share, self._latest)

        await self._until_done(save)

    async def save_verdicts(self, verdicts: list[Verdict], poison: list[Poison], heard_at: datetime) -> None:
        """Return when what foreign detectors said is committed; what is there already is not added again."""
        await self._until_done(
            partial(tables.save_verdicts, verdicts=verdicts, poison=poison, heard_at=heard_at)
        )

    async def verdict_detectors(self) -> list[str]:
        """Return the foreign detectors of which there are verdicts."""
        return await self._until_done(tables.verdict_detectors)

    async def roll_up(self, partitions: Sequence[int]) -> int:
        """Add readings of these partitions to the rollups, some thousand; return how many are left."""
        return await self._until_done(partial(rollup.advance, partitions=partitions))

    async def check(self) -> None:
        """Return when the database answers."""
        await self._until_done(lambda connection: connection.execute("SELECT 1"))

    async def aclose(self) -> None:
        """Let go of the connection; nothing may be called afterwards."""
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._connection, self._answered = None, False
        self._thread.shutdown(wait=False)

    async def _until_done(self, action: Callable[[Connection], T], patience_s: float | None = None) -> T:
        loop = asyncio.get_running_loop()
        patience_s = patience_s or _GIVEN_UP_AFTER_S
        for delay_s in delays_s(0.2, 5.0):
            attempt = loop.run_in_executor(self._thread, self._attempt, action)
            wait_s = patience_s
            try:
                while not (await asyncio.wait([attempt], timeout=wait_s))[0]:
                    wait_s = self._patience_left_s(action, patience_s)
                return await attempt
            except StoreUnavailable as error:
                self.retries += 1
                problem = str(error)
                if problem != self.problem:
                    log.warning("the database does not take it, trying on: %s", problem)
                self.problem = problem
            patience_s = max(patience_s, min(2 * patience_s, _MOST_PATIENCE_S))
            await asyncio.sleep(delay_s)
        raise AssertionError("the delays never end")

    def _patience_left_s(self, action: Callable[[Connection], Any], patience_s: float) -> float:
        """Return how long to wait on for what the thread was given; cut the connection where that is over.

        A server that hangs, with a host that does not, would be waited for for ever.
        """
        asked, connection = self._asked, self._connection
        if asked is None or asked[0] is not action:  # the thread still has to do with another
            return patience_s
        left_s = asked[1] + patience_s - time.monotonic()
        if left_s > 0:
            return left_s
        if connection is not None:
            log.warning("the database has said nothing for %g s: connecting anew", patience_s)
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        return patience_s

    def _attempt(self, action: Callable[[Connection], T]) -> T:
        self._asked = action, time.monotonic()
        try:
            if self._connection is None or self._connection.closed:
                self._connection = psycopg.connect(self._url, **as_writer("memorybank"))
                _prepare(self._connection, self._share)
                self._latest = None  # while nobody held the locks, another may have written
                log.info("connected to the database")
            result = action(self._connection)
        except psycopg.OperationalError as error:
            # Also a full disk or a shutdown: the next attempt begins with a connection known to be sound.
            self._answered = False
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            is_full = isinstance(error, psycopg.errors.DiskFull)
            what = " ".join(str(error).split())
            raise StoreUnavailable(f"disk full: {what}" if is_full else what) from error
        finally:
            self._asked = None
        self._answered = True
        if self.problem is not None:
            log.info("the database takes it again")
            self.problem = None
        return result

    def _migrate_and_load(self, connection: Connection) -> Remembered:
        try:
            migrations.apply(connection, migrations.available())
        except psycopg.errors.InvalidSchemaName as error:
            raise psycopg.OperationalError("sql/roles.sql has not been run on this database") from error
        if 0 in self._share.partitions:  # it is the whole database's, as retention is
            connection.execute(_QUERIES["cut_by"], (self._span,))
        if self._forget_after is not None:
            before = datetime.now(UTC) - self._forget_after
            retention.forget_sources(connection, self._share.partitions, before)
        return tables.load(connection, self._share)

    def _make_partitions(self, connection: Connection, work: Work) -> None:
        """Make the partitions that the work needs, and the next ones, if nobody minds."""
        now = datetime.now(UTC)
        if self._partitions_from is not None and now < self._partitions_from:
            return
        wanted = {
            (parent, utc)
            for parents, rows in ((_EVENTS, work.rows.events), (_METRICS, work.rows.metrics))
            for utc in self._cut.around(now, self._cut.begins([row[0] for row in rows]))
            for parent in parents
        }
        for parent, utc in sorted(wanted - self._partitions):
            try:
                with connection.transaction():
                    # A reader in the catch-all partition must not hold us up: rows go there meanwhile.
                    connection.execute("SET LOCAL lock_timeout TO '1s'")
                    connection.execute(_QUERIES["make_partition"], {"parent": parent, "utc": utc})
            except psycopg.errors.LockNotAvailable:
                self._partitions_from = now + _PARTITION_RETRY
                log.warning("the partition of %s for %s must wait for a reader", parent, utc)
                return
            self._partitions.add((parent, utc))


def _prepare(connection: Connection, share: Share) -> None:
    rows = connection.execute(_QUERIES["lock"], (list(share.partitions),)).fetchall()
    taken = sorted(f"{partition:02d}" for (partition,) in rows if partition >= 0)
    if rows:
        what = f"partition {', '.join(taken)}" if taken else "all partitions"
        raise psycopg.OperationalError(f"another MemoryBank writes {what} of this database")
