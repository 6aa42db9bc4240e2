"""What a row costs on disk, against the same rows in a plain table: no index, no partition, no rollup."""

import psycopg

from bench.report import Report, Row
from memorybank_parts import ask
from real_parts import Postgres

_ROLLUPS = ("metrics_10s", "metrics_1m", "metrics_1h")


def add_readings(report: Report, postgres: Postgres) -> None:
    """Add what a reading costs in this memory: its row, its indexes, its part of the rollups."""
    ((count,),) = ask(postgres, "SELECT count(*) FROM memory.metrics")
    whole = _bytes(postgres, "metrics", *_ROLLUPS) / count  # type: ignore[operator]
    rollups = _bytes(postgres, *_ROLLUPS) / count  # type: ignore[operator]
    plain = _plain_bytes(postgres, "metrics") / count  # type: ignore[operator]
    _add(report, "a reading on disk, all indexes and rollups included", whole, plain)
    _add(report, "of which its part of the rollups", rollups)


def add_events(report: Report, postgres: Postgres) -> None:
    """Add what an event costs in this memory."""
    ((count,),) = ask(postgres, "SELECT count(*) FROM memory.events")
    whole, plain = _bytes(postgres, "events"), _plain_bytes(postgres, "events")
    _add(report, "an event on disk, all indexes included", whole / count, plain / count)  # type: ignore[operator]


def _add(report: Report, name: str, ours: float, plain: float | None = None) -> None:
    baseline_name = "the same rows in a plain table without an index" if plain else None
    report.add(Row(name=name, unit="bytes", ours=ours, baseline=plain, baseline_name=baseline_name))


def _bytes(postgres: Postgres, *parents: str) -> float:
    query = (
        "SELECT sum(pg_total_relation_size(relid))::bigint"
        " FROM unnest(%s::text[]) AS parent,"
        " LATERAL pg_partition_tree(format('memory.%%I', parent)::regclass)"
    )
    ((held,),) = ask(postgres, query, list(parents))
    return float(held)  # type: ignore[arg-type]


def _plain_bytes(postgres: Postgres, table: str) -> float:
    with psycopg.connect(postgres.superuser_url) as connection:
        connection.execute(f"CREATE TEMPORARY TABLE plain AS SELECT * FROM memory.{table}")
        row = connection.execute("SELECT pg_total_relation_size('plain')").fetchone()
        return float(row[0])  # type: ignore[index]
