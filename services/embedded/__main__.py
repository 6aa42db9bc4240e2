"""`chargebench`: the bench's command line."""

import argparse
import asyncio
import os
import shlex
import signal
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from chassis.bench_home import DEFAULT_HOME
from chassis.can_bus import GROUP
from console.apis import ApiError
from console.top import __main__ as top
from contracts.backplane import BUSES_PER_CHARGE_POINT
from embedded import inquiry, report
from embedded.arguments import parse, per_process, wanted_ports
from embedded.backup import RESTORED_MARK, BackupFailed, backup, restore
from embedded.bench import Bench, BenchError, BenchRuns, locked, make_layout, running
from embedded.layout import Layout, decided_by_the_bench
from embedded.ports import PortsError, taken
from embedded.postgres import PostgresFailed
from embedded.report import Report
from embedded.supervisor import Say, WrongSettings, coloured_printer

SETTLE_S = 3.0  # for what the last second sent to reach the memory


def _to_type(home: Path, target: str, program: str, *arguments: str) -> str:
    """Return what to type, in the folder we are in, to look at this bench: make's target, or the program."""
    here = Path.cwd()
    if home == here / DEFAULT_HOME and (here / "Makefile").exists():
        return f"make {target}"
    path = Path(sys.executable).with_name(program)
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    where = [] if home == here / DEFAULT_HOME else ["--home", str(home)]
    return shlex.join([str(shown), *arguments, *where])


def _say_where_to_look(layout: Layout, say: Say) -> None:
    can = layout.ports.can_base
    watch = _to_type(layout.home, "top", "chargebench", "top")
    ask = _to_type(layout.home, "viewer", "memory-viewer")
    for line in (
        "the bench runs. Where to look:",
        f"  live page     {layout.console_url}, or in another terminal: {watch}",
        f"  CSMS API      {layout.csms_api_url}/docs   (token in {layout.home / 'token'})",
        f"  CAN buses     {GROUP}, UDP ports {can} (CP-1), {can + BUSES_PER_CHARGE_POINT} (CP-2), …",
        f"  MemoryBank    {layout.memorybank_api_url}/docs, or in another terminal: {ask}",
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


def _end_on_signal() -> None:
    """End by the first signal; another would break off what the first one cleans up."""
    task = asyncio.current_task()
    if task is not None:
        _on_signal(lambda: None if task.cancelling() else task.cancel())


async def _backup_or_restore(arguments: argparse.Namespace) -> int:
    _end_on_signal()
    others: deque[str] = deque(maxlen=20)

    def say(name: str, line: str) -> None:
        # What PostgreSQL tells at every start is of interest only where it fails.
        if name == "bench":
            print(line, flush=True)
        else:
            others.append(f"{name} | {line}")

    try:
        work = backup if arguments.command == "backup" else restore
        print(await work(arguments.home.resolve(), arguments.file, say))
    except (BenchError, PostgresFailed, WrongSettings) as error:
        if not isinstance(error, (BackupFailed, BenchRuns)):
            print("\n".join(others), file=sys.stderr)
        raise
    return 0


async def _up(arguments: argparse.Namespace) -> int:
    _end_on_signal()  # until it runs
    say = coloured_printer()
    home: Path = arguments.home.resolve()
    with (
        locked(home),
        taken(wanted_ports(arguments), charge_points=arguments.charge_points) as (ports, moved),
    ):
        for line in moved:
            say("bench", line)
        layout = make_layout(
            home,
            ports,
            charge_points=arguments.charge_points,
            per_process=per_process(arguments),
            scenario_plan=arguments.scenario_plan,
            log_level=arguments.log_level,
        )
        if decided := decided_by_the_bench(layout):
            say("bench", f"not used, the bench decides these itself: {', '.join(decided)}")
        result = None
        restored = (home / RESTORED_MARK).exists()
        async with running(layout, say) as bench:
            _say_where_to_look(layout, say)
            await _watch(bench, arguments.duration, say)
            if arguments.duration is not None:
                result = await _report(bench, restored)
        (home / RESTORED_MARK).unlink(missing_ok=True)  # by now each source has said what it misses
    if result is None:
        return 0
    default_law = os.environ.get("CHARGER_RAMP_LAW", "exponential") == "exponential"
    peak_a = report.PEAK_A if default_law else report.PEAK_BY_OTHER_LAWS_A
    failures = result.failures(arguments.scenario_plan, peak_a)
    report.show(result, result.remarks(arguments.scenario_plan), failures)
    return 1 if failures else 0


async def _report(bench: Bench, restored: bool) -> Report:
    ended_at = datetime.now(UTC)
    await asyncio.sleep(SETTLE_S)
    try:
        return await inquiry.collect(bench.layout, bench.started_at, ended_at, restored=restored)
    except (psycopg.Error, ApiError) as error:
        raise BenchError(f"it could not be asked what happened: {error}") from error


_COMMANDS = {"up": _up, "backup": _backup_or_restore, "restore": _backup_or_restore}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; exit status 0: it worked, 1: it did not, 2: it could not start."""
    parsed = parse(arguments)
    if parsed.command == "top":
        return top.run(parsed)
    try:
        return asyncio.run(_COMMANDS[parsed.command](parsed))
    except (BenchError, PortsError, PostgresFailed, WrongSettings) as error:
        print(f"chargebench: {error}", file=sys.stderr)
        return 2
    except (asyncio.CancelledError, KeyboardInterrupt):  # ended while it started
        return 130


if __name__ == "__main__":
    sys.exit(main())
