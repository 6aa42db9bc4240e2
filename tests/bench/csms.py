"""What a MeterValues with ten samples costs the CSMS, beside a plain central system on the `ocpp` package."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.parts import cpu_s, started_broker
from bench.report import Progress, Report, Row, told
from csms_load import Committer, Load, load
from real_parts import Broker, accepts, free_port, wait_until

CONNECTIONS = 100
CALLS_EACH = 20
ROUNDS = 5
"""Each in turns; for each the median counts."""
_START_S = 60.0


def measure(report: Report) -> None:
    """Add the rows of the CSMS."""
    told(f"CSMS: MeterValues with 10 samples, {CONNECTIONS} charge points, in turns with a plain one")
    with tempfile.TemporaryDirectory(prefix="chargebench-") as folder, started_broker() as broker:
        port, plain_port = free_port(), free_port()
        with _csms(Path(folder), broker, port) as ours, _plain(plain_port) as plain:
            costs = asyncio.run(_measured(broker, (ours, port), (plain, plain_port)))
    ours_s, plain_s = (median(cost) for cost in costs)
    report.add(
        Row(
            name="CSMS: MeterValues with 10 samples validated, answered, published",
            unit="calls/s for each core",
            ours=1 / ours_s,
            baseline=1 / plain_s,
            baseline_name="a plain central system on the ocpp package: validated, answered",
            goal="ratio ≥ 5",
            met=plain_s >= 5 * ours_s,
        )
    )
    report.add(
        Row(
            name="CSMS: processor time of such a call",
            unit="µs",
            ours=1e6 * ours_s,
            baseline=1e6 * plain_s,
            baseline_name="the same plain central system",
        )
    )


async def _measured(
    broker: Broker, ours: tuple[int, int], plain: tuple[int, int]
) -> tuple[list[float], list[float]]:
    """Return processor seconds of a call, of ours and of the plain one, each round."""
    committer, progress = Committer(broker), Progress("rounds", ROUNDS)
    found: tuple[list[float], list[float]] = [], []
    async with (
        committer.link,
        load(f"ws://127.0.0.1:{ours[1]}", CONNECTIONS) as to_ours,
        load(f"ws://127.0.0.1:{plain[1]}", CONNECTIONS) as to_plain,
    ):
        await asyncio.wait_for(committer.ready.wait(), 10)
        for number in range(-1, ROUNDS):  # the first warms up
            ours_s = await _cost_s(to_ours, ours[0], committer)
            plain_s = await _cost_s(to_plain, plain[0])
            progress.at(number + 1)
            if number >= 0:
                found[0].append(ours_s)
                found[1].append(plain_s)
    return found


async def _cost_s(sender: Load, pid: int, committer: Committer | None = None) -> float:
    begun_s = cpu_s(pid)
    published = committer.readings if committer else 0
    calls = await sender.send(CALLS_EACH)
    if committer:
        await committer.wait_for(published + calls)
    return (cpu_s(pid) - begun_s) / calls


@contextmanager
def _csms(directory: Path, broker: Broker, port: int) -> Iterator[int]:
    environ = {
        **os.environ,
        **broker.environ("csms"),
        "STATE_DIRECTORY": str(directory),
        "OCPP_PORT": str(port),
        "CSMS_HTTP_PORT": str(free_port()),
        "SCENARIO_PLAN": "none",
        "OCPP_PING_INTERVAL_S": "60",
    }
    with _process([sys.executable, "-m", "csms"], port, environ) as pid:
        yield pid


@contextmanager
def _plain(port: int) -> Iterator[int]:
    program = str(Path(__file__).with_name("plain_csms.py"))
    with _process([sys.executable, "-P", program, str(port)], port, dict(os.environ)) as pid:
        yield pid


@contextmanager
def _process(command: list[str], port: int, environ: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _accepts(process, port), timeout_s=_START_S, what=f"port {port} of {command[-1]}")
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _accepts(process: "subprocess.Popen[bytes]", port: int) -> bool:
    if process.poll() is not None:
        raise AssertionError(f"{process.args!r} ended with {process.returncode}")
    return accepts(port)
