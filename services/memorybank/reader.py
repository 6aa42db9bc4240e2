"""Questions to the memory, as memorybank_reader: for the HTTP API and the viewer. Any thread may ask."""

import contextlib
import queue
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from memorybank.errors import StoreUnavailable
from memorybank.keepalive import CLIENT_KEEPALIVE, SERVER_KEEPALIVE
from memorybank.sql import queries

Fact: TypeAlias = dict[str, Any]
Connection: TypeAlias = psycopg.Connection[Fact]

_QUERIES = queries("read.sql")
_CONNECTIONS = 4
_NO_MEMORY = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedTable,
)
_SPANS = (timedelta(minutes=10), timedelta(days=1))
"""How far back the newest events are looked for first: time is indexed by blocks, which give no order."""

EXPORTED = ("sources", "charge_points", "sessions", "anomalies", "patterns", "metrics", "events")
"""The tables of an export, the large ones last."""


class Reader:
    """At most four connections, made when needed. Every question may raise StoreUnavailable."""

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
        with contextlib.suppress(queue.Empty):
            while True:
                connection = self._idle.get_nowait()
                if connection is not None:
                    connection.close()

    def summary(self) -> Fact:
        """Return how much is remembered, since when, and how sound it is."""
        return self._ask("summary")[0]

    def anomalies(
        self, *, charge_point_id: str | None = None, open_only: bool | None = None, limit: int = 100
    ) -> list[Fact]:
        """Return anomalies, newest first; `open_only` False: only those that ended."""
        return self._ask("anomalies", charge_point_id=charge_point_id, open=open_only, limit=limit)

    def sessions(self, *, charge_point_id: str | None = None, limit: int = 100) -> list[Fact]:
        """Return sessions, newest first."""
        return self._ask("sessions", charge_point_id=charge_point_id, limit=limit)

    def events(
        self, *, charge_point_id: str | None = None, kind: str | None = None, limit: int = 100
    ) -> list[Fact]:
        """Return events but readings, newest first, each with a summary of one line."""
        asked = {"charge_point_id": charge_point_id, "kind": kind, "limit": limit}
        newest: datetime | None = self._ask("last_event_at")[0]["max"]
        if newest is None:
            return []
        for span in _SPANS:
            found = self._ask("events", **asked, since=newest - span)
            if len(found) == limit:
                return found
        return self._ask("events", **asked, since=None)

    def metrics(
        self, *, charge_point_id: str, connector: int, origin: str, seconds: float, limit: int = 10_000
    ) -> list[Fact]:
        """Return the readings of a connector in the last `seconds`, oldest first (the newest `limit`)."""
        asked = {"charge_point_id": charge_point_id, "connector": connector, "origin": origin}
        return self._ask("metrics", **asked, seconds=seconds, limit=limit)[::-1]

    def charge_points(self) -> list[Fact]:
        """Return each connector with the statistics of its sessions and anomalies."""
        return self._ask("charge_points")

    def patterns(self, *, limit: int = 100) -> list[Fact]:
        """Return learned patterns, the latest seen first."""
        return self._ask("patterns", limit=limit)

    def sources(self) -> list[Fact]:
        """Return who numbers events and how far they are stored."""
        return self._ask("sources")

    def sizes(self) -> list[Fact]:
        """Return the bytes on disk of each table, the largest first."""
        return self._ask("sizes")

    @contextlib.contextmanager
    def export(self) -> Iterator[Iterator[tuple[str, Iterator[Fact]]]]:
        """Give each table's rows, to be read in order, as all were at one instant; needs little memory."""
        with self._connection() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield ((table, _streamed(connection, table)) for table in EXPORTED)

    def _ask(self, query: str, **parameters: Any) -> list[Fact]:
        with self._connection() as connection:
            return connection.execute(_QUERIES[query], parameters).fetchall()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            connection = self._idle.get(timeout=self._timeout_s)
        except queue.Empty:
            raise StoreUnavailable("too many questions at once") from None
        try:
            if connection is None or connection.closed:
                connection = self._connect()
            yield connection
        except psycopg.errors.QueryCanceled as error:
            raise StoreUnavailable(f"no answer within {self._timeout_s:g} s") from error
        except _NO_MEMORY as error:
            reason = str(error).splitlines()[0]
            raise StoreUnavailable(f"no memory there, or no right to see it: {reason}") from error
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


def _streamed(connection: Connection, table: str) -> Iterator[Fact]:
    with connection.cursor(name=f"export_{table}") as cursor:
        cursor.itersize = 5000
        cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier("memory", table)))
        yield from cursor
