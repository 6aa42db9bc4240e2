"""Questions to the memory, as memorybank_reader: for the HTTP API and the viewer. Any thread may ask."""

import contextlib
import queue
import select
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from memorybank.errors import StoreUnavailable, WrongQuestion
from memorybank.filters import EVERYTHING, Filters
from memorybank.keepalive import CLIENT_KEEPALIVE, SERVER_KEEPALIVE
from memorybank.paging import Fact, Instant, Order, Page
from memorybank.sql import queries

__all__ = ["LEVELS", "ORDERS", "QUERIES", "Connection", "Fact", "Page", "Reader"]

Connection: TypeAlias = psycopg.Connection[Fact]

_CONNECTIONS = 4
_NO_MEMORY = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
)

LEVELS = ("10s", "1m", "1h")
"""How finely readings are rolled up."""

QUERIES = dict(queries("read.sql"))
for _level in LEVELS:
    QUERIES[f"rollup_{_level}"] = QUERIES["rollup"].replace(b"metrics_1m", f"metrics_{_level}".encode())

ORDERS = {
    "events": Order("events", at=Instant, source_no=int, seq=int),
    "anomalies": Order("anomalies", started_at=Instant, id=UUID),
    "sessions": Order("sessions", started_at=Instant, charge_point_id=str, transaction_id=str),
    "metrics": Order("metrics", at=Instant, source_no=int, seq=int),
    "charge_points": Order("charge points", charge_point_id=str, connector=int),
    "patterns": Order("patterns", last_seen_at=Instant, id=UUID),
    "verdicts": Order("verdicts", at=Instant, id=int),
    "sources": Order("sources", source=str, source_no=int),
    "gaps": Order("gaps", noticed_at=Instant, source_no=int, first_seq=int),
    "poison": Order("poison", id=int),
    **{f"rollup_{level}": Order(f"rollups over {level}", at=Instant) for level in LEVELS},
}
"""How the rows of each list are sorted."""


class Reader:
    """At most four connections, made when needed. A question may raise StoreUnavailable and WrongQuestion.

    A list gives at most `limit` rows (at least 1); `after` is the `next` of the page before.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._idle: queue.LifoQueue[Connection | None] = queue.LifoQueue()
        for _ in range(_CONNECTIONS):
            self._idle.put(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that nobody uses now."""
        idle = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for connection in idle:
            if connection is not None:
                connection.close()
            self._idle.put(None)

    def summary(self) -> Fact:
        """Return how much is remembered, since when, and how sound it is."""
        return self._ask("summary")[0]

    def events(self, filters: Filters = EVERYTHING, *, limit: int = 100, after: str | None = None) -> Page:
        """Return events but readings, newest first, each with a summary of one line."""
        known = filters.narrowing("events", "charge_point_id", "since", "until", "kind")
        return self._list("events", known, limit, after)

    def anomalies(
        self,
        filters: Filters = EVERYTHING,
        *,
        open_only: bool | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Return anomalies by their start, newest first; `open_only` False: only those that ended."""
        known = filters.narrowing(
            "anomalies", "charge_point_id", "since", "until", "kind", "severity", "pattern_id"
        )
        return self._list("anomalies", {**known, "open": open_only}, limit, after)

    def anomaly(self, identity: UUID) -> Fact | None:
        """Return one anomaly, None where there is none of that id."""
        found = self._ask("anomaly", id=identity)
        return found[0] if found else None

    def pattern_of(self, identity: UUID) -> Fact | None:
        """Return the pattern that an anomaly shows; None where there is no such anomaly, or it shows none."""
        found = self._ask("pattern_of", id=identity)
        return found[0] if found else None

    def sessions(self, filters: Filters = EVERYTHING, *, limit: int = 100, after: str | None = None) -> Page:
        """Return sessions by their start, newest first; by charge point and time."""
        known = filters.narrowing("sessions", "charge_point_id", "since", "until")
        return self._list("sessions", known, limit, after)

    def metrics(
        self,
        filters: Filters,
        *,
        connector: int = 1,
        origin: str = "can",
        seconds: float | None = None,
        limit: int = 10_000,
        after: str | None = None,
    ) -> Page:
        """Return the newest `limit` readings of a connector, oldest first; `next` leads to those before them.

        `seconds` narrows to the last ones, by the database's clock. The charge point must be named.
        """
        known = _of_a_connector("readings", filters, connector, origin)
        page = self._list("metrics", {**known, "seconds": seconds}, limit, after)
        return Page(page.items[::-1], page.next)

    def rollup(
        self,
        level: str,
        filters: Filters,
        *,
        connector: int = 1,
        origin: str = "can",
        limit: int = 10_000,
        after: str | None = None,
    ) -> Page:
        """Return the newest `limit` stretches of a connector, oldest first; `level` is 10s, 1m or 1h.

        Means, lowest and highest of each stretch: `current_a` is the mean, `offered_a` the highest offer.
        """
        if level not in LEVELS:
            raise WrongQuestion(f"there is no level {level!r}: {', '.join(LEVELS)}")
        known = _of_a_connector("rollups", filters, connector, origin)
        page = self._list(f"rollup_{level}", known, limit, after)
        return Page(page.items[::-1], page.next)

    def charge_points(
        self, filters: Filters = EVERYTHING, *, limit: int = 1000, after: str | None = None
    ) -> Page:
        """Return each connector with the statistics of its sessions and anomalies that began in the time."""
        known = filters.narrowing("charge points", "charge_point_id", "since", "until")
        return self._list("charge_points", known, limit, after)

    def patterns(self, filters: Filters = EVERYTHING, *, limit: int = 100, after: str | None = None) -> Page:
        """Return learned patterns, the latest seen first."""
        known = filters.narrowing("patterns", "charge_point_id", "since", "until", "kind")
        return self._list("patterns", known, limit, after)

    def verdicts(
        self,
        filters: Filters = EVERYTHING,
        *,
        detector: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Page:
        """Return what foreign detectors said, or one of them, the newest first."""
        known = filters.narrowing("verdicts", "charge_point_id", "since", "until", "kind")
        return self._list("verdicts", {**known, "detector": detector}, limit, after)

    def sources(self, *, limit: int = 1000, after: str | None = None) -> Page:
        """Return who numbers events and how far they are stored, by name and then by boot."""
        return self._list("sources", {}, limit, after)

    def gaps(self, filters: Filters = EVERYTHING, *, limit: int = 100, after: str | None = None) -> Page:
        """Return the numbers that are missing, the latest noticed first; by the time of noticing."""
        return self._list("gaps", filters.narrowing("gaps", "since", "until"), limit, after)

    def poison(self, filters: Filters = EVERYTHING, *, limit: int = 100, after: str | None = None) -> Page:
        """Return what was set aside, the latest first; by the time of arrival."""
        return self._list("poison", filters.narrowing("poison", "since", "until"), limit, after)

    def sizes(self) -> list[Fact]:
        """Return the bytes on disk of each table, the largest first."""
        return self._ask("sizes")

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection that sees everything as it is now, for as long as it is used: for exports.

        Read only, without a time limit. What psycopg raises comes out as StoreUnavailable or WrongQuestion.
        """
        with self._connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            connection.execute("SET LOCAL statement_timeout = 0")
            yield connection

    def _list(self, query: str, parameters: Fact, limit: int, after: str | None) -> Page:
        order = ORDERS[query]
        asked = {**parameters, **order.after(after), "limit": limit + 1}
        return order.page(self._ask(query, **asked), limit)

    def _ask(self, query: str, **parameters: Any) -> list[Fact]:
        with self._connection() as connection:
            return connection.execute(QUERIES[query], parameters).fetchall()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._idle.get(timeout=self._timeout_s)
        except queue.Empty:
            raise StoreUnavailable("too many questions at once") from None
        try:
            if connection is not None and _was_left(connection):
                connection.close()
                connection = None
            if connection is None:
                connection = self._connect()
            yield connection
        except psycopg.errors.QueryCanceled as error:
            raise StoreUnavailable(f"no answer within {self._timeout_s:g} s") from error
        except _NO_MEMORY as error:
            reason = str(error).splitlines()[0]
            raise StoreUnavailable(f"no memory there, or no right to see it: {reason}") from error
        except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
            reason = str(error).splitlines()[0]
            raise StoreUnavailable(f"the memory there is of another version: {reason}") from error
        except (psycopg.DataError, UnicodeEncodeError) as error:  # only what was asked can be the reason
            raise WrongQuestion(str(error).splitlines()[0]) from error
        except psycopg.OperationalError as error:
            if connection is not None:
                connection.close()
            raise StoreUnavailable(str(error).strip().splitlines()[0]) from error
        finally:
            self._idle.put(connection)

    def _connect(self) -> Connection:
        timeout_ms = round(self._timeout_s * 1000)
        return psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=5,
            application_name="memorybank-reader",
            options=f"-c statement_timeout={timeout_ms} -c timezone=UTC {SERVER_KEEPALIVE}",
            prepare_threshold=None,  # each question is planned for its parameters
            row_factory=dict_row,
            **CLIENT_KEEPALIVE,
        )


def _was_left(connection: Connection) -> bool:
    # What a server says on an idle connection is its goodbye.
    if connection.closed:
        return True
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN)
    return bool(watch.poll(0))


def _of_a_connector(what: str, filters: Filters, connector: int, origin: str) -> Fact:
    known = filters.narrowing(what, "charge_point_id", "since", "until")
    if filters.charge_point_id is None:
        raise WrongQuestion(f"{what} are asked for by charge point")
    return {**known, "connector": connector, "origin": origin}
