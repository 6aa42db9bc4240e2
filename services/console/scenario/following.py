"""A run watched to its end; Ctrl-C stops it and undoes what it did."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar

from chassis.terminal import printable
from console.apis import ApiAway

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
        self._told: object = None
        self._width = 0

    def tell(self, line: str, told: object) -> None:
        """Tell it; `told` is what of the line is news."""
        if self._silent:
            return
        line = printable(line)
        if sys.stderr.isatty():
            _write(f"\r{line:{self._width}}")
            self._width = len(line)
        elif self._told != told:
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


class Followed(Protocol):
    """A run, or the run of a mix."""

    @property
    def state(self) -> str:
        """Running, or how it ended."""


F = TypeVar("F", bound=Followed)


async def follow(
    followed: F,
    ask: Callable[[], Awaitable[F]],
    end: Callable[[], Awaitable[F]],
    stop: asyncio.Event,
    tell: Callable[[F], None],
) -> F:
    """Return what is followed as it ended by itself, or by `end`, once `stop` is set; raises what both do."""
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    while followed.state == "running":
        tell(followed)
        with suppress(TimeoutError):
            async with asyncio.timeout(PERIOD_S):
                await stop.wait()
        try:
            followed = await (end() if stop.is_set() else ask())
            heard_s = loop.time()
        except ApiAway:
            if stop.is_set() or loop.time() - heard_s > PATIENCE_S:
                raise
    tell(followed)
    return followed
