"""The console as a process of the test, and what stands around it: stations on CAN, two HTTP APIs."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self

import can
from paho.mqtt import publish

from chassis.can_bus import GROUP, LOOPBACK, open_sender
from chassis.can_link import open_bus
from chassis.process import every
from console_apis import CSMS_TOKEN, ApiServer, CsmsApi, MemoryBankApi
from contracts import backplane, can_frames, events, topics
from contracts.backplane import Lease
from contracts.can_frames import Faults, Frame, ModuleState, Output, Status, Thermal
from contracts.events import Anomaly, AnyEvent
from contracts.topics import Source
from real_parts import Broker, accepts, free_port, wait_until

TOKEN = "test-token"
GRAFANA_URL = "http://grafana.example:3000"


class Station:
    """A connector as the console hears it: leases on the backplane, a module's frames on a bus of its own."""

    def __init__(self, charge_point_id: str, backplane_port: int, *, connector: int = 1) -> None:
        self.lease = Lease(
            charge_point_id=charge_point_id,
            connector=connector,
            bus_port=free_port(socket.SOCK_DGRAM),
            charger_id="charger-1",
        )
        self.leases = True
        self._backplane = open_sender(GROUP, backplane_port, LOOPBACK)
        self._bus = open_bus(self.lease.bus_port)
        self._counter = 0
        self._said: tuple[float, float, float] | None = None

    async def __aenter__(self) -> Self:
        self._renewal = asyncio.create_task(every(0.3, self.renew))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._renewal.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._renewal
        self.close()

    def close(self) -> None:
        self._backplane.close()
        self._bus.shutdown()

    def renew(self) -> None:
        """Renew the lease, unless the station is to fall silent."""
        if self.leases:
            self._backplane.send(backplane.encode(self.lease))

    def send_frame(self, frame: Frame) -> None:
        can_id, data = can_frames.encode(frame)
        self.send_raw(can_id, data)

    def send_raw(self, can_id: int, data: bytes) -> None:
        self._bus.send(can.Message(arbitration_id=can_id, data=data, is_extended_id=False))

    def send(self, current_a: float, offered_a: float = 100.0, soc_percent: float = 50.0) -> None:
        """Send what a module sends each second; 0x300 comes last."""
        self._counter += 1
        self._said = current_a, offered_a, soc_percent
        state = ModuleState.CHARGING if current_a else ModuleState.IDLE
        self.send_frame(Output(current_a, 400.0, offered_a))
        closed = state is ModuleState.CHARGING
        self.send_frame(Status(state, closed, False, Faults.NONE, self._counter, 12, 0))
        self.send_frame(Thermal(31.4, soc_percent))
        self.send_frame(can_frames.reading(current_a))

    def say_again(self) -> None:
        """Send what was sent last, if anything was."""
        if self._said:
            self.send(*self._said)


def fluctuation(
    charge_point_id: str = "CP-1", *, ago_s: float = 20.0, lasted_s: float | None = None, **more: Any
) -> Anomaly:
    """Return an anomaly that began so long ago; open unless it says how long it lasted."""
    started_at = datetime.now(UTC) - timedelta(seconds=ago_s)
    ended_at = None if lasted_s is None else started_at + timedelta(seconds=lasted_s)
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "charge_point_id": charge_point_id,
        "connector": 1,
        "kind": "repeated-current-fluctuation",
        "severity": "warning",
        "phase": "opened" if ended_at is None else "closed",
        "started_at": started_at,
        "detected_at": started_at + timedelta(seconds=min(13.0, ago_s / 2)),
        "updated_at": ended_at or datetime.now(UTC),
        "ended_at": ended_at,
        "score": 8.0,
        "threshold": 6.0,
        "deviation": 97.4,
        "pattern": {"period_s": 8.0, "amplitude_a": 95.2, "duty": 0.38},
        "explanation": "8 reversals of 95 A within 60 s (period 8.0 s, duty 38%), as wearing as 3.8 "
        "full-load cycles at 100 A; seen 14 times since 3 March",
    }
    return Anomaly(**{**values, **more})


@dataclass
class ConsoleProcess:
    """`python -m console` on loopback."""

    csms: ApiServer
    memorybank: ApiServer
    mqtt: dict[str, str]
    port: int = field(default_factory=free_port)
    backplane_port: int = field(default_factory=partial(free_port, socket.SOCK_DGRAM))
    environ: dict[str, str] = field(default_factory=dict)
    log: Path | None = None
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        environment = {
            "PATH": os.environ["PATH"],
            "CAN_INTERFACE": LOOPBACK,
            "CAN_BACKPLANE_PORT": str(self.backplane_port),
            "CONSOLE_PORT": str(self.port),
            "CSMS_API_URL": self.csms.url,
            "CSMS_API_TOKEN": CSMS_TOKEN,
            "MEMORYBANK_API_URL": self.memorybank.url,
            "CHARGEBENCH_TOKEN": TOKEN,
            "CONSOLE_GRAFANA_URL": GRAFANA_URL,
            **self.mqtt,
            **self.environ,
        }
        command = [sys.executable, "-W", "error", "-m", "console"]
        with contextlib.ExitStack() as files:
            output = files.enter_context(self.log.open("ab")) if self.log else None
            self.process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        wait_until(lambda: accepts(self.port), what="the console")

    def stop(self) -> None:
        """End it as an operator would; it must end cleanly."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(10)
        finally:
            self.kill()
        assert status == 0

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None


@dataclass
class ConsoleBench:
    """The console and what it stands between."""

    console: ConsoleProcess
    csms: CsmsApi
    memorybank: MemoryBankApi
    broker: Broker
    _batches: int = 0

    def station(self, charge_point_id: str, *, connector: int = 1) -> Station:
        """Return a station on this bench's backplane; use it as an async context manager."""
        return Station(charge_point_id, self.console.backplane_port, connector=connector)

    def publish(self, happened: list[AnyEvent]) -> None:
        """Publish events of a charge point as a batch of the CSMS's."""
        charge_point_id = happened[0].charge_point_id or ""
        source = Source("csms:csms-0", "events", topics.partition_of(charge_point_id))
        self._batches += 1
        batch = events.encode_batch(
            source.id, uuid.UUID(int=1), self._batches, 0, map(events.encode_event, happened)
        )
        self._send(topics.events_topic(source), batch, "csms")

    def _send(self, topic: str, payload: bytes, account: str) -> None:
        publish.single(
            topic,
            payload,
            qos=1,  # so that it returns when the broker has it
            hostname=self.broker.host,
            port=self.broker.port,
            auth={"username": account, "password": self.broker.password},
        )

    async def tell(self, anomaly: Anomaly) -> None:
        """Tell of an anomaly on MQTT, as the MemoryBank does."""
        topic = topics.anomaly_topic(anomaly.charge_point_id)
        await asyncio.to_thread(self._send, topic, events.encode(anomaly), "memorybank")


@contextlib.contextmanager
def console_bench(broker: Broker, log: Path) -> Iterator[ConsoleBench]:
    """Run a console between a real broker and two small HTTP servers; all end cleanly."""
    csms, memorybank = CsmsApi(), MemoryBankApi()
    console = ConsoleProcess(csms, memorybank, broker.environ("console"), log=log)
    csms.start()
    memorybank.start()
    try:
        console.start()
        yield ConsoleBench(console, csms, memorybank, broker)
        console.stop()
    finally:
        console.kill()
        csms.stop()
        memorybank.stop()


async def until(
    condition: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "the condition"
) -> None:
    """Wait in the loop for a condition with a deadline."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s:g} s in vain for {what}") from None
