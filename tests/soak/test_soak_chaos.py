"""The bench under random deaths for a long time: `make soak MINUTES=10 SEED=1`."""

import os
import random
import time
from collections.abc import Iterator

import pytest

from bench_process import BenchProcess, started_bench

MINUTES = float(os.environ.get("SOAK_MINUTES", "10"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
PROGRAMS = ("postgres", "broker", "memorybank", "csms", "charger", "CP-1", "CP-2", "console", "lab")
PAUSE_S = (1.0, 20.0)


@pytest.fixture
def bench() -> Iterator[BenchProcess]:
    with started_bench() as running:
        running.wait_whole(60)
        yield running


@pytest.mark.soak
def test_random_deaths_lose_nothing(bench: BenchProcess) -> None:
    """Kill a random process at random moments, the same for the same seed; then count every source."""
    draw = random.Random(SEED)
    end_s = time.monotonic() + MINUTES * 60
    kills = 0
    while time.monotonic() < end_s:
        time.sleep(draw.uniform(*PAUSE_S))  # the moments are what is drawn, not a wait for something
        program = draw.choice(PROGRAMS)
        try:
            bench.kill(program)
        except ProcessLookupError:  # still on its way back from the last time
            continue
        kills += 1
        print(f"{(end_s - time.monotonic()) / 60:5.1f} min left: killed {program}", flush=True)
    bench.wait_whole(60)
    bench.assert_nothing_lost()
    rows = bench.query("SELECT count(*) FROM memory.events")[0][0]
    print(f"{kills} kills in {MINUTES:g} minutes, {rows} events, lost 0, duplicated 0")
