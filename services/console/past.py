"""The past of a message log: what the MemoryBank remembers of a charge point, asked for when a page opens."""

import asyncio
import logging
import time
from typing import Any

import msgspec

from console import event_lines
from console.answers import Remembered
from console.apis import MAX_EVENTS, Api, ApiError, Params
from console.connector import Key
from console.live import Live
from console.log_entry import LogEntry
from console.page import MAX_ENTRIES, Page
from contracts.events import AnyEvent

log = logging.getLogger("console")

_MAX_WAITING = 64
_AT_ONCE = 4


class Past:
    """Tells each log that is opened of what was before it, or that nothing is known."""

    def __init__(self, live: Live, memorybank: Api) -> None:
        self._memorybank = memorybank
        self._waiting: asyncio.Queue[tuple[Page, float]] = asyncio.Queue(_MAX_WAITING)
        live.on_log = self._opened

    async def run(self) -> None:
        """Answer for ever, a few pages at a time."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(_AT_ONCE):
                tasks.create_task(self._answer())

    async def _answer(self) -> None:
        while True:
            page, opened_s = await self._waiting.get()
            if page.focus is None or page.log is None:
                continue
            try:
                page.log.know_past(await self._remembered(page.focus, opened_s))
            except ApiError as error:
                log.warning("the log of %s begins without its past: %s", page.focus[0], error)
                page.log.know_past(())

    def _opened(self, page: Page) -> None:
        try:
            self._waiting.put_nowait((page, time.time()))
        except asyncio.QueueFull:
            if page.log is not None:
                page.log.know_past(())

    async def _remembered(self, key: Key, opened_s: float) -> list[LogEntry]:
        params: Params = {"charge_point_id": key[0], "limit": min(MAX_EVENTS, MAX_ENTRIES)}
        items: list[dict[str, Any]] = []
        while len(items) < MAX_ENTRIES:
            page = await self._memorybank.ask("GET", "/api/events", Remembered, params=params)
            items += page.items
            if page.next is None or not page.items:
                break
            params["after"] = page.next
        entries = (_entry(item, key) for item in reversed(items[:MAX_ENTRIES]))
        # Of frames since then the bus tells by itself, with times of its own.
        return [entry for entry in entries if entry and (entry.layer != "can" or entry.at_s < opened_s)]


def _entry(item: dict[str, Any], key: Key) -> LogEntry | None:
    """Return the line of a remembered event; None for one of another connector or of a later version."""
    known = {name: item.get(name) for name in ("at", "charge_point_id", "connector", "kind")}
    try:
        event = msgspec.convert({**item.get("detail", {}), **known}, AnyEvent)
    except (msgspec.ValidationError, TypeError):  # a TypeError: what is unpacked here has no fields
        return None
    if not event_lines.concerns(event, key):
        return None
    return event_lines.of_event(f"past-{item.get('source_no')}-{item.get('seq')}", event)
