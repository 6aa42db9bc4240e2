"""What dies comes back, and nothing that was numbered is lost."""

import os
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from bench_process import BenchProcess
from real_parts import directory_open_to_postgres, wait_until

WHOLE_AGAIN_S = 15.0
START_S = 10.0  # for the supervisor to bring the process back; "its return" begins the 15 s
PROGRAMS = ("postgres", "broker", "memorybank", "csms", "charger", "CP-1", "console")

FRESH = """
SELECT count(DISTINCT (charge_point_id, origin)) FROM dash.metrics
WHERE at > now() - interval '3 s' AND charge_point_id IN ('CP-1', 'CP-2')
"""


def _whole(bench: BenchProcess) -> bool:
    """Fresh readings of both charge points from both ends have reached the database."""
    try:
        return bench.query(FRESH) == [(4,)] or bench.query(FRESH)[0][0] == 4
    except Exception:  # noqa: BLE001 - the database itself may be the one that is away
        return False


def _numbered(bench: BenchProcess) -> dict[str, int]:
    """Return the last number that each source gave, from the outboxes on disk."""
    numbered: dict[str, int] = {}
    for path in bench.home.glob("state/**/outbox.sqlite"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as outbox:
            numbered |= dict(outbox.execute("SELECT source, last_seq FROM sources"))
    return numbered


def _assert_nothing_lost(bench: BenchProcess) -> None:
    """End the publishers, then: every number up to the last is in PostgreSQL exactly once."""
    wait_until(lambda: _whole(bench), timeout_s=60, what="the chain to be whole before it is counted")
    assert bench.query("SELECT coalesce(sum(gaps), 0)::int FROM memory.sources") == [(0,)]
    counted = bench.query(
        """
        SELECT s.source, s.committed_seq, count(*), count(DISTINCT e.seq), min(e.seq), max(e.seq)
        FROM memory.sources s
        JOIN (SELECT source_no, seq FROM memory.events UNION ALL SELECT source_no, seq FROM truth.labels) e
          USING (source_no)
        GROUP BY 1, 2
        """
    )
    assert len(counted) >= 3
    for source, committed, rows, distinct, first, last in counted:
        assert (rows, first) == (distinct, 1), source
        assert rows == last, source
        assert committed <= last, source


@pytest.fixture(scope="module")
def bench_to_break(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchProcess]:
    running = BenchProcess(directory_open_to_postgres(tmp_path_factory) / "bench")
    running.start()
    wait_until(lambda: _whole(running), timeout_s=60, what="the chain")
    yield running
    running.stop()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_process_comes_back_and_nothing_is_lost(bench_to_break: BenchProcess, program: str) -> None:
    """SIGKILL of each in turn: whole again within 15 s of its return."""
    bench = bench_to_break
    died = bench.kill(program)
    wait_until(lambda: bench.pid(program) != died, timeout_s=START_S, what=f"{program} to be started again")
    wait_until(lambda: _whole(bench), timeout_s=WHOLE_AGAIN_S, what=f"the chain after {program} died")


def test_after_all_these_deaths_every_event_is_there_once(bench_to_break: BenchProcess) -> None:
    """The count over all sources, with what the outboxes say they numbered."""
    bench = bench_to_break
    numbered = _numbered(bench)
    wait_until(
        lambda: all(
            dict(bench.query("SELECT source, max(committed_seq) FROM memory.sources GROUP BY 1")).get(
                source, 0
            )
            >= last
            for source, last in numbered.items()
        ),
        timeout_s=30,
        what="everything that was numbered to be committed",
    )
    _assert_nothing_lost(bench)


@contextmanager
def _frozen(pids: list[int]) -> Iterator[None]:
    """Stop whole sessions of processes (a server and its children) and let them go on afterwards."""
    for pid in pids:
        os.killpg(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.killpg(pid, signal.SIGCONT)


@pytest.mark.timeout(240)
def test_postgres_and_broker_away_for_a_minute_lose_nothing(bench_to_break: BenchProcess) -> None:
    """Charging goes on without them; what happened meanwhile is in the database afterwards."""
    bench = bench_to_break
    before = bench.query("SELECT now()")[0][0]
    with _frozen([bench.pid("postgres"), bench.pid("broker")]):
        time.sleep(60)  # the outage itself, as asked for, not a wait for something to happen
    wait_until(lambda: _whole(bench), timeout_s=60, what="the chain after the outage")
    for name in ("CP-1", "CP-2"):
        seconds = bench.query(
            """
            SELECT count(DISTINCT date_trunc('second', at)) FROM dash.metrics
            WHERE charge_point_id = %s AND origin = 'can' AND at BETWEEN %s AND %s + interval '60 s'
            """,
            name,
            before,
            before,
        )[0][0]
        assert seconds >= 55, f"{name}: readings of {seconds} seconds out of 60"
    _assert_nothing_lost(bench)


def test_ctrl_c_ends_everything(make_bench: Callable[..., BenchProcess]) -> None:
    """No process and no bench.json is left."""
    bench = make_bench()
    pids = list(bench.described["processes"].values())
    assert bench.stop() == 0
    assert not (bench.home / "bench.json").exists()
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), timeout_s=5, what="no orphan")


def test_a_killed_bench_leaves_no_orphan(make_bench: Callable[..., BenchProcess]) -> None:
    """SIGKILL of the supervisor itself takes all its processes with it."""
    bench = make_bench()
    pids = list(bench.described["processes"].values())
    assert bench.process is not None
    bench.process.kill()
    bench.process.wait(5)
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), timeout_s=20, what="no orphan")
