"""What the page shows, pushed to every open page: first all of it, then ten times a second what changed."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from chassis.process import every
from console.answers import Scenario, ScenarioRun
from console.connector import ConnectorView, Key
from console.fleet import Fleet
from console.window import SPAN_S
from contracts.events import Anomaly

log = logging.getLogger("console")

TICK_S = 0.1
SWEEP_S = 1.0
HEARTBEAT_S = 3.0
QUEUE_MESSAGES = 50
MAX_CLIENTS = 64

ServiceName: TypeAlias = Literal["can", "csms", "memorybank", "broker"]


class ServiceState(Struct, frozen=True):
    """Whether a service is there, and what that means, in words."""

    working: bool
    text: str


class Message(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a page is sent. A snapshot is the whole; an update has only what changed."""

    now_s: float
    span_s: float = 0.0
    connectors: list[ConnectorView] = []
    gone: list[Key] = []
    anomalies: list[Anomaly] = []
    services: dict[ServiceName, ServiceState] = {}
    scenarios: list[Scenario] | None = None
    scenario_runs: list[ScenarioRun] | None = None


class TooManyClients(Exception):  # noqa: N818 - named after what is wrong
    """MAX_CLIENTS pages are open already."""


@dataclass(eq=False)
class _Client:
    """One open page; it is behind when its queue overflowed, and then gets a snapshot instead."""

    queue: deque[bytes]
    ready: asyncio.Event
    behind: bool = False


class Live:
    """The fleet, the services around it, and the pages that watch. Everything is called from the loop."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.dropped = 0
        """Messages that slow pages did not get."""
        self._services: dict[ServiceName, ServiceState] = {}
        self._scenarios: list[Scenario] | None = None
        self._scenario_runs: list[ScenarioRun] | None = None
        self._changed: set[str] = set()
        self._clients: set[_Client] = set()
        self._closed = False

    @property
    def services(self) -> dict[ServiceName, ServiceState]:
        """The state of each service that was reported on."""
        return dict(self._services)

    @property
    def clients(self) -> int:
        """How many pages are open."""
        return len(self._clients)

    def report(self, service: ServiceName, *, working: bool, text: str) -> None:
        """Say how a service fares; a change is logged and pushed."""
        before, now = self._services.get(service), ServiceState(working, text)
        if before == now:
            return
        if before is None or before.working != working:
            log.log(logging.INFO if working else logging.WARNING, "%s: %s", service, text)
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

    async def run(self) -> None:
        """Push what changed, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(every(TICK_S, self.tick))
            tasks.create_task(every(SWEEP_S, lambda: self.fleet.sweep(time.time())))

    def tick(self) -> None:
        """Push what changed since the last tick."""
        now_s = time.time()
        fleet, changed, self._changed = self.fleet.drain(now_s), self._changed, set()
        if not (fleet.connectors or fleet.gone or fleet.anomalies or changed):
            return
        message = Message(
            now_s=now_s,
            connectors=fleet.connectors,
            gone=fleet.gone,
            anomalies=fleet.anomalies,
            services={name: state for name, state in self._services.items() if name in changed},
            scenarios=self._scenarios if "scenarios" in changed else None,
            scenario_runs=self._scenario_runs if "scenario_runs" in changed else None,
        )
        self._push(_server_sent("update", message))

    def snapshot(self) -> Message:
        """Return everything that a page shows."""
        now_s = time.time()
        fleet = self.fleet.snapshot(now_s)
        return Message(
            now_s=now_s,
            span_s=SPAN_S,
            connectors=fleet.connectors,
            anomalies=fleet.anomalies,
            services=self._services,
            scenarios=self._scenarios,
            scenario_runs=self._scenario_runs,
        )

    def open(self) -> AsyncIterator[bytes]:
        """Return the stream of Server-Sent Events for a page; raises TooManyClients."""
        if len(self._clients) >= MAX_CLIENTS:
            raise TooManyClients
        return self._stream()

    async def _stream(self) -> AsyncIterator[bytes]:
        self.tick()  # so that no later update repeats what the snapshot holds
        client = _Client(deque(), asyncio.Event())
        self._clients.add(client)
        try:
            yield _server_sent("snapshot", self.snapshot())
            while not self._closed:
                if messages := await self._next(client):
                    yield messages
        finally:
            self._clients.discard(client)

    async def _next(self, client: _Client) -> bytes:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await client.ready.wait()
        except TimeoutError:
            # A page must notice a connection that died silently, so this is an event and no comment.
            return _server_sent("heartbeat", Message(now_s=time.time()))
        client.ready.clear()
        if client.behind:
            self.tick()
            self.dropped += len(client.queue)
            client.queue.clear()
            client.behind = False
            return _server_sent("snapshot", self.snapshot())
        messages = b"".join(client.queue)
        client.queue.clear()
        return messages

    def _push(self, message: bytes) -> None:
        for client in self._clients:
            if len(client.queue) >= QUEUE_MESSAGES:
                client.queue.popleft()
                client.behind = True
                self.dropped += 1
            client.queue.append(message)
            client.ready.set()

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for client in self._clients:
            client.ready.set()


_encoder = msgspec.json.Encoder()


def _server_sent(event: str, message: Message) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), _encoder.encode(message))
