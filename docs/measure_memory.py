"""Print what a memory costs on disk: bytes a row, megabytes a charge point and day, how long a disk lasts.

Example: python docs/measure_memory.py --home .chargebench
"""

import argparse
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from memorybank.viewer import place

DAY_S = 86_400
WIDTHS_S = {"metrics_10s": 10, "metrics_1m": 60, "metrics_1h": 3600}
DAYS = {"events": 30, "metrics": 30, "metrics_10s": 30, "metrics_1m": 400, "metrics_1h": 400}
"""For how long the defaults keep each table."""
FLEETS = (1, 2, 5, 10, 20, 50, 100)
DISKS_GB = (20, 100, 500)
ENOUGH_ROWS = 2_000
"""Of fewer rows, pages that are begun and not full would count for much."""


@dataclass(frozen=True)
class Table:
    """A table as it was found: its rows, and its bytes in rows and in indexes."""

    name: str
    rows: int
    heap: int
    indexes: int

    @property
    def bytes_a_row(self) -> float:
        """Bytes of one row, its part of all indexes included."""
        return (self.heap + self.indexes) / self.rows if self.rows else 0.0


_COUNTED = sql.SQL("SELECT tableoid, count(*) FROM {} GROUP BY 1")
_ON_DISK = "SELECT sum(pg_table_size(o)), sum(pg_indexes_size(o)) FROM unnest(%s::oid[]) AS o"
_LIFE = """
SELECT extract(epoch FROM max(at) - min(at)), count(DISTINCT charge_point_id),
       (SELECT count(*) FROM (SELECT DISTINCT charge_point_id, connector, origin FROM memory.metrics_1h) s)
FROM memory.metrics"""


def tables(connection: psycopg.Connection[Any]) -> list[Table]:
    """Return the tables that grow with time: all partitions of each together, but the empty ones."""
    found = []
    for name in DAYS:
        parts = connection.execute(_COUNTED.format(sql.Identifier("memory", name))).fetchall()
        row = connection.execute(_ON_DISK, ([oid for oid, _ in parts],)).fetchone() or (0, 0)
        found.append(Table(name, sum(rows for _, rows in parts), *(int(size or 0) for size in row)))
    return found


def rows_a_day(connection: psycopg.Connection[Any], found: list[Table]) -> dict[str, float]:
    """Return how many rows of each table one charge point makes in a day."""
    row = connection.execute(_LIFE).fetchone()
    length_s, charge_points, series = (float(value or 0) for value in row or (0, 0, 0))
    if not length_s or not charge_points:
        raise SystemExit("there are no readings in this memory")
    return {
        table.name: series / charge_points * DAY_S / WIDTHS_S[table.name]
        if table.name in WIDTHS_S
        else table.rows / charge_points / length_s * DAY_S
        for table in found
    }


def page(found: list[Table], daily: dict[str, float]) -> Iterator[str]:
    """Give the lines of the two tables."""
    bytes_a_row = {table.name: table.bytes_a_row for table in found}
    for table in found:
        if table.rows < ENOUGH_ROWS and table.name in ("metrics_1m", "metrics_1h"):
            # The same columns; its pages are kept half empty for the changes of the present stretch.
            bytes_a_row[table.name] = 2 * bytes_a_row["metrics_10s"]
    megabytes = {name: daily[name] * bytes_a_row[name] / 1e6 for name in DAYS}
    yield "| Table | rows measured | bytes a row | of these indexes | rows a charge point and day | MB |"
    yield "|---|---:|---:|---:|---:|---:|"
    for table in found:
        share = table.indexes / (table.heap + table.indexes) if table.rows else 0
        yield (
            f"| `{table.name}` | {table.rows:,} | {bytes_a_row[table.name]:.0f} | {share:.0%}"
            f" | {daily[table.name]:,.0f} | {megabytes[table.name]:.1f} |"
        )
    for_days = sum(megabytes[name] for name in DAYS if DAYS[name] == DAYS["metrics"])
    for_rollups = sum(megabytes.values()) - for_days
    yield ""
    yield f"A charge point and day: {for_days:.1f} MB for 30 days, {for_rollups:.1f} MB for 400."
    yield ""
    yield f"| Charge points | 30 days take | {' | '.join(f'{disk} GB last' for disk in DISKS_GB)} |"
    yield "|---:|---:|" + "---:|" * len(DISKS_GB)
    for fleet in FLEETS:
        kept_gb = fleet * (for_days * DAYS["metrics"] + for_rollups * DAYS["metrics_1m"]) / 1e3
        lasting = [disk * 1e3 / fleet / (for_days + for_rollups) for disk in DISKS_GB]
        yield f"| {fleet} | {kept_gb:.0f} GB | {' | '.join(map(_days, lasting))} |"


def _days(days: float) -> str:
    return f"{days:.{0 if days >= 10 else 1}f} days"


def main() -> None:
    """Measure the memory of a bench, or any."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--database", help="URL of a database; else that of the bench that runs")
    parser.add_argument("--home", help="the bench's folder")
    asked = parser.parse_args()
    found_at = place.find(asked.database, asked.home, os.environ, Path.cwd())
    with psycopg.connect(found_at.url) as connection:
        found = tables(connection)
        lines = page(found, rows_a_day(connection, found))
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    main()
