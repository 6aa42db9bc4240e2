"""Ctrl-C ends `chargebench simulate` soon, with all its processes and all that it wrote."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def begun(out: Path) -> bool:
    """Whether a worker is in the middle of a charge point's life."""
    return any(out.glob("parts-*/*.events"))


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    """A terminal interrupts all processes of a command. Real processes, so it takes some seconds."""
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
            os.killpg(process.pid, signal.SIGINT)
            # The pipe is closed by the last of its processes.
            _, told = process.communicate(timeout=DEADLINE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert told.strip() == "ended; nothing is left of it"
    assert not out.exists()
