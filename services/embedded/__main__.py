"""`chargebench`: the bench's command line."""

import argparse
import asyncio
import math
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from embedded import report
from embedded.bench import Bench, BenchError, locked, make_layout, running
from embedded.layout import Layout
from embedded.ports import MOST_CHARGE_POINTS, PortsError, taken
from embedded.postgres import PostgresFailed
from embedded.report import Report
from embedded.supervisor import Say, WrongSettings, coloured_printer

SETTLE_S = 3.0  # for what the last second sent to reach the memory


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="chargebench",
        description="A test bench for EV-charging anomalies.",
        epilog="Example: chargebench up --charge-points 5 --duration 60",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser(
        "up",
        help="start the bench on this machine, without Docker",
        description="Start PostgreSQL, an MQTT broker and every service; Ctrl-C ends all of it.",
        epilog="Example: chargebench up --charge-points 5 --duration 60",
    )
    up.add_argument(
        "--charge-points", type=_charge_points, default=2, metavar="N", help="how many (default 2)"
    )
    up.add_argument(
        "--duration",
        type=_seconds,
        metavar="S",
        help="end after S seconds; the exit status says whether it worked",
    )
    up.add_argument(
        "--home",
        type=Path,
        default=Path(os.environ.get("CHARGEBENCH_HOME", ".chargebench")),
        help="folder for data and passwords (default $CHARGEBENCH_HOME or .chargebench)",
    )
    up.add_argument(
        "--scenario-plan",
        choices=("default", "none"),
        default=os.environ.get("SCENARIO_PLAN", "default"),
        help="what runs by itself (default $SCENARIO_PLAN or default)",
    )
    up.add_argument(
        "--console-port", type=_port, help="port of the page; an error when it is taken (default 8080)"
    )
    up.add_argument(
        "--ocpp-port", type=_port, help="port of the CSMS; an error when it is taken (default 9000)"
    )
    up.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    return parser.parse_args(arguments)


def _charge_points(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MOST_CHARGE_POINTS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_CHARGE_POINTS}")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _say_where_to_look(layout: Layout, say: Say) -> None:
    for line in (
        "the bench runs. Where to look:",
        f"  live page     {layout.console_url}",
        f"  CSMS API      {layout.csms_api_url}/docs   (token in {layout.home / 'token'})",
        f"  MemoryBank    {layout.memorybank_api_url}/docs, or in another terminal: make viewer",
        f"  your own charge point may connect to ws://127.0.0.1:{layout.ports.ocpp}/<identity>",
        "Ctrl-C ends it.",
    ):
        say("bench", line)


async def _watch(bench: Bench, duration_s: float | None, say: Say) -> None:
    """Return when the time is over, a signal came, or a program cannot run."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    _on_signal(lambda: None if over.done() else over.set_result(None))
    progress = asyncio.create_task(_progress(duration_s, say)) if duration_s else None
    waiting = {over, bench.supervisor.failed}
    done, _ = await asyncio.wait(waiting, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
    if progress is not None:
        progress.cancel()
    for future in done:
        future.result()


def _on_signal(action: Callable[[], object]) -> None:
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, action)


async def _progress(duration_s: float, say: Say) -> None:
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    while True:
        await asyncio.sleep(10)
        say("bench", f"{loop.time() - started_s:.0f} of {duration_s:.0f} s")


async def _up(arguments: argparse.Namespace) -> int:
    task = asyncio.current_task()
    if task is not None:
        _on_signal(task.cancel)  # until it runs, a signal ends the start
    say = coloured_printer()
    home: Path = arguments.home.resolve()
    wanted = {"console": arguments.console_port, "ocpp": arguments.ocpp_port}
    with locked(home), taken({name: port for name, port in wanted.items() if port}) as (ports, moved):
        for line in moved:
            say("bench", line)
        layout = make_layout(
            home,
            ports,
            charge_points=arguments.charge_points,
            scenario_plan=arguments.scenario_plan,
            log_level=arguments.log_level,
        )
        result = None
        async with running(layout, say) as bench:
            _say_where_to_look(layout, say)
            await _watch(bench, arguments.duration, say)
            if arguments.duration is not None:
                result = await _report(bench)
    if result is None:
        return 0
    default_law = os.environ.get("CHARGER_RAMP_LAW", "exponential") == "exponential"
    peak_a = report.PEAK_A if default_law else report.PEAK_BY_OTHER_LAWS_A
    failures = result.failures(arguments.scenario_plan, peak_a)
    report.show(result, failures)
    return 1 if failures else 0


async def _report(bench: Bench) -> Report:
    layout = bench.layout
    ended_at = datetime.now(UTC)
    await asyncio.sleep(SETTLE_S)
    ids = [f"CP-{number + 1}" for number in range(layout.charge_points)]
    try:
        return await asyncio.to_thread(
            report.collect, layout.database.url("memorybank_reader"), ids, bench.started_at, ended_at
        )
    except psycopg.Error as error:
        raise BenchError(f"the memory could not be asked what happened: {error}") from error


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; exit status 0: it worked, 1: it did not, 2: it could not start."""
    parsed = _arguments(arguments)
    try:
        return asyncio.run(_up(parsed))
    except (BenchError, PortsError, PostgresFailed, WrongSettings) as error:
        print(f"chargebench: {error}", file=sys.stderr)
        return 2
    except (asyncio.CancelledError, KeyboardInterrupt):  # ended while it started
        return 130


if __name__ == "__main__":
    sys.exit(main())
