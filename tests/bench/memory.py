"""A memory with a long past: what it costs on disk, how quickly it answers, how it forgets."""

from collections.abc import Iterable

from bench import disk, past, queries, retention
from bench.parts import new_database, started_postgres
from bench.queries import Filled
from bench.report import Progress, Report, told


def measure(report: Report, sizes: Iterable[int]) -> None:
    """Add the rows of disk, queries and retention; `sizes` in readings."""
    memories: list[Filled] = []
    with started_postgres() as postgres:
        for size in sorted(sizes, reverse=True):  # the largest takes longest, and all end about now
            told(f"A memory of {size:,} readings")
            database = new_database(postgres, f"past_{size}")
            memories.append(Filled(database, past.make(database, size, Progress("readings", size).at), size))
        disk.add_readings(report, memories[-1].postgres)
        told("Every query in each memory")
        queries.add_rows(report, queries.measure(memories, report.seed))
        retention.measure_in(report, memories[0].postgres)
