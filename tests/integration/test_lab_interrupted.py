"""Whatever ends a command of the lab ends all its processes soon; what was half written is gone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def begun(out: Path) -> bool:
    """Whether a worker is in the middle of a charge point's life."""
    return any(out.glob("parts-*/*.events"))


KILLED = """
import sys
from pathlib import Path
from lab import pool

def work(number):
    Path(sys.argv[1], str(number)).touch()
    while True:
        pool.look()

if __name__ == "__main__":
    with pool.pool(2) as processes:
        futures = [processes.submit(work, number) for number in range(2)]
        futures[0].result()
"""


def test_workers_end_with_whoever_is_killed(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(KILLED, encoding="utf-8")
    with subprocess.Popen(
        [sys.executable, str(program), str(tmp_path)], stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        try:
            until_s = time.monotonic() + DEADLINE_S
            while not all((tmp_path / name).exists() for name in "01"):
                assert process.poll() is None
                assert time.monotonic() < until_s
                time.sleep(0.05)
            process.kill()
            # The pipe is closed by the last of its processes.
            process.communicate(timeout=DEADLINE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def interrupt_all(pid: int) -> None:
    """Do what a terminal does on Ctrl-C."""
    os.killpg(pid, signal.SIGINT)


def terminate(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("end", [interrupt_all, terminate])
def test_simulate_ends_and_leaves_nothing(tmp_path: Path, end: Callable[[int], None]) -> None:
    """Real processes, so it takes some seconds."""
    out = tmp_path / "data-set"
    simulate = [sys.executable, "-m", "chargebench", "simulate", "--charge-points", "9", "--days", "30"]
    with subprocess.Popen(
        [*simulate, "--workers", "2", "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    ) as process:
        try:
            until_s = time.monotonic() + DEADLINE_S
            while not begun(out):
                assert process.poll() is None
                assert time.monotonic() < until_s
                time.sleep(0.05)
            end(process.pid)
            # The pipe is closed by the last of its processes.
            _, told = process.communicate(timeout=DEADLINE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert told.strip() == "ended; nothing is left of it"
    assert not out.exists()
