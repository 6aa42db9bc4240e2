"""The push to open pages: a snapshot first, then what changed, and a page that does not keep up."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from console import live as live_module
from console import page as page_module
from console.live import Live, TooManyPages
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


async def test_while_nobody_watches_it_all_waits_for_the_next_page() -> None:
    """It begins with what was heard meanwhile, gets that once, and hears nothing of who came and went."""
    live = with_charge_point()
    live.fleet.hear_lease(Lease(charge_point_id="CP-2", connector=1, bus_port=43201), 1.0)
    for current_a in (10, 20):
        live.fleet.hear_frame(KEY, Current(current_a), live_module.time.time())
        live.tick()
    live.fleet.sweep(live_module.time.time())
    live.tick()
    stream = live.open()
    ((kind, snapshot),) = await messages(stream)
    assert kind == "snapshot"
    (row,) = snapshot["connectors"]
    assert [sample[1] for sample in row["samples"]] == [10.0, 20.0]
    live.fleet.hear_frame(KEY, Current(30), live_module.time.time())
    live.tick()
    ((kind, update),) = await messages(stream)
    assert kind == "update"
    assert "gone" not in update
    assert [sample[1] for sample in update["connectors"][0]["samples"]] == [30.0]


async def test_who_keeps_it_informed_is_told_that_somebody_watches() -> None:
    """Of the first page, and of the first after all have left."""
    live, told = Live(), list[int]()
    live.on_watched.append(lambda: told.append(live.pages))
    one, other = live.open(), live.open()
    for stream in (one, other):
        await messages(stream)
    assert told == [1]
    live.close()
    for stream in (one, other):
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(stream), 5)
    await messages(live.open())
    assert told == [1, 1]


async def test_a_page_that_falls_behind_gets_a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """What its queue could not hold is dropped and counted; the snapshot makes it whole again."""
    monkeypatch.setattr(page_module, "QUEUE_MESSAGES", 3)
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
    monkeypatch.setattr(page_module, "QUEUE_MESSAGES", 1)
    live = with_charge_point()
    slow, quick = live.open(), live.open()
    await messages(slow)
    await messages(quick)
    for number in range(3):
        live.fleet.hear_frame(KEY, Current(number), live_module.time.time())
        live.tick()
        assert (await messages(quick))[0][0] == "update"


async def test_a_page_that_looks_at_a_connector_gets_its_details() -> None:
    """First the whole window, right after the snapshot; then each new reading, once."""
    live = with_charge_point()
    live.fleet.hear_frame(KEY, Current(10), live_module.time.time())
    stream = live.open(KEY)
    (first, _), (second, whole) = await messages(stream)
    assert (first, second) == ("snapshot", "detail")
    assert (whole["charge_point_id"], whole["connector"], whole["whole"]) == ("CP-1", 1, True)
    assert [sample[1] for sample in whole["samples"]] == [10.0]
    for current_a in (20, 30):
        live.fleet.hear_frame(KEY, Current(current_a), live_module.time.time())
        live.tick()
        detail = next(message for kind, message in await messages(stream) if kind == "detail")
        assert ([sample[1] for sample in detail["samples"]], detail["whole"]) == ([float(current_a)], False)
        assert detail["statistics"]["present_a"] == current_a


async def test_a_second_page_misses_and_repeats_nothing() -> None:
    """Pages that look at the same connector share the bytes, whenever they came."""
    live = with_charge_point()
    one = live.open(KEY)
    seen: dict[str, list[float]] = {"one": [], "other": []}

    async def take(name: str, stream: AsyncIterator[bytes]) -> None:
        for kind, message in await messages(stream):
            if kind == "detail":
                seen[name] = ([] if message["whole"] else seen[name]) + [s[1] for s in message["samples"]]

    await take("one", one)
    live.fleet.hear_frame(KEY, Current(1), live_module.time.time())
    live.tick()
    live.fleet.hear_frame(KEY, Current(2), live_module.time.time())
    other = live.open(KEY)
    await take("other", other)
    live.fleet.hear_frame(KEY, Current(3), live_module.time.time())
    live.tick()
    await take("one", one)
    await take("other", other)
    assert seen == {"one": [1.0, 2.0, 3.0], "other": [1.0, 2.0, 3.0]}


async def test_a_connector_that_comes_later_is_told_of_as_a_whole() -> None:
    """A page may look at what is not there yet, and at what was forgotten and came back."""
    live = Live()
    stream = live.open(KEY)
    assert [kind for kind, _ in await messages(stream)] == ["snapshot"]
    live.fleet.hear_lease(Lease(charge_point_id="CP-1", connector=1, bus_port=43200), 1.0)
    live.tick()
    assert [(kind, message.get("whole")) for kind, message in await messages(stream)] == [
        ("update", None),
        ("detail", True),
    ]
    live.fleet.sweep(live_module.time.time())
    assert live.fleet.get(KEY) is None
    live.tick()
    live.fleet.hear_lease(Lease(charge_point_id="CP-1", connector=1, bus_port=43200), 1.0)
    live.tick()
    assert [message["whole"] for kind, message in await messages(stream) if kind == "detail"] == [True]


async def test_a_large_fleets_rows_are_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked at goes out with each tick, the rows of all only as often as can be read."""
    monkeypatch.setattr(live_module, "LARGE_FLEET", 0)
    live = with_charge_point()
    stream = live.open(KEY)
    await messages(stream)
    live.fleet.hear_frame(KEY, Current(1), live_module.time.time())
    live.tick()
    assert [kind for kind, _ in await messages(stream)] == ["detail"]
    now_s = live_module.time.time()
    monkeypatch.setattr(live_module.time, "time", lambda: now_s + live_module.ROWS_S + 0.01)
    live.tick()
    assert [kind for kind, _ in await messages(stream)] == ["update", "detail"]


async def test_a_page_with_the_log_open_gets_every_frame() -> None:
    """Also those that nobody knows and those that are no whole frame; the past comes first."""
    live = with_charge_point()
    stream = live.open(KEY, log=True)
    await messages(stream)
    for can_id, data in ((0x300, b"\x62\x00"), (0x300, b"\x62"), (0x123, b"\xff")):
        live.hear_can(KEY, can_id, data, 1000.0)
    live.hear_can(("CP-2", 1), 0x300, b"\x01\x00", 1000.0)
    live.tick()
    past, told = [message for kind, message in await messages(stream) if kind == "log"]
    assert (past["past"], past["entries"]) == (True, [])
    assert [(entry["name"], entry["malformed"]) for entry in told["entries"]] == [
        ("0x300 Current", False),
        ("0x300 Current", True),
        ("0x123", False),
    ]
    assert told["dropped"] == 0
    assert (live.heard, live.malformed) == (2, 1)


async def test_a_flooded_log_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page gets the newest lines and the number of those that it did not get."""
    monkeypatch.setattr(page_module, "MAX_ENTRIES", 3)
    live = with_charge_point()
    stream = live.open(KEY, log=True)
    await messages(stream)
    for number in range(5):
        live.hear_can(KEY, 0x123, bytes([number]), 1000.0)
    live.tick()
    told = [message for kind, message in await messages(stream) if kind == "log"][-1]
    assert ([entry["raw"] for entry in told["entries"]], told["dropped"]) == (["02", "03", "04"], 2)
    assert live.dropped_entries == 2


async def test_a_page_that_falls_behind_loses_no_line_unsaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log has a bound of its own: what waits there outlives the snapshot that makes the page whole."""
    monkeypatch.setattr(page_module, "QUEUE_MESSAGES", 2)
    live = with_charge_point()
    stream = live.open(KEY, log=True)
    await messages(stream)
    for number in range(5):
        live.hear_can(KEY, 0x300, bytes([number, 0]), live_module.time.time())
        live.tick()
    told = await messages(stream)
    assert [kind for kind, _ in told] == ["snapshot", "detail", "log", "log"]
    assert [entry["text"] for entry in told[-1][1]["entries"]] == [f"current {n} A" for n in range(5)]


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
    assert live.pages == 0


async def test_the_number_of_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages cost memory; beyond the bound they are refused."""
    monkeypatch.setattr(live_module, "MAX_PAGES", 1)
    live = Live()
    await messages(live.open())
    with pytest.raises(TooManyPages):
        live.open()


async def test_the_number_of_pages_that_come_at_once_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MAX_PAGES", 1)
    live = Live()
    first, second = live.open(), live.open()
    await messages(first)
    with pytest.raises(StopAsyncIteration):
        await anext(second)
    assert live.pages == 1


def test_who_is_still_starting_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    """All start together; the page is told at once, the log only of who is away at the second look."""
    live = Live()
    live.report("broker", working=False, text="no answer")
    live.report("can", working=False, text="no bus")
    assert caplog.records == []
    assert {name: state.working for name, state in live.services.items()} == {"broker": False, "can": False}
    live.report("broker", working=False, text="no answer")
    live.report("broker", working=False, text="no answer")
    live.report("can", working=True, text="1 bus")
    said = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert said == [("WARNING", "broker: no answer")]
    live.report("can", working=False, text="no bus")
    assert caplog.records[-1].getMessage() == "can: no bus"
