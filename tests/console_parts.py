"""The console as a process of the test, and what stands around it: stations on CAN, two HTTP APIs."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import can
from paho.mqtt import publish

from chassis.can_bus import GROUP, LOOPBACK, open_sender
from chassis.can_link import open_bus
from chassis.guard import TOKEN_HEADER
from chassis.process import every
from contracts import backplane, can_frames, events, topics
from contracts.backplane import Lease
from contracts.can_frames import Faults, Frame, ModuleState, Output, Status, Thermal
from contracts.events import Anomaly, AnyEvent
from contracts.topics import Source
from real_parts import Broker, accepts, free_port, wait_until

TOKEN = "test-token"
CSMS_TOKEN = "token-of-the-csms"
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
        state = ModuleState.CHARGING if current_a else ModuleState.IDLE
        self.send_frame(Output(current_a, 400.0, offered_a))
        closed = state is ModuleState.CHARGING
        self.send_frame(Status(state, closed, False, Faults.NONE, self._counter, 12, 0))
        self.send_frame(Thermal(31.4, soc_percent))
        self.send_frame(can_frames.reading(current_a))


class ApiServer:
    """A small real HTTP server on loopback; `answer(method, path, query, body)` gives (status, JSON)."""

    def __init__(self) -> None:
        self.port = free_port()
        self.tokens: list[str | None] = []
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        raise NotImplementedError

    def start(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                parts = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                if self.command != "GET":
                    api.tokens.append(self.headers.get(TOKEN_HEADER))
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                status, answer = api.answer(self.command, unquote(parts.path), query, body)
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None


class CsmsApi(ApiServer):
    """The CSMS's HTTP API as far as the console uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.charge_points: list[dict[str, Any]] = []
        self.asked_alone: set[str] = set()
        """The charge points that were asked for one by one."""
        self.runs: list[dict[str, Any]] = []
        self.wishes: list[dict[str, Any]] = []
        self.scenarios = [
            {
                "name": "repeated-current-fluctuation",
                "title": "Repeated current fluctuation during charging",
                "anomaly": "repeated-current-fluctuation",
                "description": "The limit alternates between nothing and plenty while short transactions are "
                "started and stopped: the current swings from 0 A to its peak and back, cycle after cycle.",
                "parameters": {},
            },
            {
                "name": "benign-charging",
                "title": "Benign charging",
                "anomaly": None,
                "description": "Quiet sessions one after the other.",
                "parameters": {},
            },
        ]

    def add(self, charge_point_id: str, status: str = "Charging", **more: Any) -> None:
        self.charge_points.append(
            {
                "charge_point_id": charge_point_id,
                "connected": True,
                "enrolled": True,
                "connectors": [
                    {"connector": 1, "status": status, "error_code": "NoError", "transaction_id": 41}
                ],
                "scenario": None,
                **more,
            }
        )

    def run(self, scenario: str, charge_point_ids: list[str], cycles: int = 0) -> dict[str, Any]:
        run = {
            "run_id": str(uuid.uuid4()),
            "scenario": scenario,
            "anomaly": next((s["anomaly"] for s in self.scenarios if s["name"] == scenario), None),
            "charge_point_ids": charge_point_ids,
            "started_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "ended_at": None,
            "state": "running",
            "cycles": cycles,
            "parameters": {},
            "reason": None,
        }
        self.runs.insert(0, run)
        return run

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        lists = {
            "/api/charge-points": self.charge_points,
            "/api/scenarios": self.scenarios,
            "/api/scenario-runs": self.runs,
        }
        if method == "GET":
            for charge_point in self.charge_points:
                if path == f"/api/charge-points/{charge_point['charge_point_id']}":
                    self.asked_alone.add(charge_point["charge_point_id"])
                    return 200, charge_point
            return (200, lists[path]) if path in lists else (404, {"detail": "no such thing"})
        if self.tokens[-1] != CSMS_TOKEN:
            return 403, {"detail": "the start-up token is wrong"}
        running = [run for run in self.runs if run["state"] == "running"]
        if path == "/api/stop-all":
            for run in running:
                run["state"] = "stopped"
            return 200, {"stopped_runs": len(running), "stopped_transactions": 1}
        if method == "POST":
            return self._started(body, running)
        for run in running:
            if path.endswith(f"/{run['run_id']}"):
                run["state"] = "stopped"
                return 200, run
        return 404, {"detail": "no such run"}

    def _started(self, wish: dict[str, Any], running: list[dict[str, Any]]) -> tuple[int, Any]:
        self.wishes.append(wish)
        wanted = set(wish["charge_point_ids"])
        foreign = [
            c["charge_point_id"]
            for c in self.charge_points
            if c["charge_point_id"] in wanted and not c["enrolled"]
        ]
        if foreign:
            return 403, {"detail": f"{foreign[0]} is not enrolled as the bench's own"}
        for run in running:
            if wanted & set(run["charge_point_ids"]):
                if not wish["replace"]:
                    return 409, {"detail": f"{min(wanted)} is in a scenario already"}
                run["state"] = "stopped"
        return 201, self.run(wish["scenario"], wish["charge_point_ids"])


class MemoryBankApi(ApiServer):
    """The MemoryBank's HTTP API as far as the console uses it."""

    def __init__(self) -> None:
        super().__init__()
        self.anomalies: list[Anomaly] = []
        self.patterns: dict[uuid.UUID, dict[str, Any]] = {}
        """By anomaly; all anomalies of one kind are alike."""
        self.readings: list[dict[str, Any]] = []
        self.database = True

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path == "/healthz":
            health = {"ok": self.database, "service": "memorybank", "broker": True, "database": self.database}
            return (200 if self.database else 503), health
        if not self.database:
            return 503, {"detail": "the database is away"}
        if path == "/api/metrics":
            return 200, {"items": self.readings, "next": None}
        if path.startswith("/api/anomalies/"):
            return self._one(*path.split("/")[3:])
        if path != "/api/anomalies":
            return 200, {"items": [], "next": None}
        chosen = [
            anomaly
            for anomaly in self.anomalies
            if query.get("charge_point_id") in (None, anomaly.charge_point_id)
            and ("open" not in query or anomaly.phase != "closed")
        ]
        most = int(query.get("limit", 100))
        return 200, {
            "items": [json.loads(events.encode(anomaly)) for anomaly in chosen[:most]],
            "next": "more" if len(chosen) > most else None,
        }

    def _one(self, anomaly_id: str, *rest: str) -> tuple[int, Any]:
        for anomaly in self.anomalies:
            if str(anomaly.id) == anomaly_id and rest == ("pattern",) and anomaly.id in self.patterns:
                return 200, self.patterns[anomaly.id]
            if str(anomaly.id) == anomaly_id and not rest:
                return 200, json.loads(events.encode(anomaly))
        return 404, {"detail": "no anomaly of that id is remembered"}


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
    condition: Callable[[], bool], *, timeout_s: float = 10.0, what: str = "the condition"
) -> None:
    """Wait in the loop for a condition with a deadline."""
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {timeout_s:g} s in vain for {what}") from None
