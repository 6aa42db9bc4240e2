"""Charge points that send MeterValues as fast as they are answered, and who commits what a CSMS publishes."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from contracts import events, ocpp_time, topics
from contracts.events import Committed, Reading
from real_parts import Broker

_ANSWER_S = 60.0
_SAMPLES = (
    ("Current.Import", "A", 31.9),
    ("Current.Offered", "A", 32.0),
    ("Voltage", "V", 399.8),
    ("Power.Active.Import", "W", 12_753.6),
    ("Power.Offered", "W", 12_793.6),
    ("Power.Factor", None, 0.99),
    ("Frequency", "Hertz", 50.01),
    ("Energy.Active.Import.Register", "Wh", 1_234_567.8),
    ("Temperature", "Celsius", 35.2),
    ("SoC", "Percent", 55.5),
)
_UNITS_OF_THE_SCHEMA = {"A", "V", "W", "Wh", "Celsius", "Percent"}


def meter_values(at: datetime, number: int = 0, transaction_id: int | None = None) -> dict[str, Any]:
    """Return a MeterValues payload of ten samples, as a charging connector sends it; `number` varies it."""
    sampled = []
    for measurand, unit, value in _SAMPLES:
        sample = {
            "value": f"{value * (1 + 0.001 * (number % 10)):.2f}",
            "context": "Sample.Periodic",
            "measurand": measurand,
            "location": "Outlet",
        }
        if unit in _UNITS_OF_THE_SCHEMA:
            sample["unit"] = unit
        sampled.append(sample)
    payload: dict[str, Any] = {"connectorId": 1} | (
        {"transactionId": transaction_id} if transaction_id else {}
    )
    return payload | {"meterValue": [{"timestamp": ocpp_time.text(at), "sampledValue": sampled}]}


class Load:
    """Open connections; `send` has each of them send so many calls, one after the other."""

    def __init__(self, connections: list[ClientConnection]) -> None:
        self._connections = connections
        self._number = 0
        self._transactions: list[int] = []

    async def start(self) -> None:
        """Start a transaction at each."""
        for opened in self._connections:
            payload = {
                "connectorId": 1,
                "idTag": "BENCH",
                "meterStart": 0,
                "timestamp": ocpp_time.text(datetime.now(UTC)),
            }
            answer = await self._answered(opened, "StartTransaction", payload)
            self._transactions.append(answer["transactionId"])

    async def send(self, calls_each: int) -> int:
        """Return how many calls were answered; raises AssertionError for a wrong answer."""
        await asyncio.gather(
            *(self._calls(opened, number, calls_each) for number, opened in enumerate(self._connections))
        )
        return calls_each * len(self._connections)

    async def _calls(self, opened: ClientConnection, number: int, calls: int) -> None:
        for _ in range(calls):
            payload = meter_values(datetime.now(UTC), self._number, self._transactions[number])
            assert await self._answered(opened, "MeterValues", payload) == {}

    async def _answered(
        self, opened: ClientConnection, action: str, payload: dict[str, Any]
    ) -> dict[str, Any]:
        self._number += 1
        unique_id = str(uuid.uuid4())
        await opened.send(json.dumps([2, unique_id, action, payload]))
        async with asyncio.timeout(_ANSWER_S):
            message_type, answered_id, answer = json.loads(await opened.recv())
        assert (message_type, answered_id) == (3, unique_id)
        return dict(answer)


@asynccontextmanager
async def load(url: str, connections: int) -> AsyncIterator[Load]:
    """Connect so many charge points, L-1 and on, and have each begin a transaction."""
    async with AsyncExitStack() as stack:
        opened = [
            await stack.enter_async_context(
                connect(
                    f"{url}/L-{number}",
                    subprotocols=["ocpp1.6"],  # type: ignore[list-item]
                    proxy=None,
                    compression=None,
                    open_timeout=_ANSWER_S,
                    ping_interval=None,
                    close_timeout=5,
                )
            )
            for number in range(1, connections + 1)
        ]
        sender = Load(opened)
        await sender.start()
        yield sender


class Committer:
    """Says "committed" to all that is published, as the MemoryBank does, and counts the readings."""

    def __init__(self, broker: Broker) -> None:
        self.ready = asyncio.Event()
        self.readings = 0
        self.batches = 0
        self._last: dict[str, int] = {}
        settings = MqttSettings(
            host=broker.host, port=broker.port, user="memorybank", password=broker.password
        )
        self.link = MqttLink(
            settings,
            "bench-committer",
            subscriptions=((topics.ALL_EVENTS, 1),),
            on_message=self._heard,
            on_connected=self.ready.set,
        )

    async def wait_for(self, readings: int) -> None:
        """Wait until so many were published since the start; raises TimeoutError."""
        deadline_s = time.monotonic() + _ANSWER_S
        while self.readings < readings:
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"{self.readings} of {readings} readings were published")
            await asyncio.sleep(0.01)

    def _heard(self, delivery: Delivery) -> None:
        delivery.ack()
        batch = events.decode_batch(delivery.payload)
        if batch.first_seq == self._last.get(batch.source, 0) + 1:  # else it came again
            self._last[batch.source] = batch.last_seq
            self.readings += sum(isinstance(event, Reading) for event in batch.events)
            self.batches += 1
        word = events.encode(Committed(boot=batch.boot, seq=self._last.get(batch.source, 0)))
        self.link.publish(topics.committed_topic(batch.source), word, retain=True)
