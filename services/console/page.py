"""One open page: what waits to be sent to it, and what it looks at."""

import asyncio
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from console.connector import Key
from console.log_entry import LogEntry

QUEUE_MESSAGES = 50
MAX_ENTRIES = 200
"""Log entries that wait for a page; more are dropped and counted."""


class LogMessage(Struct, frozen=True, kw_only=True):
    """Lines of the log, oldest first; `past`: from the memory; `dropped`: how many live ones are missing."""

    entries: list[LogEntry]
    past: bool
    dropped: int


class Log:
    """The lines that wait for one page; live ones are held back until the past was sent."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque()
        self._past: list[LogEntry] | None = None
        self._is_past_told = False
        self._known: set[tuple[float, str, str]] = set()
        self._dropped = 0
        self.dropped = 0
        """Lines that this page did not get."""

    @property
    def has_news(self) -> bool:
        """Whether `messages` has something to tell."""
        if self._past is None:
            return False
        return not self._is_past_told or bool(self._entries or self._dropped)

    def add(self, entry: LogEntry) -> None:
        """Take a live line; one that the past told already is passed over."""
        if self._known and _same(entry) in self._known:
            return
        if len(self._entries) >= MAX_ENTRIES:
            self._entries.popleft()
            self._dropped += 1
            self.dropped += 1
        self._entries.append(entry)

    def know_past(self, entries: Iterable[LogEntry]) -> None:
        """Take what was before, oldest first; live ones that are among it are not told twice."""
        self._past = list(entries)
        self._known = {_same(entry) for entry in self._past}
        self._entries = deque(entry for entry in self._entries if _same(entry) not in self._known)

    def messages(self) -> list[LogMessage]:
        """Return what there is to tell now."""
        messages: list[LogMessage] = []
        if self._past is None or not self.has_news:
            return messages
        if not self._is_past_told:
            self._is_past_told = True
            messages.append(LogMessage(entries=self._past, past=True, dropped=0))
            self._past = []
        if self._entries or self._dropped:
            messages.append(LogMessage(entries=list(self._entries), past=False, dropped=self._dropped))
            self._entries.clear()
            self._dropped = 0
        return messages


def _same(entry: LogEntry) -> tuple[float, str, str]:
    return (entry.at_s, entry.layer, entry.name)


class Page:
    """An open page; `focus` is the connector that it looks at, `log` the log of that, where it is open.

    It is behind when its queue overflowed, and then gets everything anew.
    """

    def __init__(self, focus: Key | None = None, *, log: bool = False) -> None:
        self.focus = focus
        self.log = Log() if focus is not None and log else None
        self.needs_whole = focus is not None
        """The next detail has to be the whole."""
        self.is_behind = False
        self.dropped = 0
        """Messages that this page did not get."""
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()

    def push(self, message: bytes) -> None:
        """Put a message into its queue; where that is full, the page is behind."""
        if len(self._queue) >= QUEUE_MESSAGES:
            self._queue.popleft()
            self.is_behind = True
            self.dropped += 1
        self._queue.append(message)
        self._ready.set()

    def start_anew(self) -> None:
        """Forget what waits: it is about to get everything."""
        self.dropped += len(self._queue)
        self._queue.clear()
        self.is_behind = False
        self.needs_whole = self.focus is not None

    def wake(self) -> None:
        """Make `next` return."""
        self._ready.set()

    async def next(self, timeout_s: float) -> bytes | None:
        """Return all messages that wait, as soon as there is one; None when nothing came.

        Nothing is returned (and nothing taken) while the page is behind.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return None
        return b"" if self.is_behind else self.take()

    def take(self) -> bytes:
        """Return all messages that wait."""
        self._ready.clear()
        messages = b"".join(self._queue)
        self._queue.clear()
        return messages
