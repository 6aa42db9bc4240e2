"""A service's process: it starts, says what is wrong, and ends cleanly on SIGTERM and Ctrl-C."""

import asyncio
import contextlib
import faulthandler
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

from chassis import settings

T = TypeVar("T")

EXIT_SETTINGS = 2
ALIVE_PERIOD_S = 1.0
SHUTDOWN_S = 8.0  # below the 10 s that container engines wait before SIGKILL


def run(service: str, kind: type[T], main: Callable[[T], Coroutine[Any, Any, None]]) -> None:
    """Read the settings, run `main(settings)` until it ends or a signal cancels it, and exit.

    Exit status: 0 after a clean end, 2 for wrong settings, 1 for a failure (the supervisor restarts us).
    """
    _raise_file_limit()
    try:
        _log_to_stdout(os.environ.get("LOG_LEVEL") or "INFO")
        values = settings.read(kind)
    except settings.SettingsError as error:
        sys.exit(_refused(service, str(error)))
    _collect_seldom()
    sys.exit(asyncio.run(_until_signal(service, main(values))))


def _collect_seldom() -> None:
    # Nearly everything goes without the collector. Looking for rings after 700 new objects each time, mostly
    # among what imports made, holds up hundreds of charge points for a tenth of a second and longer.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 5, 5)


def _raise_file_limit() -> None:
    # A bus takes two sockets, a charge point one: the customary soft limit of 1,024 files would end a fleet.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


WHOSE: ContextVar[str] = ContextVar("whose", default="")
"""For whom the present task works, where a process works for many; the log says it."""


class _OneLine(logging.Formatter):
    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line with what could move a terminal's cursor or forge a line spelled out."""
        record.whose = f" {whose}" if (whose := WHOSE.get()) else ""
        line = super().formatMessage(record)
        if line.isprintable():
            return line
        return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _log_to_stdout(level: str) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)-7s %(name)s%(whose)s: %(message)s"))
    try:
        logging.basicConfig(level=level.upper(), handlers=[handler])
    except ValueError:
        raise settings.SettingsError(f"LOG_LEVEL: {level!r} is no level of logging") from None


def _refused(service: str, reason: str) -> int:
    print(f"{service}: {reason} (docs/settings.md lists every setting)", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS


async def _until_signal(service: str, main: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(main, name=service)
    stopping = asyncio.Event()

    def end() -> None:
        if not stopping.is_set():  # a second signal must not cancel the clean-up
            stopping.set()
            # A clean-up that hangs, even one that blocks the loop, must not outlive the engine's patience.
            faulthandler.dump_traceback_later(SHUTDOWN_S, exit=True)
            task.cancel()

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, end)
    if alive_file := os.environ.get("ALIVE_FILE"):
        # What a container's health check looks at where nothing listens: its age says whether the loop turns.
        alive = asyncio.create_task(every(ALIVE_PERIOD_S, Path(alive_file).touch), name="alive")
        task.add_done_callback(lambda _: alive.cancel())
    try:
        await task
    except settings.SettingsError as error:
        return _refused(service, str(error))
    except asyncio.CancelledError:
        if not stopping.is_set():
            logging.getLogger(service).exception("cancelled by itself")
            return 1
        logging.getLogger(service).info("stopped")
    except Exception:
        logging.getLogger(service).exception("failed")
        return 1
    return 0


async def every(period_s: float, action: Callable[[], Awaitable[None] | None]) -> None:
    """Call `action` every `period_s` without drifting; a late call is not made up for. Never returns."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        result = action()
        if result is not None:
            await result
        due = max(due + period_s, loop.time())
        await asyncio.sleep(due - loop.time())


@contextlib.asynccontextmanager
async def deadline(seconds: float, what: str) -> Any:
    """Raise TimeoutError naming `what` when the body takes longer."""
    try:
        async with asyncio.timeout(seconds) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise TimeoutError(f"{what}: nothing within {seconds:g} s") from error
