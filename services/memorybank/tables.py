"""What is read from the tables at a start and written to them by a unit of work, on a given connection.

Rows go by binary COPY straight into the tables, without staging and ON CONFLICT. That is safe because the
transaction that appends them also moves their source on, by compare and set: a second transaction with the
same numbers, of this process or another, finds the source elsewhere and is rolled back. The unique keys stay
as proof: they would stop a double row, and never see one.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from psycopg.rows import dict_row

from contracts.events import FLEET, Anomaly, AnyEvent, Reading
from contracts.verdicts import Verdict
from memorybank.baselines import Baseline
from memorybank.errors import StoreConflict
from memorybank.latest import Latest, news
from memorybank.learning import Proposal, Version
from memorybank.patterns import Pattern, Patterns
from memorybank.records import EVENT_COLUMNS, LABEL_COLUMNS, METRIC_COLUMNS, Poison, Row
from memorybank.share import Share
from memorybank.sql import queries
from memorybank.work import Work

Connection = psycopg.Connection[tuple[Any, ...]]

_QUERIES = queries("store.sql")
_COLUMNS = {"memory.events": EVENT_COLUMNS, "memory.metrics": METRIC_COLUMNS, "truth.labels": LABEL_COLUMNS}
# A jsonb is written as the bytes that it is: psycopg would call back for each.
_TYPES = {
    table: ["bytea" if kind == "jsonb" else kind for kind in columns.values()]
    for table, columns in _COLUMNS.items()
}
_COPY_INTO = {
    table: f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)".encode()
    for table, columns in _COLUMNS.items()
}
_MAX_POISON_BYTES = 65_536
_MAX_POISON_MESSAGES = 10_000
_MAX_REASON = 1000


@dataclass(frozen=True, slots=True)
class Position:
    """A source's number in the tables, and up to where it is stored."""

    source_no: int
    committed: int


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a MemoryBank that starts finds."""

    positions: dict[tuple[str, UUID], Position]
    patterns: Patterns
    shown: dict[UUID, UUID]
    open_anomalies: list[Anomaly]
    events: list[AnyEvent]
    baselines: list[Baseline]
    version: int
    agreed: list[Proposal]


def load(connection: Connection, share: Share) -> Remembered:
    """Return what the memory knows of a share: sources, patterns and what was going on when it was left."""
    with connection.cursor(row_factory=dict_row) as cursor:
        positions = {
            (row["source"], row["boot"]): Position(row["source_no"], row["committed_seq"])
            for row in cursor.execute(_QUERIES["load_sources"], (list(share.partitions),))
        }
        patterns = Patterns(Pattern(**row) for row in _of(share, cursor, "load_patterns"))
        rows = list(_of(share, cursor, "load_open_anomalies"))
        shown = {row["id"]: row.pop("pattern_id") for row in rows}
        happened = [_event(row) for row in _of(share, cursor, "load_recent_events")]
        happened += [Reading(**row) for row in _of(share, cursor, "load_recent_readings")]
        happened.sort(key=attrgetter("at"))
        partition = {"partition": share.partitions[0]}
        # The fleet's are this share's own; a charge point's are the newest, whose share it ever was in.
        baselines = [
            Baseline(**row)
            for row in cursor.execute(_QUERIES["load_baselines"], partition)
            if row["charge_point_id"] == FLEET or share.has(row["charge_point_id"])
        ]
        agreed = [Proposal(**row) for row in cursor.execute(_QUERIES["load_agreed"], partition)]
        (version,) = (row["version"] for row in cursor.execute(_QUERIES["load_version"], partition))
    anomalies = [Anomaly(**row) for row in rows]
    return Remembered(positions, patterns, shown, anomalies, happened, baselines, version, agreed)


def recent_anomalies(connection: Connection, share: Share) -> list[Anomaly]:
    """Return the anomalies of a share that are open or changed within a day, the latest last."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return [Anomaly(**row) for row in _of(share, cursor, "load_recent_anomalies")]


def _of(share: Share, cursor: psycopg.Cursor[dict[str, Any]], query: str) -> Iterator[dict[str, Any]]:
    return (row for row in cursor.execute(_QUERIES[query]) if share.has(row["charge_point_id"]))


def _event(row: dict[str, Any]) -> AnyEvent:
    event: AnyEvent = msgspec.convert({**row.pop("detail"), **row}, AnyEvent)
    return event


def is_in(connection: Connection, work: Work) -> bool:
    """Return whether an earlier attempt, cut off at its COMMIT, came through. Raises StoreConflict."""
    moving = [advance for advance in work.advances.values() if advance.committed != advance.before]
    numbers = [advance.source_no for advance in moving]
    found: dict[int, int] = dict(connection.execute(_QUERIES["positions"], (numbers,)).fetchall())
    if moving and all(found.get(advance.source_no) == advance.committed for advance in moving):
        return True
    if all(found.get(advance.source_no) == advance.before for advance in moving):
        return False
    raise StoreConflict("the sources stand neither before nor after our transaction")


def position(connection: Connection, source: str, boot: UUID) -> Position:
    """Return where a source stands, after adding it where it is new."""
    parameters = {"source": source, "boot": boot}
    row = connection.execute(_QUERIES["add_source"], parameters).fetchone()
    return Position(*(row or ()))


def latest_readings(connection: Connection) -> Latest:
    """Return from when and where the latest reading of each connector is."""
    rows = connection.execute(_QUERIES["load_latest_readings"]).fetchall()
    return {(charge_point_id, connector): (at, origin) for charge_point_id, connector, at, origin in rows}


def save(connection: Connection, work: Work, share: Share, latest: Latest) -> None:
    """Store the work in one transaction, and keep `latest` up to it.

    Raises StoreConflict, having stored nothing.
    """
    changes = work.changes
    observed, reported, changed = news(latest, changes.readings)
    anomalies = {finding.anomaly.id: finding for finding in work.findings}
    patterns = {finding.pattern.id: finding.pattern for finding in work.findings}
    with connection.transaction(), connection.cursor() as cursor:
        _put(cursor, "advance_sources", work.advances.values())
        if work.advances and cursor.rowcount != len(work.advances):
            raise StoreConflict("a source stands elsewhere than we left it")
        _put(cursor, "save_gaps", work.gaps)
        _put(cursor, "save_pulse", [work.pulse] if work.pulse else [])
        _copy(cursor, "memory.events", work.rows.events)
        _copy(cursor, "memory.metrics", work.rows.metrics)
        _copy(cursor, "truth.labels", work.rows.labels)
        _put(cursor, "save_sessions", changes.sessions.values())
        _put(cursor, "save_statuses", changes.statuses.values())
        _put(cursor, "save_connections", changes.connections.values())
        _put(cursor, "save_transactions", changes.transactions.values())
        _put(cursor, "save_readings", observed)
        _put(cursor, "save_readings", reported)
        _put(cursor, "save_patterns", patterns.values())
        _put(
            cursor,
            "save_anomalies",
            [
                {**msgspec.structs.asdict(finding.anomaly), "pattern_id": finding.pattern.id}
                for finding in anomalies.values()
            ],
        )
        _put(cursor, "count_anomalies", work.recount())
        if work.learned is not None:
            _put_learned(cursor, work.learned, share.partitions[0])
        _put_poison(cursor, work.rows.poison)
    latest.update(changed)


def save_verdicts(
    connection: Connection, verdicts: Iterable[Verdict], poison: list[Poison], heard_at: datetime
) -> None:
    """Store what foreign detectors said, in one transaction; a verdict that is there may get its end."""
    rows = [{**msgspec.structs.asdict(verdict), "heard_at": heard_at} for verdict in verdicts]
    with connection.transaction(), connection.cursor() as cursor:
        if rows:
            cursor.executemany(_QUERIES["save_verdict"], rows)
        _put_poison(cursor, poison)


def verdict_detectors(connection: Connection) -> list[str]:
    """Return the foreign detectors of which there are verdicts."""
    return [name for (name,) in connection.execute(_QUERIES["load_verdict_detectors"])]


def _put(cursor: psycopg.Cursor[Any], query: str, items: Iterable[Any]) -> None:
    """Run a query on the items, which it gets as one JSON array; not at all where there are none."""
    items = list(items)
    if items:
        cursor.execute(_QUERIES[query], (msgspec.json.encode(items).decode(),))


def _put_learned(cursor: psycopg.Cursor[Any], learned: Version, partition: int) -> None:
    whole = msgspec.json.encode(learned).decode()
    for query in ("save_version", "save_baselines", "save_proposals"):
        cursor.execute(_QUERIES[query], {"version": whole, "partition": partition})


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: list[Row]) -> None:
    if not rows:
        return
    with cursor.copy(_COPY_INTO[table]) as copy:
        copy.set_types(_TYPES[table])
        for row in rows:
            copy.write_row(row)


def _put_poison(cursor: psycopg.Cursor[Any], poison: list[Poison]) -> None:
    for item in poison:
        named = f"{item.topic}\n{item.source_no}\n{item.seq}\n".encode()
        parameters = {
            **msgspec.structs.asdict(item),
            # The reason may quote what arrived.
            "reason": item.reason.replace("\0", "\N{SYMBOL FOR NULL}")[:_MAX_REASON],
            "payload": item.payload[:_MAX_POISON_BYTES],
            "digest": hashlib.sha256(named + item.payload).digest(),
        }
        cursor.execute(_QUERIES["save_poison"], parameters)
    if poison:
        cursor.execute(_QUERIES["trim_poison"], (_MAX_POISON_MESSAGES,))
