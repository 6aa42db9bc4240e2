"""The push to open pages: a snapshot first, then what changed, and a page that does not keep up."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from console import live as live_module
from console.live import Live, TooManyClients
from contracts.backplane import Lease
from contracts.can_frames import Current

KEY = ("CP-1", 1)


def with_charge_point() -> Live:
    live = Live()
    live.fleet.hear_lease(Lease(charge_point_id="CP-1", connector=1, bus_port=43200), 1.0)
    return live


async def messages(stream: AsyncIterator[bytes]) -> list[tuple[str, dict[str, Any]]]:
    """Return the events in the stream's next chunk."""
    chunk = (await asyncio.wait_for(anext(stream), 5)).decode()
    parsed = []
    for event in chunk.strip().split("\n\n"):
        kind, data = event.split("\n")
        parsed.append((kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return parsed


async def test_a_page_gets_everything_and_then_what_changed() -> None:
    """Nothing of the snapshot is repeated, nothing after it is left out."""
    live = with_charge_point()
    live.fleet.hear_frame(KEY, Current(10), live_module.time.time())
    stream = live.open()
    ((kind, snapshot),) = await messages(stream)
    assert kind == "snapshot"
    assert [sample[1] for sample in snapshot["connectors"][0]["samples"]] == [10.0]
    live.tick()
    live.fleet.hear_frame(KEY, Current(20), live_module.time.time())
    live.report("csms", working=False, text="The CSMS is away.")
    live.tick()
    ((kind, update),) = await messages(stream)
    assert kind == "update"
    assert [sample[1] for sample in update["connectors"][0]["samples"]] == [20.0]
    assert update["services"] == {"csms": {"working": False, "text": "The CSMS is away."}}


async def test_a_page_that_falls_behind_gets_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its queue could not hold is dropped and counted; the snapshot makes it whole again."""
    monkeypatch.setattr(live_module, "QUEUE_MESSAGES", 3)
    live = with_charge_point()
    stream = live.open()
    await messages(stream)
    for number in range(5):
        live.fleet.hear_frame(KEY, Current(number), live_module.time.time())
        live.tick()
    ((kind, snapshot),) = await messages(stream)
    assert kind == "snapshot"
    assert [sample[1] for sample in snapshot["connectors"][0]["samples"]] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert live.dropped == 5


async def test_a_slow_page_does_not_hold_up_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each page has a queue of its own."""
    monkeypatch.setattr(live_module, "QUEUE_MESSAGES", 1)
    live = with_charge_point()
    slow, quick = live.open(), live.open()
    await messages(slow)
    await messages(quick)
    for number in range(3):
        live.fleet.hear_frame(KEY, Current(number), live_module.time.time())
        live.tick()
        assert (await messages(quick))[0][0] == "update"


async def test_silence_is_filled_with_heartbeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page can tell a quiet bench from a dead connection."""
    monkeypatch.setattr(live_module, "HEARTBEAT_S", 0.01)
    stream = Live().open()
    await messages(stream)
    ((kind, heartbeat),) = await messages(stream)
    assert kind == "heartbeat"
    assert heartbeat.keys() == {"now_s"}


async def test_closing_ends_the_streams() -> None:
    """A stopping server leaves no page hanging."""
    live = Live()
    stream = live.open()
    await messages(stream)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    live.close()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, 5)
    assert live.clients == 0


async def test_the_number_of_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages cost memory; beyond the bound they are refused."""
    monkeypatch.setattr(live_module, "MAX_CLIENTS", 1)
    live = Live()
    await messages(live.open())
    with pytest.raises(TooManyClients):
        live.open()
