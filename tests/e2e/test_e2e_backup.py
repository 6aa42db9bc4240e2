"""A bench's memory is backed up, lived on, put back: what it knew is there, what it lost has a name."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_process import BenchProcess
from embedded import postgres
from real_parts import COUNTED_WITH_GAPS, wait_until


def chargebench(command: str, bench: BenchProcess, file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "embedded", command, "--home", str(bench.home), str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def memory_in(file: Path) -> str:
    """Return what a backup holds, as text."""
    command = [postgres.BINARIES / "pg_restore", "--restrict-key=same", "--file=-", file]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # What PostgreSQL calls a column without a name, it writes out when it writes the view a second time.
    return text.replace("::text AS text", "::text")


@pytest.mark.timeout(700)
def test_the_bench_goes_on_from_a_restored_memory_and_names_what_is_gone(
    make_bench: Callable[..., BenchProcess],
) -> None:
    bench = make_bench()
    folder = bench.home.parent
    bench.wait_whole(timeout_s=120)
    sessions = "SELECT count(*) FROM dash.sessions"
    wait_until(lambda: bench.query(sessions)[0][0] >= 2, timeout_s=90, what="two sessions")
    bench.stop()
    made = chargebench("backup", bench, folder / "stopped.backup")
    assert made.returncode == 0, made.stderr

    bench.start()
    bench.wait_whole(timeout_s=120)
    made = chargebench("backup", bench, folder / "running.backup")
    assert made.returncode == 0, made.stderr
    refused = chargebench("restore", bench, folder / "stopped.backup")
    assert refused.returncode == 2
    assert "already running" in refused.stderr
    bench.stop()
    assert memory_in(folder / "running.backup") != memory_in(folder / "stopped.backup")

    restored = chargebench("restore", bench, folder / "stopped.backup")
    assert restored.returncode == 0, restored.stderr
    made = chargebench("backup", bench, folder / "again.backup")
    assert made.returncode == 0, made.stderr
    assert memory_in(folder / "again.backup") == memory_in(folder / "stopped.backup")

    bench.start()
    bench.wait_whole(timeout_s=120)
    counted = bench.query(COUNTED_WITH_GAPS)
    assert counted
    for source, committed, rows, numbers, first, _, lost, first_lost in counted:
        assert first == 1, source
        assert rows == numbers == committed - lost, source
        assert first_lost is None or 1 < first_lost < committed, source
    assert bench.query("SELECT sum(lost) > 0 FROM dash.gaps") == [(True,)]
