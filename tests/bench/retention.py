"""Retention: a day forgotten as whole partitions, against DELETE of the same rows; a bound on disk, kept."""

import time
from datetime import datetime, timedelta

import psycopg

from bench.report import Report, Row, told
from memorybank.retention import Keep, bytes_on_disk, enforce
from real_parts import Postgres

_TABLES = ("metrics", "events", "metrics_10s")
"""What goes by days."""
_KEPT_PART = 0.6
_FULLEST = "SELECT from_at, to_at FROM memory.partitions WHERE parent = 'metrics' ORDER BY bytes DESC LIMIT 1"

Connection = psycopg.Connection[tuple[object, ...]]


def measure_in(report: Report, postgres: Postgres) -> None:
    """Add the rows of retention; the memory is smaller afterwards."""
    told("Retention")
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        ((begin, end),) = connection.execute(_FULLEST).fetchall()
        _by_age(report, connection, begin, end)
        # So late that none of its days is today's or yesterday's, which always stay.
        _by_size(report, connection, end + timedelta(days=10))


def _by_age(report: Report, connection: Connection, begin: datetime, end: datetime) -> None:
    """Forget the fullest day, as of a day after its end; what is older goes with it."""
    rows, deleted_s = _deleted(connection, begin, end)
    begun_s = time.monotonic()
    outcome = enforce(connection, Keep(days=1, rollup_days=0, gigabytes=0), end + timedelta(days=1))
    dropped_s = (time.monotonic() - begun_s) / (len(outcome.dropped) / len(_TABLES))
    report.add(
        Row(
            name=f"retention by age: a day of {rows:,} rows forgotten",
            unit="ms",
            ours=dropped_s * 1000,
            baseline=deleted_s * 1000,
            baseline_name="DELETE of the same rows, which gives no disk back",
            goal="ratio ≤ 0.2",
            met=outcome.problem is None and dropped_s <= 0.2 * deleted_s,
        )
    )


def _by_size(report: Report, connection: Connection, now: datetime) -> None:
    """Allow a part of what is held."""
    allowed = bytes_on_disk(connection) * _KEPT_PART
    begun_s = time.monotonic()
    outcome = enforce(connection, Keep(days=0, rollup_days=0, gigabytes=allowed / 1e9), now)
    took_ms = (time.monotonic() - begun_s) * 1000
    held = bytes_on_disk(connection)
    report.add(
        Row(
            name=f"retention by size: held, {len(outcome.dropped)} partitions gone in {took_ms:.0f} ms",
            unit="MB",
            ours=held / 1e6,
            baseline=allowed / 1e6,
            baseline_name="allowed",
            goal="ratio ≤ 1",
            met=outcome.problem is None and held <= allowed,
        )
    )


def _deleted(connection: Connection, begin: datetime, end: datetime) -> tuple[int, float]:
    """Return how many rows a day has and the seconds in which DELETE removes them; they stay."""
    rows = 0
    begun_s = time.monotonic()
    with connection.transaction(force_rollback=True):
        for table in _TABLES:
            query = f"DELETE FROM memory.{table} WHERE at >= %s AND at < %s"
            rows += connection.execute(query, (begin, end)).rowcount
        took_s = time.monotonic() - begun_s
    return rows, took_s
