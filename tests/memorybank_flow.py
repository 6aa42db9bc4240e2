"""A flow of numbered notes into a MemoryBank process, and what of it is stored."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.publisher import Publisher
from memorybank_parts import ask, note
from real_parts import Broker, Postgres


def mqtt_settings(broker: Broker, user: str = "chargepoint") -> MqttSettings:
    return MqttSettings(host=broker.host, port=broker.port, user=user, password=broker.password)


@asynccontextmanager
async def listening(
    broker: Broker, *filters: str, persistent: bool = False
) -> AsyncIterator[tuple[MqttLink, list[Delivery]]]:
    """Give a connected link and the list of what it hears."""
    heard: list[Delivery] = []
    ready = asyncio.Event()
    link = MqttLink(
        mqtt_settings(broker, "console"),
        f"test-{id(heard)}",
        subscriptions=tuple((each, 1) for each in filters),
        on_message=heard.append,
        on_connected=ready.set,
        persistent=persistent,
    )
    async with link:
        await asyncio.wait_for(ready.wait(), 10)
        yield link, heard


async def until(condition: Callable[[], Any], what: str, timeout_s: float = 60.0) -> None:
    """Wait in the loop, so that publishers go on."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - nobody wakes us
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"waited {timeout_s:g} s in vain for {what}")


def stored_numbers(postgres: Postgres) -> list[int]:
    """Return the numbers in the notes that are stored, one for each row."""
    rows = ask(
        postgres,
        "SELECT (detail -> 'detail' ->> 'number')::int FROM memory.events WHERE kind = 'system_event'",
    )
    return sorted(number for (number,) in rows)  # type: ignore[type-var, misc]


async def publish_notes(
    publisher: Publisher, count: int, *, first: int = 1, period_s: float = 0.002, charge_points: int = 3
) -> None:
    """Publish notes `first`, `first` + 1, …, of CP-1, CP-2, … in turn."""
    for number in range(first, first + count):
        publisher.publish(note(number, charge_point_id=f"CP-{number % charge_points + 1}"))
        await asyncio.sleep(period_s)
