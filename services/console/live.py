"""What the pages show, pushed to every open one: first all of it, then what changed.

Rows are the same bytes for all pages. A page that looks at one connector gets that connector's details, and
its log, beside them.
"""

import asyncio
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable

from chassis.process import every
from console import log_entry
from console.anomalies import Anomalies
from console.answers import Mix, MixRun, Scenario, ScenarioRun
from console.connector import Key, Row
from console.fleet import Fleet
from console.log_entry import LogEntry
from console.page import Page
from console.stream_message import Message, ServiceName, ServiceState, server_sent
from console.window import SPAN_S
from contracts import can_frames
from contracts.errors import MalformedFrame

log = logging.getLogger("console")

TICK_S = 0.1
ROWS_S = 0.5
"""A large fleet's rows are collected for so long; nobody reads 1,000 sparklines more often."""
LARGE_FLEET = 64
DETAIL_S = 0.5
SWEEP_S = 1.0
HEARTBEAT_S = 3.0
MAX_PAGES = 64


class TooManyPages(Exception):  # noqa: N818 - named after what is wrong
    """MAX_PAGES pages are open already."""


class _Focus:
    """A connector that pages look at, and how far they were told of it."""

    def __init__(self) -> None:
        self.pages: set[Page] = set()
        self.told = 0
        self.told_s = 0.0


class Live:
    """The fleet, the services around it, and the pages that watch. Everything is called from the loop."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.anomalies = Anomalies()
        self.malformed = 0
        """Frames on our identifiers that were no whole frame."""
        self.heard = 0
        """Whole frames on our identifiers."""
        self.on_log: Callable[[Page], None] = lambda page: page.log.know_past([]) if page.log else None
        """Called when a page opens a log: whoever knows the past tells the page's log of it."""
        self.on_watched: list[Callable[[], None]] = []
        """Called when a page opens, or everything is asked for once, and no page was open before."""
        self.watched_s = float("-inf")
        """The monotonic instant at which the last page closed, or somebody looked without one."""
        self._dropped = 0
        self._dropped_entries = 0
        self._services: dict[ServiceName, ServiceState] = {}
        self._looked_once: set[ServiceName] = set()
        self._scenarios: list[Scenario] | None = None
        self._scenario_runs: list[ScenarioRun] | None = None
        self._mixes: list[Mix] | None = None
        self._mix_runs: list[MixRun] | None = None
        self._changed: set[str] = set()
        self._pages: set[Page] = set()
        self._focuses: dict[Key, _Focus] = {}
        self._logs: dict[Key, list[Page]] = {}
        self._numbers = itertools.count(1)
        self._rows_due_s = 0.0
        self._closed = False

    @property
    def services(self) -> dict[ServiceName, ServiceState]:
        """The state of each service that was reported on."""
        return dict(self._services)

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._pages)

    @property
    def dropped(self) -> int:
        """Messages that slow pages did not get."""
        return self._dropped + sum(page.dropped for page in self._pages)

    @property
    def dropped_entries(self) -> int:
        """Lines of logs that pages did not get."""
        return self._dropped_entries + sum(page.log.dropped for page in self._pages if page.log)

    @property
    def focused(self) -> set[str]:
        """The charge points that pages look at."""
        return {name for name, _ in self._focuses}

    @property
    def logs(self) -> Collection[Key]:
        """The connectors whose logs are open."""
        return self._logs.keys()

    @property
    def logged(self) -> set[str]:
        """The charge points whose logs are open."""
        return {name for name, _ in self._logs}

    def report(self, service: ServiceName, *, working: bool, text: str) -> None:
        """Say how a service fares; a change is pushed and logged, an absence at the start when seen twice."""
        before, now = self._services.get(service), ServiceState(working, text)
        if before is None and not working:
            # All start together: who is away at the first look may be there at the second.
            self._looked_once.add(service)
        elif before is None or before.working != working or service in self._looked_once:
            self._looked_once.discard(service)
            log.log(logging.INFO if working else logging.WARNING, "%s: %s", service, text)
        if before != now:
            self._services[service] = now
            self._changed.add(service)

    def know_scenarios(self, scenarios: list[Scenario], runs: list[ScenarioRun]) -> None:
        """Take what the CSMS can run and runs."""
        if scenarios != self._scenarios:
            self._scenarios = scenarios
            self._changed.add("scenarios")
        if runs != self._scenario_runs:
            self._scenario_runs = runs
            self._changed.add("scenario_runs")

    def know_mixes(self, mixes: list[Mix], runs: list[MixRun]) -> None:
        """Take which mixes the CSMS can run and runs."""
        if mixes != self._mixes:
            self._mixes = mixes
            self._changed.add("mixes")
        if runs != self._mix_runs:
            self._mix_runs = runs
            self._changed.add("mix_runs")

    def hear_can(self, key: Key, can_id: int, data: bytes, at_s: float, *, extended: bool = False) -> None:
        """Take what came on a connector's bus, whatever it is."""
        if self._logs and key in self._logs:
            number = f"can-{next(self._numbers)}"
            self.add_to_log(key, log_entry.of_frame(number, at_s, can_id, data, extended=extended))
        if extended:
            return
        try:
            frame = can_frames.decode(can_id, data)
        except MalformedFrame:
            self.malformed += 1
            return
        if frame is not None:
            self.heard += 1
            self.fleet.hear_frame(key, frame, at_s)

    def add_to_log(self, key: Key, entry: LogEntry) -> None:
        """Add a line to a connector's log, on the pages where it is open."""
        for page in self._logs.get(key, ()):
            if page.log is not None:
                page.log.add(entry)

    async def run(self) -> None:
        """Push what changed, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every(TICK_S, self.tick))
            tasks.create_task(every(SWEEP_S, self._sweep))

    def _sweep(self) -> None:
        now_s = time.time()
        self.fleet.sweep(now_s)
        self.anomalies.sweep(now_s)

    def tick(self) -> None:
        """Push what changed since the last tick; a large fleet's rows wait until they are due.

        While there is no page it all waits: the next one begins with everything.
        """
        if not self._pages:
            self.fleet.forget_gone()
            return
        now_s = time.time()
        is_due = not 0 <= self._rows_due_s - now_s <= ROWS_S
        self._tell(now_s, with_rows=is_due or len(self.fleet) <= LARGE_FLEET)
        for key, focus in self._focuses.items():
            self._tell_detail(key, focus, now_s)
        for pages in self._logs.values():
            for page in pages:
                if page.log is not None and page.log.has_news:
                    page.wake()

    def _tell(self, now_s: float, *, with_rows: bool) -> None:
        rows: list[Row] = []
        gone: list[Key] = []
        if with_rows:
            self._rows_due_s = now_s + ROWS_S
            rows, gone = self.fleet.drain(now_s)
        anomalies, changed, self._changed = self.anomalies.drain(), self._changed, set()
        if not (rows or gone or anomalies or changed):
            return
        for key in gone:
            for page in self._focuses[key].pages if key in self._focuses else ():
                page.needs_whole = True
        message = Message(
            now_s=now_s,
            connectors=rows,
            gone=gone,
            anomalies=anomalies,
            services={name: state for name, state in self._services.items() if name in changed},
            scenarios=self._scenarios if "scenarios" in changed else None,
            scenario_runs=self._scenario_runs if "scenario_runs" in changed else None,
            mixes=self._mixes if "mixes" in changed else None,
            mix_runs=self._mix_runs if "mix_runs" in changed else None,
        )
        self._push(server_sent("update", message), self._pages)

    def _tell_detail(self, key: Key, focus: _Focus, now_s: float) -> None:
        connector = self.fleet.get(key)
        if connector is None:
            return
        newcomers = {page for page in focus.pages if page.needs_whole}
        others = focus.pages - newcomers
        added = connector.window.added
        if others and (added != focus.told or not 0 <= now_s - focus.told_s < DETAIL_S):
            self._push(server_sent("detail", connector.detail(now_s, focus.told)), others)
            focus.told, focus.told_s = added, now_s
        if newcomers:
            if not others:
                focus.told, focus.told_s = added, now_s
            # Whoever is told of the whole is told of what the others hear of later, too: never less.
            self._push(server_sent("detail", connector.detail(now_s, None)), newcomers)
            for page in newcomers:
                page.needs_whole = False

    def snapshot(self) -> Message:
        """Return everything that a page shows of the fleet."""
        now_s = time.time()
        return Message(
            now_s=now_s,
            span_s=SPAN_S,
            connectors=self.fleet.snapshot(now_s),
            anomalies=self.anomalies.all(),
            services=self._services,
            scenarios=self._scenarios,
            scenario_runs=self._scenario_runs,
            mixes=self._mixes,
            mix_runs=self._mix_runs,
        )

    def look(self) -> None:
        """Take note that somebody looks, without a page that stays open."""
        self.watched_s = time.monotonic()
        if not self._pages:
            self._begin_to_watch()

    def _begin_to_watch(self) -> None:
        for told in self.on_watched:
            told()

    def open(self, focus: Key | None = None, *, log: bool = False) -> AsyncIterator[bytes]:
        """Return the stream of Server-Sent Events for a page; raises TooManyPages."""
        if len(self._pages) >= MAX_PAGES:
            raise TooManyPages
        return self._stream(Page(focus, log=log))

    async def _stream(self, page: Page) -> AsyncIterator[bytes]:
        if len(self._pages) >= MAX_PAGES:
            return  # as many came at the same moment
        self._enter(page)
        try:
            yield self._everything(page)
            while not self._closed:
                messages = await page.next(HEARTBEAT_S)
                if page.is_behind:
                    messages = self._everything(page)
                elif messages is None:
                    # A page must notice a connection that died silently, so this is an event and no comment.
                    messages = server_sent("heartbeat", Message(now_s=time.time()))
                # Lines wait in the log itself, which counts those that it has no room for.
                lines = page.log.messages() if page.log else ()
                if messages := messages + b"".join(server_sent("log", message) for message in lines):
                    yield messages
        finally:
            self._leave(page)

    def _everything(self, page: Page) -> bytes:
        """Return the snapshot, and the whole detail; no later update repeats what they hold."""
        page.start_anew()
        self._tell(time.time(), with_rows=True)
        page.take()
        self._push(server_sent("snapshot", self.snapshot()), (page,))
        if page.focus is not None:
            self._tell_detail(page.focus, self._focuses[page.focus], time.time())
        return page.take()

    def _enter(self, page: Page) -> None:
        self._pages.add(page)
        if len(self._pages) == 1:
            self._begin_to_watch()
        if page.focus is None:
            return
        self._focuses.setdefault(page.focus, _Focus()).pages.add(page)
        if page.log is not None:
            self._logs.setdefault(page.focus, []).append(page)
            self.on_log(page)

    def _leave(self, page: Page) -> None:
        self._pages.discard(page)
        self.watched_s = time.monotonic()
        self._dropped += page.dropped
        if page.focus is None:
            return
        focus = self._focuses[page.focus]
        focus.pages.discard(page)
        if not focus.pages:
            del self._focuses[page.focus]
        if page.log is not None:
            self._dropped_entries += page.log.dropped
            self._logs[page.focus].remove(page)
            if not self._logs[page.focus]:
                del self._logs[page.focus]

    def _push(self, message: bytes, pages: Iterable[Page]) -> None:
        for page in pages:
            page.push(message)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for page in self._pages:
            page.wake()
