"""A run watched to its end; Ctrl-C stops it and undoes what it did."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from chassis.terminal import printable
from console.answers import ScenarioRun
from console.apis import ApiAway
from console.scenario import words
from console.scenario.lab_link import LabLink

PERIOD_S = 1.0
PATIENCE_S = 30.0
"""How long the CSMS may be away meanwhile."""


@contextmanager
def interrupted() -> Iterator[asyncio.Event]:
    """Give what Ctrl-C, and an end by SIGTERM, set instead of ending the program."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, event.set)
    try:
        yield event
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


class Progress:
    """Tells how a run fares: on one line of a terminal; elsewhere a line whenever something is new."""

    def __init__(self, *, silent: bool) -> None:
        self._silent = silent
        self._told: tuple[object, ...] = ()
        self._width = 0

    def tell(self, run: ScenarioRun) -> None:
        """Tell it."""
        if self._silent:
            return
        lasted_s = words.lasted_s(run, datetime.now(UTC)) or 0.0
        cycles = "1 cycle" if run.cycles == 1 else f"{run.cycles} cycles"
        line = f"{run.scenario} on {words.where(run)}: {run.state} for {lasted_s:.0f} s, {cycles}"
        line = printable(line if run.reason is None else f"{line} ({run.reason})")
        if sys.stderr.isatty():
            _write(f"\r{line:{self._width}}")
            self._width = len(line)
        elif self._told != (told := (run.state, run.cycles, run.reason)):
            self._told = told
            _write(f"{line}\n")

    def over(self) -> None:
        """End the line."""
        if self._width:
            _write("\n")
            self._width = 0


def _write(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


async def follow(link: LabLink, run: ScenarioRun, stop: asyncio.Event, progress: Progress) -> ScenarioRun:
    """Return the run as it ended by itself, or as it was stopped; raises what `link` does."""
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    while run.state == "running":
        progress.tell(run)
        with suppress(TimeoutError):
            async with asyncio.timeout(PERIOD_S):
                await stop.wait()
        try:
            run = await (link.stop if stop.is_set() else link.run)(run.run_id)
            heard_s = loop.time()
        except ApiAway:
            if stop.is_set() or loop.time() - heard_s > PATIENCE_S:
                raise
    progress.tell(run)
    progress.over()
    return run
