"""What an export holds: for each table the query that gives its rows, filtered, with run ids where asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from psycopg import sql

from memorybank.errors import WrongQuestion
from memorybank.filters import Filters
from memorybank.reader import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an export: where its rows are, and by which of its columns they can be chosen."""

    schema: str = "memory"
    at: str | None = None
    """The column that says when; by it a row also belongs to a scenario's run. None: no time chooses rows."""
    charge_point: str | None = "charge_point_id"
    """The column that says where. None: no charge point chooses rows."""
    has_kind: bool = False
    has_severity: bool = False
    is_derived: bool = False
    """Made from other tables: exported only where it is named."""


TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "labels": Table("truth", at="at", charge_point="charge_point_ids"),
        "sources": Table(charge_point=None),
        "gaps": Table(charge_point=None),
        "charge_points": Table(),
        "sessions": Table(at="started_at"),
        "anomalies": Table(at="started_at", has_kind=True, has_severity=True),
        "patterns": Table(has_kind=True),
        "verdicts": Table(at="at", has_kind=True),
        "metrics_10s": Table(at="at", is_derived=True),
        "metrics_1m": Table(at="at", is_derived=True),
        "metrics_1h": Table(at="at", is_derived=True),
        "metrics": Table(at="at"),
        "events": Table(at="at", has_kind=True),
    }
)
"""The large ones last."""

# A run holds its charge points until it ends or the next one takes them: a row belongs to one run at most.
_RUNS = sql.SQL("""
  SELECT run_id, charge_point_id, started_at,
         least(ended_at, lead(started_at) OVER (PARTITION BY charge_point_id ORDER BY started_at)) AS ended_at
  FROM (
    SELECT run_id, c.charge_point_id, min(at) FILTER (WHERE phase = 'started') AS started_at,
           coalesce(max(at) FILTER (WHERE phase = 'ended'), 'infinity') AS ended_at
    FROM truth.labels, unnest(charge_point_ids) AS c(charge_point_id)
    GROUP BY 1, 2
  ) AS run WHERE started_at IS NOT NULL
""")


def chosen(table: str | None, filters: Filters, *, truth: bool) -> tuple[str, ...]:
    """Return the names of the tables to export: the one asked for, or all that the filters can choose from.

    Raises WrongQuestion where `table` cannot be filtered so, or is the truth and that is not asked for.
    """
    if table is None:
        return tuple(
            name
            for name, known in TABLES.items()
            if not known.is_derived and (truth or known.schema != "truth") and not _missing(known, filters)
        )
    missing = _missing(TABLES[table], filters, is_named=True)
    if missing:
        raise WrongQuestion(f"{table} cannot be filtered by {missing}")
    if table == "events":
        filters.narrowing(table, "charge_point_id", "since", "until", "kind")
    if TABLES[table].schema == "truth" and not truth:
        raise WrongQuestion(f"{table} are ground truth: add --truth")
    return (table,)


def _missing(table: Table, filters: Filters, *, is_named: bool = False) -> str | None:
    """Return what a table cannot be chosen by. Among others, one without time and place comes whole."""
    if is_named and filters.charge_point_id is not None and table.charge_point is None:
        return "charge point"
    if is_named and (filters.since is not None or filters.until is not None) and table.at is None:
        return "time"
    if filters.kind is not None and not table.has_kind:
        return "kind"
    return "severity" if filters.severity is not None and not table.has_severity else None


def query(name: str, filters: Filters, *, truth: bool) -> sql.Composed:
    """Return the SELECT of a table's rows; with `truth`, each with the id of the run that covers it."""
    table = TABLES[name]
    columns: sql.Composable = sql.SQL("t.*")
    source: sql.Composable = sql.SQL("{} AS t").format(sql.Identifier(table.schema, name))
    with_run = truth and table.schema != "truth" and table.at is not None
    if with_run:
        columns = sql.SQL("t.*, run.run_id")
        source = sql.SQL(
            "{} LEFT JOIN ({}) AS run ON run.charge_point_id = t.charge_point_id"
            " AND t.{at} >= run.started_at AND t.{at} < run.ended_at"
        ).format(source, _RUNS, at=sql.Identifier(table.at or ""))
    conditions = _conditions(name, table, filters, truth=truth)
    where = sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")
    return sql.SQL("SELECT {} FROM {}{}").format(columns, source, where)


def _conditions(name: str, table: Table, filters: Filters, *, truth: bool) -> list[sql.Composable]:
    conditions: list[sql.Composable] = []
    if name in ("sources", "gaps") and not truth:
        # Who may see the truth's sources and did not ask for them shall not pass them on.
        conditions.append(
            sql.SQL(
                "t.source_no IN (SELECT source_no FROM memory.sources WHERE source NOT LIKE '%/truth/__')"
            )
        )
    if filters.charge_point_id is not None and table.charge_point is not None:
        named = sql.Identifier("t", table.charge_point)
        comparison = "{} = {}" if table.charge_point == "charge_point_id" else "{1} = ANY({0})"
        conditions.append(sql.SQL(comparison).format(named, sql.Literal(filters.charge_point_id)))
    if table.at is not None:
        at = sql.Identifier("t", table.at)
        if filters.since is not None:
            conditions.append(sql.SQL("{} >= {}").format(at, sql.Literal(filters.since)))
        if filters.until is not None:
            conditions.append(sql.SQL("{} < {}").format(at, sql.Literal(filters.until)))
    for column in ("kind", "severity"):
        value = getattr(filters, column)
        if value is not None:
            conditions.append(sql.SQL("{} = {}").format(sql.Identifier("t", column), sql.Literal(value)))
    return conditions


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an export: its name, and its type as PostgreSQL names it."""

    name: str
    type: str


_FIRST = ("at", "charge_point_id", "connector", "origin", "kind", "detail")
_LAST = ("source_no", "seq")


def fields(connection: Connection, name: str, rows: sql.Composed) -> Sequence[Field]:
    """Return which columns a query of a table's rows gives; of what happened, first when and where it did.

    The database has them in the order that saves space.
    """
    described = connection.execute(sql.SQL("SELECT * FROM ({}) AS t LIMIT 0").format(rows)).description or ()
    types = connection.adapters.types
    given = [
        Field(column.name, known.name if (known := types.get(column.type_code)) is not None else "text")
        for column in described
    ]
    return sorted(given, key=_place) if TABLES[name].at == "at" else given


def _place(column: Field) -> int:
    """Return where a column stands; those of one place stay as they are."""
    if column.name in _FIRST:
        return _FIRST.index(column.name)
    return len(_FIRST) + (1 + _LAST.index(column.name) if column.name in _LAST else 0)


def texts(columns: Sequence[Field], rows: sql.Composed) -> sql.Composed:
    """Return a query for the same rows as programs read them: instants as ISO 8601 in UTC, lists as JSON."""
    return sql.SQL("SELECT {} FROM ({}) AS t").format(sql.SQL(", ").join(map(_text, columns)), rows)


def _text(column: Field) -> sql.Composable:
    name = sql.Identifier(column.name)
    match column.type:
        case "timestamptz":
            return sql.SQL("""to_char(t.{0}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {0}""").format(name)
        case "bool":
            return sql.SQL("t.{0}::text::json AS {0}").format(name)
        case "text" if column.name == "charge_point_ids":
            return sql.SQL("to_json(t.{0}) AS {0}").format(name)
        case _:
            return sql.SQL("t.{0}").format(name)
