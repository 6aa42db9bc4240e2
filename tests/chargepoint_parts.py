"""Around a charge point under test: a foreign CSMS of the plain `ocpp` package, and a module on its bus."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from chargepoint import commands
from chargepoint.connector import Connector
from chargepoint.settings import Place, Settings, buses_of
from chargepoint.station import Station
from chargepoint.store import Store
from chassis.can_bus import LOOPBACK, RawFrame
from chassis.can_link import CanLink, open_bus
from chassis.process import every
from chassis.publisher import FLUSH_PERIOD_S
from chassis.settings import read
from contracts import can_frames
from contracts.can_frames import Faults, Frame, ModuleState, Output, SetLimit, Start, Status, Stop, Thermal
from contracts.errors import MalformedFrame
from contracts.events import AnyEvent, SystemEvent
from real_parts import free_port

ACCEPTED = {"status": AuthorizationStatus.accepted}


async def until(condition: Callable[[], Any], what: str = "the condition", *, timeout_s: float = 60.0) -> Any:
    """Return what `condition` returns once that is true; fail naming what was waited for."""
    end_s = time.monotonic() + timeout_s
    while not (result := condition()):
        if time.monotonic() > end_s:
            pytest.fail(f"waited {timeout_s:g} s in vain for {what}")
        await asyncio.sleep(0.01)
    return result


class ForeignChargePoint(ChargePoint):
    """The `ocpp` package's view of our charge point. What arrived stands in `csms.received`."""

    def __init__(self, csms: "ForeignCsms", identity: str, connection: ServerConnection) -> None:
        super().__init__(identity, connection, response_timeout=10)
        self._csms = csms

    async def route_message(self, raw_msg: str) -> None:
        message = json.loads(raw_msg)
        if message[0] == 2:
            self._csms.received.append((message[2], message[3]))
        await super().route_message(raw_msg)

    async def _send(self, message: str) -> None:
        await super()._send(message)
        self._csms.answered.append(json.loads(message))

    def _fail(self, action: str) -> None:
        if self._csms.failures[action]:
            self._csms.failures[action] -= 1
            raise RuntimeError("the back end is away")  # the package answers with InternalError

    @on(Action.boot_notification)
    def on_boot(self, **_: Any) -> call_result.BootNotification:
        status, interval_s = self._csms.boots.popleft() if self._csms.boots else ("Accepted", 300)
        now = datetime.now(UTC).isoformat()
        return call_result.BootNotification(now, interval_s, RegistrationStatus(status))

    @on(Action.authorize)
    def on_authorize(self, id_tag: str, **_: Any) -> call_result.Authorize:
        return call_result.Authorize({"status": self._csms.tags.get(id_tag, "Accepted")})

    @on(Action.start_transaction)
    async def on_start(self, id_tag: str, **_: Any) -> call_result.StartTransaction:
        await self._csms.answers_starts.wait()
        self._fail("StartTransaction")
        self._csms.last_transaction_id += 1
        return call_result.StartTransaction(
            self._csms.last_transaction_id, {"status": self._csms.tags.get(id_tag, "Accepted")}
        )

    @on(Action.stop_transaction)
    def on_stop(self, **_: Any) -> call_result.StopTransaction:
        return call_result.StopTransaction()

    @on(Action.meter_values)
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        self._fail("MeterValues")
        return call_result.MeterValues()

    @on(Action.status_notification)
    def on_status(self, **_: Any) -> call_result.StatusNotification:
        return call_result.StatusNotification()

    @on(Action.heartbeat)
    def on_heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(datetime.now(UTC).isoformat())


@dataclass
class ForeignCsms:
    """A CSMS that is not ours. `boots`: the next answers to BootNotification, then Accepted."""

    port: int = field(default_factory=free_port)
    received: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answered: list[list[Any]] = field(default_factory=list)
    """Every message that went to the charge point."""
    boots: deque[tuple[str, int]] = field(default_factory=deque)
    tags: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=lambda: {"StartTransaction": 0, "MeterValues": 0})
    last_transaction_id: int = 1000
    peer: ForeignChargePoint | None = None
    opened: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Authorization header of every connection."""
    answers_starts: asyncio.Event = field(default_factory=asyncio.Event)
    _server: Server | None = None

    async def start(self) -> None:
        self.answers_starts.set()
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            subprotocols=["ocpp1.6"],
            reuse_address=True,
            close_timeout=0.5,
        )

    async def stop(self) -> None:
        """Be away."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server, self.peer = None, None

    async def _serve(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.opened.append((connection.request.path, connection.request.headers.get("Authorization")))
        self.peer = ForeignChargePoint(self, connection.request.path.strip("/"), connection)
        with contextlib.suppress(ConnectionClosed):
            await self.peer.start()

    async def ask(self, request: Any) -> Any:
        """Send a command and return the answer; a CALLERROR raises the package's exception."""
        assert self.peer is not None
        return await self.peer.call(request, suppress=False)

    def all(self, action: str) -> list[dict[str, Any]]:
        """Return every payload of an action so far."""
        return [payload for name, payload in self.received if name == action]

    def statuses(self, connector: int = 1) -> list[str]:
        return [each["status"] for each in self.all("StatusNotification") if each["connectorId"] == connector]

    async def status(self, status: str, connector: int = 1) -> None:
        """Wait until this is a connector's last status."""
        await until(lambda: self.statuses(connector)[-1:] == [status], f"status {status}")

    async def start_charging(self, id_tag: str = "TAG", **fields: Any) -> int:
        """Start remotely; return the transaction's id once the CSMS gave it one."""
        before = len(self.answered)
        answer = await self.ask(call.RemoteStartTransaction(id_tag, **{"connector_id": 1, **fields}))
        assert answer.status == "Accepted"

        def given() -> list[int]:
            answers = [message[2] for message in self.answered[before:] if message[0] == 3]
            return [each["transactionId"] for each in answers if "transactionId" in each]

        return int((await until(given, "StartTransaction"))[0])


class RawCsms:
    """A CSMS that is nothing but a WebSocket: it accepts boots, and the test says and sees every text."""

    def __init__(self) -> None:
        self.port = free_port()
        self.texts: asyncio.Queue[str] = asyncio.Queue()
        self.connection: ServerConnection | None = None
        self.connections = 0
        self.answers = True
        """Whether anything but BootNotification is answered."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["RawCsms"]:
        async with serve(
            self._serve, "127.0.0.1", self.port, subprotocols=["ocpp1.6"], max_size=None, close_timeout=0.5
        ):
            yield self

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections += 1
        self.connection = connection
        now = datetime.now(UTC).isoformat()
        with contextlib.suppress(ConnectionClosed):
            async for text in connection:
                message = json.loads(text)
                match message:
                    case [2, unique_id, "BootNotification", _]:
                        answer = {"status": "Accepted", "currentTime": now, "interval": 300}
                        await connection.send(json.dumps([3, unique_id, answer]))
                    case [2, unique_id, "StatusNotification" | "MeterValues" | "StopTransaction", _]:
                        if self.answers:
                            await connection.send(json.dumps([3, unique_id, {}]))
                    case [2, *_]:
                        pass
                    case _:
                        await self.texts.put(message)

    async def say(self, text: str | bytes) -> None:
        assert self.connection is not None
        await self.connection.send(text)

    async def ask(self, text: str | bytes) -> Any:
        """Say a text and return the next answer."""
        await self.say(text)
        async with asyncio.timeout(5):
            return await self.texts.get()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def default_profile(limit: float, purpose: str = "TxDefaultProfile", **fields: Any) -> dict[str, Any]:
    """Return an endless charging profile."""
    return {
        "charging_profile_id": 1,
        "stack_level": 0,
        "charging_profile_purpose": purpose,
        "charging_profile_kind": "Absolute",
        "charging_schedule": {
            "charging_rate_unit": "A",
            "charging_schedule_period": [{"start_period": 0, "limit": limit}],
        },
    } | fields


class BusModule:
    """A module as the charge point sees one: obeys at once, tells of itself every second."""

    def __init__(self, link: CanLink) -> None:
        self._link = link
        self.heard: list[tuple[float, Frame]] = []
        self.state = ModuleState.IDLE
        self.faults = Faults.NONE
        self.limit_a = 0
        self.counter = 0
        self.closures = 0
        self.is_silent = False
        self.is_limited = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            while True:
                if not self.is_silent:
                    self.report()
                await asyncio.sleep(can_frames.READING_PERIOD_S)

    async def _listen(self) -> None:
        async for raw in self._link.frames():
            try:
                frame = can_frames.decode(raw.can_id, raw.data)
            except MalformedFrame:
                continue
            if frame is None:
                continue
            self.heard.append((time.monotonic(), frame))
            match frame:
                case _ if self.is_silent:
                    pass
                case Start() if not self.faults:
                    self.closures += self.state is not ModuleState.CHARGING
                    self.state = ModuleState.CHARGING
                case Stop():
                    self.state = ModuleState.IDLE
                case SetLimit(limit_a):
                    self.limit_a = limit_a

    @property
    def current_a(self) -> float:
        if self.state is not ModuleState.CHARGING or self.is_limited:
            return 0.0
        return float(self.limit_a)

    def report(self) -> None:
        """Send what a module sends every second, 0x300 last."""
        state = ModuleState.FAULTED if self.faults else self.state
        closed = state is ModuleState.CHARGING
        for frame in (
            Output(self.current_a, 380.0 if closed else 0.0, float(self.limit_a)),
            Status(state, closed, self.is_limited, self.faults, self.counter & 0xFF, self.closures, 0),
            Thermal(31.5, 42.0),
            can_frames.reading(self.current_a),
        ):
            self._link.send(frame)
        self.counter += 1

    def die(self) -> None:
        """Fall silent, and forget everything."""
        self.is_silent, self.state = True, ModuleState.IDLE
        self.limit_a = self.counter = self.closures = 0

    def commands(self) -> list[Frame]:
        """Return what was heard but keepalives."""
        return [frame for _, frame in self.heard if not isinstance(frame, can_frames.Keepalive)]


@asynccontextmanager
async def bus_module(port: int) -> AsyncIterator[BusModule]:
    async with CanLink(open_bus(port)) as link:
        module = BusModule(link)
        task = asyncio.create_task(module.run())
        try:
            yield module
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@asynccontextmanager
async def rogue_node(port: int) -> AsyncIterator[Callable[[Frame], RawFrame]]:
    """Yield what sends a frame as another node of the bus."""
    async with CanLink(open_bus(port)) as link:
        yield link.send


def udp_port() -> int:
    return free_port(socket.SOCK_DGRAM)


@dataclass
class Bench:
    """A charge point in this process, its CSMS and its bus; `environ` are its settings."""

    csms: ForeignCsms
    environ: dict[str, str]
    state: Path
    events: list[AnyEvent] = field(default_factory=list)
    station: Station | None = None

    @property
    def bus_port(self) -> int:
        return int(self.environ["CAN_PORT"])

    @property
    def connector(self) -> Connector:
        assert self.station is not None
        return self.station.outlets[0].connector

    def records(self) -> list[str]:
        return [event.name for event in self.events if isinstance(event, SystemEvent)]

    @asynccontextmanager
    async def running(self, **environ: str) -> AsyncIterator["Bench"]:
        """Run the charge point in this process; a Reset boots it again, as its main does."""
        settings = read(Settings, {**self.environ, **environ})
        place = Place(settings.charge_point_id, LOOPBACK, buses_of(settings, settings.charge_point_id))
        with contextlib.closing(Store(self.state / "state.sqlite", gathers=True)) as store:
            keeper = asyncio.create_task(every(FLUSH_PERIOD_S, store.commit))
            task = asyncio.create_task(self._boots(settings, place, store))
            try:
                await until(lambda: task.done() or (self.station and self.station.outlets), "the station")
                yield self
            finally:
                for each in (task, keeper):
                    each.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await each

    async def _boots(self, settings: Settings, place: Place, store: Store) -> None:
        while True:
            self.station = Station(settings, place, store, self.events.append)
            await self.station.run(commands.handlers(self.station))

    @asynccontextmanager
    async def charging_ready(self, **environ: str) -> AsyncIterator[BusModule]:
        """Run with a module on the bus until the CSMS knows that the cable is plugged."""
        async with self.running(**environ), bus_module(self.bus_port) as module:
            await self.csms.status("Preparing")
            await until(lambda: self.connector.module.present, "the module to be heard")
            yield module


@dataclass
class ChargePointProcess:
    """`python -m chargepoint` as a process of the test; unless told, without an MQTT broker to talk to."""

    environ: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    def start(self, **more: str) -> None:
        environ = {"PATH": os.environ["PATH"], "MQTT_PORT": str(free_port()), **self.environ, **more}
        self.process = subprocess.Popen([sys.executable, "-W", "error", "-m", "chargepoint"], env=environ)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """End it as an operator would; return its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)
