"""The terminal view as it runs: the stream fills the picture, keys change the view, both are shown."""

import asyncio
import signal
import time
from contextlib import aclosing

import httpx
from rich.console import Console

from console.top.console_link import ConsoleLink, counters
from console.top.keys import keys_in
from console.top.pace import Pace, counted
from console.top.picture import Picture, take
from console.top.place import Place
from console.top.screen import Link, Rates, lines, page_of
from console.top.terminal import Screen
from console.top.view import View, listed, press

_REDRAW_S = 0.2
_ESCAPE_S = 0.05
"""A key's whole sequence comes at once; an escape that nothing follows was the key."""
_COUNTERS_S = 2.0


class Top:
    """One run of the terminal view."""

    def __init__(self, place: Place, console: Console) -> None:
        self._place = place
        self._screen = Screen(console)
        self._picture, self._view = Picture(), View()
        self._taken_s = 0.0
        """When the picture was told last, by the monotonic clock."""
        self._problem: str | None = None
        self._updates, self._frames, self._events = Pace(), Pace(), Pace()
        self._lag_s: float | None = None
        self._typed = b""
        self._changed = asyncio.Event()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        """Show what there is until somebody ends it."""
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, self._ended.set)
        loop.add_signal_handler(signal.SIGWINCH, self._changed.set)
        loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        with self._screen.taken():
            loop.add_reader(self._screen.input, self._read)
            tasks = [
                asyncio.create_task(work)
                for work in (self._follow(), self._count(), self._draw_again_and_again(), self._ended.wait())
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                loop.remove_reader(self._screen.input)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self) -> None:
        async with (
            ConsoleLink(self._place.console, self._place.shown) as link,
            aclosing(link.messages(self._is_away)) as messages,
        ):
            async for kind, message in messages:
                self._picture = take(self._picture, kind, message)
                self._taken_s = time.monotonic()
                self._updates = counted(self._updates, self._taken_s, self._picture.messages)
                self._problem = None
                self._changed.set()

    def _is_away(self, problem: str) -> None:
        self._problem = problem
        self._changed.set()

    async def _count(self) -> None:
        timeout = httpx.Timeout(_COUNTERS_S)
        async with (
            httpx.AsyncClient(base_url=self._place.console, timeout=timeout, trust_env=False) as console,
            httpx.AsyncClient(
                base_url=self._place.memorybank or self._place.console, timeout=timeout, trust_env=False
            ) as memorybank,
        ):
            while True:
                heard = await counters(console, "console")
                self._frames = _counted(self._frames, heard.get("frames_total"))
                if self._place.memorybank is not None:
                    stored = await counters(memorybank, "memorybank")
                    self._events = _counted(self._events, stored.get("events_stored_total"))
                    self._lag_s = stored.get("lag_seconds")
                await asyncio.sleep(_COUNTERS_S)

    async def _draw_again_and_again(self) -> None:
        while True:
            self._changed.clear()
            self._draw()
            await asyncio.sleep(_REDRAW_S)  # however much comes, no more often than this
            try:
                async with asyncio.timeout(_REDRAW_S):
                    await self._changed.wait()
            except TimeoutError:
                continue  # the graph moves on

    def _draw(self) -> None:
        width, height = self._screen.size
        now_s = self._picture.now_s + (time.monotonic() - self._taken_s if self._taken_s else 0.0)
        link = Link(self._place.shown, self._problem)
        rates = Rates(
            updates_per_s=None if self._problem else self._updates.per_s,
            frames_per_s=self._frames.per_s,
            events_per_s=self._events.per_s,
            lag_s=self._lag_s,
        )
        shown = lines(self._picture, self._view, rates, link, now_s=now_s, width=width, height=height)
        self._screen.show(shown)

    def _read(self) -> None:
        data = self._screen.read()
        if not data:
            self._ended.set()
            return
        self._typed += data
        self._press(is_all=False)
        if self._typed:
            asyncio.get_running_loop().call_later(_ESCAPE_S, lambda: self._press(is_all=True))

    def _press(self, *, is_all: bool) -> None:
        keys, self._typed = keys_in(self._typed, is_all=is_all)
        for key in keys:
            _, height = self._screen.size
            self._view = press(self._view, key, listed(self._picture, self._view), page_of(height))
        if self._view.ended:
            self._ended.set()
        elif keys:
            self._draw()  # at once: who types wants to see it

    def _suspend(self) -> None:
        self._screen.suspend()
        self._changed.set()


def _counted(pace: Pace, total: float | None) -> Pace:
    return Pace() if total is None else counted(pace, time.monotonic(), total)
