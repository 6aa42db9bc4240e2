"""The export: the memory, or one table of it, as JSON, CSV or Parquet; row by row, whatever its size.

PostgreSQL writes the rows' text itself (COPY); Python only passes it on.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from psycopg import sql

from memorybank.errors import WrongQuestion
from memorybank.filters import EVERYTHING, Filters
from memorybank.reader import Connection, Fact, Reader
from memorybank.sql import queries
from memorybank.viewer import parquet, selection
from memorybank.viewer.place import STDOUT, appearing
from memorybank.viewer.pseudonyms import Pseudonyms
from memorybank.viewer.selection import Field

FORMATS = ("json", "csv", "parquet")
ALL = "all"
DEFAULT_TABLE = "metrics"
"""Of formats whose file is one table."""

_QUERIES = queries("view.sql")
_PROGRESS_S = 0.2
_WITH_TAGS = ("sessions", "events")

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to export. `table` None: all of them in JSON, the readings in CSV and Parquet."""

    path: Path
    format: str
    table: str | None = None
    filters: Filters = EVERYTHING
    truth: bool = False
    pseudonyms: Pseudonyms | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows of which tables stand in a file."""

    path: Path
    rows: int
    tables: tuple[str, ...]


def export(reader: Reader, wish: Wish, progress: IO[str] | None = None) -> list[Written]:
    """Write what is wished, as everything is at one instant; return what was written where.

    A file appears when it is whole. Raises OSError, StoreUnavailable and WrongQuestion.
    """
    with reader.connection() as connection, _Progress(connection, progress) as tell:
        if wish.truth and not connection.execute(_QUERIES["may_see_truth"]).fetchall()[0]["may"]:
            raise WrongQuestion(
                "this database user may not see the truth: --truth needs memorybank_writer's URL"
            )
        if wish.format == "json":
            named = None if wish.table == ALL else wish.table
            tables = selection.chosen(named, wish.filters, truth=wish.truth)
            with appearing(wish.path) as file:
                rows = _write_json(file, connection, wish, tables, tell)
            return [Written(wish.path, rows, tables)]
        if wish.table == ALL and wish.path == STDOUT:
            raise WrongQuestion(f"{wish.format} holds one table a file: name one for -")
        named = None if wish.table == ALL else wish.table or DEFAULT_TABLE
        write = _write_csv if wish.format == "csv" else _write_parquet
        written = []
        with contextlib.ExitStack() as files:
            for table in selection.chosen(named, wish.filters, truth=wish.truth):
                path = wish.path if wish.table != ALL else wish.path.with_stem(f"{wish.path.stem}-{table}")
                file = files.enter_context(appearing(path))
                written.append(Written(path, write(file, connection, wish, table, tell), (table,)))
        return written


def _about(connection: Connection, wish: Wish) -> Fact:
    """Return what an export says of itself."""
    asked = msgspec.to_builtins(wish.filters)
    about: Fact = {
        "exported_at": datetime.now(UTC),
        "filters": {name: value for name, value in asked.items() if value is not None},
        "pseudonymised": wish.pseudonyms is not None,
    }
    if wish.truth:
        about["runs"] = connection.execute(_QUERIES["runs"]).fetchall()
    return about


def _write_json(
    file: IO[bytes], connection: Connection, wish: Wish, tables: Sequence[str], tell: Tell
) -> int:
    about = _about(connection, wish)
    file.write(b'{"exported_at":' + msgspec.json.encode(about.pop("exported_at")))
    file.write(b',\n"about":' + msgspec.json.encode(about))
    count = 0
    for table in tables:
        file.write(f',\n"{table}":['.encode())
        separator = b"\n"
        with _json_lines(connection, wish, table) as (_, lines):
            for line in lines:
                file.write(separator)
                file.write(line)
                separator = b",\n"
                count += 1
                tell(table)
        file.write(b"]")
    file.write(b"}\n")
    return count


def _write_csv(file: IO[bytes], connection: Connection, wish: Wish, table: str, tell: Tell) -> int:
    count = 0
    with _csv_lines(connection, wish, table) as (columns, lines):
        file.write(",".join(column.name for column in columns).encode() + b"\n")
        for line in lines:
            file.write(line)
            count += 1
            tell(table)
    return count


def _write_parquet(file: IO[bytes], connection: Connection, wish: Wish, table: str, tell: Tell) -> int:
    about = {**_about(connection, wish), "table": table}
    with _csv_lines(connection, wish, table) as (columns, lines):
        return parquet.write(file, columns, lines, about, lambda: tell(table))


@contextlib.contextmanager
def _json_lines(
    connection: Connection, wish: Wish, table: str
) -> Iterator[tuple[Sequence[Field], Iterator[bytes]]]:
    """Give the columns of a table, and each of its rows as a JSON object."""
    rows = selection.query(table, wish.filters, truth=wish.truth)
    columns = selection.fields(connection, table, rows)
    # COPY would escape backslashes in its own format. As CSV whose quote and delimiter no JSON can hold
    # (control characters stand escaped in it), a line is the row's JSON as it is.
    statement = sql.SQL(
        "COPY (SELECT row_to_json(r) FROM ({}) AS r)"
        r" TO STDOUT (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')"
    ).format(selection.texts(columns, rows))
    with connection.cursor().copy(statement) as copy:
        lines = (bytes(line)[:-1] for line in copy)
        if wish.pseudonyms is not None and table in _WITH_TAGS:
            replace = wish.pseudonyms.replace
            lines = (msgspec.json.encode(replace(msgspec.json.decode(line))) for line in lines)
        yield columns, lines


@contextlib.contextmanager
def _csv_lines(
    connection: Connection, wish: Wish, table: str
) -> Iterator[tuple[Sequence[Field], Iterator[bytes]]]:
    """Give the columns of a table, and each of its rows as a line of CSV."""
    if wish.pseudonyms is not None and table in _WITH_TAGS:
        with _json_lines(connection, wish, table) as (columns, lines):
            yield columns, (_csv_line(msgspec.json.decode(line)) for line in lines)
        return
    rows = selection.query(table, wish.filters, truth=wish.truth)
    columns = selection.fields(connection, table, rows)
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(selection.texts(columns, rows))
    with connection.cursor().copy(statement) as copy:
        yield columns, (bytes(line) for line in copy)


def _csv_line(row: Fact) -> bytes:
    """Return a row as PostgreSQL writes it: nothing is nothing, an empty text is quoted."""
    return ",".join(map(_csv_cell, row.values())).encode() + b"\n"


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    if text and not any(character in text for character in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'


class _Progress:
    """How far an export is, on one line of a terminal; nothing where there is none."""

    def __init__(self, connection: Connection, file: IO[str] | None) -> None:
        self._file = file
        self._count = 0
        self._next_s = time.monotonic() + _PROGRESS_S
        known = connection.execute(_QUERIES["size_known"]).fetchall()[0]["rows"] if file else 0
        self._of = f" of about {known:,}" if known else ""

    def __enter__(self) -> Tell:
        return self._row if self._file is not None else lambda _: None

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            print("\r\x1b[K", end="", file=self._file, flush=True)

    def _row(self, table: str) -> None:
        self._count += 1
        if self._count % 256 == 0 and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _PROGRESS_S
            print(f"\r{self._count:,} rows{self._of}, {table}\x1b[K", end="", file=self._file, flush=True)
