"""docs/measure_memory.py, by which docs/memory.md was made, on a memory that a run filled."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import recorded_run
from real_parts import Postgres

SCRIPT = Path(__file__).parents[2] / "docs" / "measure_memory.py"


def measured(postgres: Postgres) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), "--database", postgres.reader_url]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def test_every_table_that_grows_is_measured(postgres: Postgres) -> None:
    """Rows, bytes a row and a day's worth of each; then what fleets take and disks hold."""
    end = datetime.now(UTC)
    run = recorded_run.events(end - timedelta(minutes=1), end)
    asyncio.run(recorded_run.record(postgres.writer_url, run))
    answer = measured(postgres)
    assert answer.returncode == 0, answer.stderr
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in answer.stdout.splitlines()]
    by_name = {cells[0].strip("`"): cells[1:] for cells in lines if len(cells) > 1}
    for table in ("events", "metrics", "metrics_10s", "metrics_1m", "metrics_1h"):
        rows, bytes_a_row, _, a_day, megabytes = by_name[table]
        assert int(rows.replace(",", "")) > 0, table
        assert 50 < int(bytes_a_row) < 100_000, table
        assert int(a_day.replace(",", "")) > 0, table
        assert float(megabytes) >= 0, table
    assert float(by_name["1"][1].removesuffix(" days")) > float(by_name["100"][1].removesuffix(" days"))


def test_a_memory_without_readings_is_told_in_one_line(postgres: Postgres) -> None:
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    answer = measured(postgres)
    assert (answer.returncode, answer.stderr) == (1, "there are no readings in this memory\n")
