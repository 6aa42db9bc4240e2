"""What dies comes back, and nothing that was numbered is lost."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import pytest

from bench_process import BenchProcess, started_bench
from real_parts import wait_until

WHOLE_AGAIN_S = 15.0
START_S = 10.0
"""For the supervisor to bring the process back; "its return" begins the 15 s.

Where the whole bench took longer to start, the machine is slow, and both are as long as that."""
PROGRAMS = ("postgres", "broker", "memorybank", "csms", "charger", "CP-1", "console", "lab")


@pytest.fixture(scope="module")
def bench_to_break() -> Iterator[BenchProcess]:
    with started_bench() as running:
        running.wait_whole(120)
        yield running


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_killed_process_comes_back_and_nothing_is_lost(bench_to_break: BenchProcess, program: str) -> None:
    """SIGKILL of each in turn: whole again within 15 s of its return."""
    bench = bench_to_break
    died = bench.kill(program)
    wait_until(
        lambda: bench.pid(program) != died,
        timeout_s=max(START_S, bench.start_took_s),
        what=f"{program} to be started again",
    )
    bench.wait_whole(max(WHOLE_AGAIN_S, bench.start_took_s))


def test_after_all_these_deaths_every_event_is_there_once(bench_to_break: BenchProcess) -> None:
    """The count over all sources, with what the outboxes say they numbered."""
    bench_to_break.assert_nothing_lost()


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


@pytest.mark.timeout(400)
def test_postgres_and_broker_away_for_a_minute_lose_nothing(bench_to_break: BenchProcess) -> None:
    """Charging goes on without them; what happened meanwhile is in the database afterwards."""
    bench = bench_to_break
    before = bench.query("SELECT now()")[0][0]
    with _frozen([bench.pid("postgres"), bench.pid("broker")]):
        time.sleep(60)  # the outage itself, as asked for, not a wait for something to happen
    bench.wait_whole(120)
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
    bench.assert_nothing_lost()


def test_ctrl_c_ends_everything(bench_to_break: BenchProcess) -> None:
    """No process and no bench.json is left."""
    bench = bench_to_break
    pids = list(bench.described["processes"].values())
    assert bench.stop() == 0
    assert not (bench.home / "bench.json").exists()
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), timeout_s=20, what="no orphan")


def test_a_killed_bench_leaves_no_orphan(make_bench: Callable[..., BenchProcess]) -> None:
    """SIGKILL of the supervisor itself takes all its processes with it."""
    bench = make_bench()
    pids = list(bench.described["processes"].values())
    assert bench.process is not None
    bench.process.kill()
    bench.process.wait(5)
    wait_until(lambda: not any(map(psutil.pid_exists, pids)), timeout_s=20, what="no orphan")
