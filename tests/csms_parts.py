"""The CSMS in the test's own loop, a charge point that is not ours (plain `ocpp`), and what was published."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action, RegistrationStatus
from websockets.asyncio.client import ClientConnection, connect

from chassis.guard import TOKEN_HEADER, HttpSettings
from chassis.mqtt import MqttSettings
from chassis.publisher import Publisher
from contracts.events import AnyEvent, decode_batch
from csms.service import Csms, running
from csms.settings import Settings
from real_parts import free_port

TOKEN = "start-up-token"
ENROLMENT = "ours"
NO_BROKER = MqttSettings(host="127.0.0.1", port=1)


@dataclass
class Bench:
    """A running CSMS and an HTTP client for it that has the token."""

    csms: Csms
    http: httpx.AsyncClient
    http_port: int

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.csms.ocpp_port}"

    def events(self, kind: type | None = None) -> list[Any]:
        """Everything published so far, in order of publication within a partition."""
        found = published(self.csms.publisher)
        return found if kind is None else [event for event in found if isinstance(event, kind)]

    def system_events(self) -> list[str]:
        return [event.name for event in self.events() if hasattr(event, "name")]


def published(publisher: Publisher) -> list[AnyEvent]:
    """Return what the outbox keeps; with the broker away that is everything."""
    publisher.flush()
    outbox = publisher._outbox
    return [
        event
        for source in outbox.sources()
        for kept in outbox.uncommitted(source, 0, 100_000)
        for event in decode_batch(kept.payload).events
    ]


@asynccontextmanager
async def csms(directory: Path, *, mqtt: MqttSettings = NO_BROKER, **settings: Any) -> AsyncIterator[Bench]:
    """Run a CSMS on free ports; by default its broker is away and no plan starts anything."""
    http_port = free_port()
    chosen = Settings(
        **{
            "state_directory": str(directory),
            "ocpp_port": 0,
            "http_port": http_port,
            "enrolment_password": ENROLMENT,
            "scenario_plan": "none",
            "mqtt": mqtt,
            "http": HttpSettings(token=TOKEN),
            **settings,
        }
    )
    base_url = f"http://127.0.0.1:{http_port}"
    async with (
        running(chosen) as service,
        httpx.AsyncClient(base_url=base_url, headers={TOKEN_HEADER: TOKEN}, timeout=30) as http,
    ):
        yield Bench(service, http, http_port)


def basic(user: str, password: str) -> dict[str, str]:
    """Return the header of Basic authentication."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@asynccontextmanager
async def websocket(
    bench: Bench, identity: str, password: str | None = None
) -> AsyncIterator[ClientConnection]:
    """Open a bare WebSocket as a charge point."""
    headers = basic(identity, password) if password is not None else {}
    async with connect(
        f"{bench.url}/{identity}",
        subprotocols=["ocpp1.6"],
        additional_headers=headers,
        proxy=None,
        close_timeout=1,
    ) as opened:
        yield opened


class ForeignChargePoint(ChargePoint):  # type: ignore[misc]
    """A charge point made with the `ocpp` package alone; it keeps what it was told, and when."""

    def __init__(self, identity: str, connection: ClientConnection) -> None:
        super().__init__(identity, connection)
        self.commands: list[tuple[float, str, dict[str, Any]]] = []
        self.transaction_id: int | None = None
        self.rejects: set[str] = set()
        self.rate_unit = "Current,Power"
        self.starts_after_s = 0.0

    @property
    def actions(self) -> list[str]:
        return [action for _, action, _ in self.commands]

    @property
    def limits(self) -> list[float]:
        """The limits of the profiles it was given, in order."""
        return [
            payload["cs_charging_profiles"]["charging_schedule"]["charging_schedule_period"][0]["limit"]
            for _, action, payload in self.commands
            if action == "SetChargingProfile"
        ]

    def _told(self, action: str, payload: dict[str, Any]) -> str:
        self.commands.append((time.monotonic(), action, payload))
        return "Rejected" if action in self.rejects else "Accepted"

    async def boot(self) -> call_result.BootNotification:
        answer = await self.call(call.BootNotification("model", "vendor"), suppress=False)
        assert answer.status == RegistrationStatus.accepted
        return answer

    async def status(self, status: str, connector: int = 1) -> None:
        await self.call(call.StatusNotification(connector, "NoError", status), suppress=False)

    async def start(self, id_tag: str = "BENCH", meter_wh: int = 0) -> call_result.StartTransaction:
        answer = await self.call(call.StartTransaction(1, id_tag, meter_wh, _now()), suppress=False)
        self.transaction_id = answer.transaction_id
        return answer

    async def stop(self, meter_wh: int = 10, reason: str = "Remote") -> None:
        transaction_id, self.transaction_id = self.transaction_id, None
        await self.call(call.StopTransaction(meter_wh, _now(), transaction_id, reason), suppress=False)

    @on(Action.get_configuration)
    def _get_configuration(self, **payload: Any) -> call_result.GetConfiguration:
        self._told("GetConfiguration", payload)
        key = "ChargingScheduleAllowedChargingRateUnit"
        entry = {"key": key, "readonly": True, "value": self.rate_unit}
        return call_result.GetConfiguration(configuration_key=[entry])

    @on(Action.set_charging_profile)
    def _set_charging_profile(self, **payload: Any) -> call_result.SetChargingProfile:
        return call_result.SetChargingProfile(self._told("SetChargingProfile", payload))

    @on(Action.clear_charging_profile)
    def _clear_charging_profile(self, **payload: Any) -> call_result.ClearChargingProfile:
        self._told("ClearChargingProfile", payload)
        return call_result.ClearChargingProfile("Accepted")

    @on(Action.remote_start_transaction)
    def _remote_start(self, **payload: Any) -> call_result.RemoteStartTransaction:
        status = self._told("RemoteStartTransaction", payload)
        if self.transaction_id is not None:
            status = "Rejected"
        return call_result.RemoteStartTransaction(status)

    @after(Action.remote_start_transaction)
    async def _started(self, id_tag: str, **_: Any) -> None:
        if "RemoteStartTransaction" not in self.rejects and self.transaction_id is None:
            await asyncio.sleep(self.starts_after_s)
            await self.start(id_tag)
            await self.status("Charging")

    @on(Action.remote_stop_transaction)
    def _remote_stop(self, transaction_id: int) -> call_result.RemoteStopTransaction:
        status = self._told("RemoteStopTransaction", {"transaction_id": transaction_id})
        if transaction_id != self.transaction_id:
            status = "Rejected"
        return call_result.RemoteStopTransaction(status)

    @after(Action.remote_stop_transaction)
    async def _stopped(self, transaction_id: int) -> None:
        if transaction_id == self.transaction_id and "RemoteStopTransaction" not in self.rejects:
            await self.stop()
            await self.status("Finishing")


@asynccontextmanager
async def charge_point(
    bench: Bench, identity: str = "FOREIGN-1", password: str | None = None
) -> AsyncIterator[ForeignChargePoint]:
    """Connect a foreign charge point and boot it."""
    async with websocket(bench, identity, password) as opened:
        foreign = ForeignChargePoint(identity, opened)
        # Its own `start` is the transaction's; this is the package's receive loop.
        receiving = asyncio.create_task(ChargePoint.start(foreign))
        try:
            await foreign.boot()
            await foreign.status("Available")
            yield foreign
        finally:
            receiving.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await receiving


async def until(condition: Callable[[], Any], what: str = "", *, timeout_s: float = 60.0) -> Any:
    """Return the condition's value once it is true; fail when it is not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        if time.monotonic() > deadline_s:
            pytest.fail(f"waited {timeout_s:g} s in vain for {what or condition}")
        await asyncio.sleep(0.01)
    return value


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
