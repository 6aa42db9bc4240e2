"""A service's process: it starts, says what is wrong, and ends cleanly on SIGTERM and Ctrl-C."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from chassis import settings

T = TypeVar("T")

EXIT_SETTINGS = 2
SHUTDOWN_S = 8.0  # below the 10 s that container engines wait before SIGKILL


def run(service: str, kind: type[T], main: Callable[[T], Coroutine[Any, Any, None]]) -> None:
    """Read the settings, run `main(settings)` until it ends or a signal cancels it, and exit.

    Exit status: 0 after a clean end, 2 for wrong settings, 1 for a failure (the supervisor restarts us).
    """
    logging.basicConfig(
        level=os.environ.get("LOG_LEVEL", "INFO").upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        stream=sys.stdout,
    )
    try:
        values = settings.read(kind)
    except settings.SettingsError as error:
        sys.exit(_refused(service, str(error)))
    sys.exit(asyncio.run(_until_signal(service, main(values))))


def _refused(service: str, reason: str) -> int:
    print(f"{service}: {reason} (docs/settings.md lists every setting)", file=sys.stderr)  # noqa: T201
    return EXIT_SETTINGS


async def _until_signal(service: str, main: Coroutine[Any, Any, None]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(main, name=service)

    def end() -> None:
        task.cancel()
        # A clean-up that hangs must not outlive the engine's patience.
        loop.call_later(SHUTDOWN_S, os._exit, 1)

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, end)
    try:
        await task
    except asyncio.CancelledError:
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
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TimeoutError(f"{what}: nothing within {seconds:g} s") from error
