"""The console's ear on CAN, on real buses: a large fleet is heard only while somebody looks."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from chassis.can_bus import LOOPBACK
from console import can_listener
from console.can_listener import CanListener
from console.live import Live
from console_parts import Station, until
from contracts.backplane import LEASE_TIMEOUT_S
from real_parts import free_port

STATIONS = 3


@pytest.fixture
async def heard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Live, CanListener, list[Station]]]:
    """A listener to whom three buses are many, and its stations, whose leases it has heard."""
    monkeypatch.setattr(can_listener, "ALWAYS_HEARD", STATIONS - 1)
    monkeypatch.setattr(can_listener, "WATCHED_S", 1.0)
    port, live = free_port(), Live()
    listener = CanListener(live, port, LOOPBACK)
    running = asyncio.create_task(listener.run())
    async with AsyncExitStack() as stack:
        stations = [
            await stack.enter_async_context(Station(f"CP-{number}", port)) for number in range(STATIONS)
        ]
        await until(lambda: listener.buses == STATIONS, what="all leases")
        yield live, listener, stations
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def frames_heard(live: Live, stations: list[Station]) -> bool:
    """Send once at every station; whether anything was heard so far."""
    for station in stations:
        station.send(10.0)
    return live.heard > 0


async def is_silent(live: Live, stations: list[Station]) -> bool:
    """Whether what is sent now is not heard: the datagrams of loopback are there as soon as they are sent."""
    before = live.heard
    for station in stations:
        station.send(10.0)
    await asyncio.sleep(0.3)  # three rounds of one who listens and is not watched
    return live.heard == before


async def test_many_buses_are_left_while_nobody_looks_and_joined_by_the_first_look(
    heard: tuple[Live, CanListener, list[Station]],
) -> None:
    """Who is not listened to is not called silent; a look brings all back, and some time after it they go."""
    live, _, stations = heard
    async with asyncio.timeout(15):
        while not await is_silent(live, stations):
            pass
    buses = {row.bus for row in live.snapshot().connectors}
    assert buses == {"live"}, "a bus that nobody listens to is not silent"

    live.look()
    before = live.heard
    await until(lambda: frames_heard(live, stations) and live.heard > before, what="frames after the look")
    await until(
        lambda: all(row.present_a == 10.0 for row in live.snapshot().connectors), what="every current"
    )
    async with asyncio.timeout(15):
        while not await is_silent(live, stations):
            pass


async def test_an_open_page_keeps_many_buses_heard(
    heard: tuple[Live, CanListener, list[Station]],
) -> None:
    """For as long as it is open; a bus that stays silent meanwhile is called so."""
    live, _, stations = heard
    page = live.open()
    assert await asyncio.wait_for(anext(page), 5)
    opened_s = time.monotonic()
    while time.monotonic() - opened_s < can_listener.WATCHED_S + 2.5:
        before = live.heard
        await until(lambda: frames_heard(live, stations[:-1]) and live.heard > before, what="frames")  # noqa: B023
        await asyncio.sleep(0.2)
    await until(
        lambda: [row.bus for row in live.snapshot().connectors] == ["live", "live", "silent"],
        what="the one that says nothing",
    )
    await page.aclose()  # type: ignore[attr-defined]


async def test_a_lease_that_ends_while_nobody_listens_is_forgotten(
    heard: tuple[Live, CanListener, list[Station]],
) -> None:
    """It is not joined again by the next look."""
    live, listener, stations = heard
    async with asyncio.timeout(15):
        while not await is_silent(live, stations):
            pass
    stations[0].leases = False
    await until(
        lambda: listener.buses == STATIONS - 1, timeout_s=LEASE_TIMEOUT_S + 10, what="the lease's end"
    )
    live.look()
    assert listener.buses == STATIONS - 1
