"""The memory for notebooks: each table as a pandas or Polars frame. Times are aware (UTC), JSON is text."""

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, TypeAlias
from uuid import UUID

import psycopg
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format
from psycopg.rows import tuple_row

from chassis.times import TIMES, instant
from contracts.events import Severity
from memorybank.errors import MissingExtra, WrongQuestion
from memorybank.filters import Filters
from memorybank.reader import LEVELS, ORDERS, QUERIES, Reader

Frame: TypeAlias = Any
"""A pandas.DataFrame or a polars.DataFrame, as it was opened."""
When: TypeAlias = datetime | timedelta | str | None
"""An aware time, or so long ago; or either as memory-viewer reads it, e.g. 2026-11-22 (UTC), 2h (ago)."""

_ROWS_AT_ONCE = 20_000
_TIMEOUT_S = 30.0


class _JsonText(Loader):
    """Leaves a jsonb as it is: 10 million objects would be built only to be taken apart."""

    format = Format.BINARY

    def load(self, data: Buffer) -> str:
        return str(memoryview(data)[1:], "utf-8")  # after the version


class Memory:
    """What is remembered, as frames, oldest first. A question has a connection of its own: nothing to close.

    `since` counts in, `until` does not; both are aware times, a timedelta ago, or a text such as "2026-11-22"
    or "2h". `limit` takes the newest so many. Every table may raise StoreUnavailable and WrongQuestion.
    """

    def __init__(self, url: str, frames: Literal["pandas", "polars"]) -> None:
        if frames not in ("pandas", "polars"):
            raise WrongQuestion(f"there are frames of pandas and polars, not of {frames!r}")
        self._arrow = _imported("pyarrow")
        self._library = _imported(frames)
        self._finish = self._pandas if frames == "pandas" else self._polars
        self._url = url

    def events(
        self,
        charge_point_id: str | None = None,
        *,
        since: When = None,
        until: When = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> Frame:
        """Return events but readings, each with a `summary` of one line and `detail` as JSON."""
        known = _known("events", charge_point_id, since, until, kind=kind)
        return self._frame("events", known, limit)

    def metrics(
        self,
        charge_point_id: str | None = None,
        *,
        connector: int | None = None,
        origin: Literal["can", "ocpp"] | None = None,
        since: When = None,
        until: When = None,
        limit: int | None = None,
    ) -> Frame:
        """Return readings: a row is one connector at one instant from one origin, all measurands in it."""
        known = _known("readings", charge_point_id, since, until)
        return self._frame(
            "metrics", {**known, "connector": connector, "origin": origin, "seconds": None}, limit
        )

    def rollup(
        self,
        level: Literal["10s", "1m", "1h"] = "1m",
        charge_point_id: str | None = None,
        *,
        connector: int | None = None,
        origin: Literal["can", "ocpp"] | None = None,
        since: When = None,
        until: When = None,
        limit: int | None = None,
    ) -> Frame:
        """Return readings over 10 s, 1 min or 1 h each: a row is a connector's stretch that begins `at`."""
        if level not in LEVELS:
            raise WrongQuestion(f"there is no level {level!r}: {', '.join(LEVELS)}")
        known = _known("rollups", charge_point_id, since, until)
        return self._frame(f"rollup_{level}", {**known, "connector": connector, "origin": origin}, limit)

    def sessions(
        self,
        charge_point_id: str | None = None,
        *,
        since: When = None,
        until: When = None,
        limit: int | None = None,
    ) -> Frame:
        """Return sessions by their start."""
        known = _known("sessions", charge_point_id, since, until)
        return self._frame("sessions", known, limit)

    def anomalies(
        self,
        charge_point_id: str | None = None,
        *,
        since: When = None,
        until: When = None,
        kind: str | None = None,
        severity: Severity | None = None,
        pattern_id: UUID | None = None,
        open_only: bool | None = None,
        limit: int | None = None,
    ) -> Frame:
        """Return anomalies by their start; `open_only` False: only those that ended."""
        known = _known(
            *("anomalies", charge_point_id, since, until), kind=kind, severity=severity, pattern_id=pattern_id
        )
        return self._frame("anomalies", {**known, "open": open_only}, limit)

    def patterns(self, charge_point_id: str | None = None, *, kind: str | None = None) -> Frame:
        """Return learned patterns, the latest seen last."""
        known = _known("patterns", charge_point_id, None, None, kind=kind)
        return self._frame("patterns", known, None)

    def charge_points(
        self, charge_point_id: str | None = None, *, since: When = None, until: When = None
    ) -> Frame:
        """Return connectors: the latest of each, and its sessions and anomalies that began in the time."""
        known = _known("charge points", charge_point_id, since, until)
        return self._frame("charge_points", known, None, newest_first=False)

    def sources(self) -> Frame:
        """Return who numbers events, and how far they are stored."""
        return self._frame("sources", {}, None, newest_first=False)

    def gaps(self, *, since: When = None, until: When = None) -> Frame:
        """Return the numbers that are missing, by the time of noticing."""
        return self._frame("gaps", _known("gaps", None, since, until), None)

    def labels(self) -> Frame:
        """Return the ground truth: when and where scenarios began and ended.

        Detectors and readers may not see it: open the memory with `truth` for this.
        """
        return self._frame("labels", {}, None)

    def _frame(
        self, query: str, known: dict[str, Any], limit: int | None, *, newest_first: bool = True
    ) -> Frame:
        if limit is not None and limit < 1:
            raise WrongQuestion("`limit` is at least 1")
        start = ORDERS[query].after(None) if query in ORDERS else {}
        asked = {**known, **start, "limit": limit}
        batches: list[Any] = []
        with self._cursor(query) as cursor:
            cursor.execute(QUERIES[query], asked, binary=True)
            schema = self._schema(cursor)
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                batches.append(self._batch(schema, rows[::-1] if newest_first else rows))
        table = self._arrow.Table.from_batches(batches[::-1] if newest_first else batches, schema)
        return self._finish(table)

    @contextlib.contextmanager
    def _cursor(self, query: str) -> "Iterator[psycopg.ServerCursor[tuple[Any, ...]]]":
        with Reader(self._url, timeout_s=_TIMEOUT_S) as reader, reader.connection() as connection:
            # Everything will be read: the plan shall be quick to the last row, not to the first.
            connection.execute("SET LOCAL cursor_tuple_fraction = 1")
            with connection.cursor(name=query, row_factory=tuple_row) as cursor:
                cursor.adapters.register_loader("jsonb", _JsonText)
                yield cursor

    def _schema(self, cursor: "psycopg.ServerCursor[Any]") -> Any:
        arrow = self._arrow
        kinds = {
            "timestamptz": arrow.timestamp("us", "UTC"),
            "bool": arrow.bool_(),
            "int2": arrow.int16(),
            "int4": arrow.int32(),
            "int8": arrow.int64(),
            "float8": arrow.float64(),
        }
        known = psycopg.adapters.types
        named = ((column.name, known.get(column.type_code)) for column in cursor.description or ())
        return arrow.schema(
            [(name, kinds.get(info.name if info else "", arrow.string())) for name, info in named]
        )

    def _batch(self, schema: Any, rows: Sequence[tuple[Any, ...]]) -> Any:
        arrow = self._arrow
        arrays = []
        for column, field in zip(zip(*rows, strict=True), schema, strict=True):
            is_text = field.type == arrow.string()
            values = [None if value is None else str(value) for value in column] if is_text else column
            arrays.append(arrow.array(values, field.type))
        return arrow.record_batch(arrays, schema=schema)

    def _pandas(self, table: Any) -> Frame:
        # Whole numbers that may be missing stay whole numbers.
        whole = {
            self._arrow.int16(): self._library.Int16Dtype(),
            self._arrow.int32(): self._library.Int32Dtype(),
            self._arrow.int64(): self._library.Int64Dtype(),
        }
        return table.to_pandas(types_mapper=whole.get)

    def _polars(self, table: Any) -> Frame:
        return self._library.from_arrow(table)


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtra(f"{name} is not installed: pip install 'chargebench[notebook]'") from error


def _known(what: str, charge_point_id: str | None, since: When, until: When, **more: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    filters = Filters(
        charge_point_id=charge_point_id,
        since=_instant("since", since, now),
        until=_instant("until", until, now),
        **more,
    )
    return filters.narrowing(what, "charge_point_id", "since", "until", *more)


def _instant(name: str, when: When, now: datetime) -> datetime | None:
    try:
        if isinstance(when, timedelta):
            return now - when
        if isinstance(when, str):
            return instant(when, now)
    except (ValueError, OverflowError):
        raise WrongQuestion(f"`{name}`: {when!r:.40} is no time: {TIMES}") from None
    if when is None or isinstance(when, datetime):
        return when
    raise WrongQuestion(f"`{name}` is a datetime, a timedelta or a text, not {when!r:.40}")
