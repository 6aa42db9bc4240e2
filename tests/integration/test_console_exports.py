"""Downloads, page by page, from a MemoryBank over real HTTP: also where it stops answering in the middle."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from console import exports, past
from console.apis import Api, ApiAway
from console.live import Live
from console.log_entry import MAX_RAW, LogEntry
from console.page import MAX_ENTRIES, Page
from console_apis import ApiServer
from contracts.events import MAX_EVENT_BYTES

PATIENT_S = 30.0
"""For answers of many megabytes, where the answer is what matters and not how soon a slow machine has it."""


class Pages(ApiServer):
    """A list in pages; `last` is the last that it answers."""

    def __init__(self, pages: list[list[dict[str, Any]]]) -> None:
        super().__init__()
        self.pages = pages
        self.last = len(pages)
        self.asked: list[dict[str, str]] = []

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        self.asked.append({"path": path, **query})
        number = int(query.get("after", 0))
        if number >= self.last:
            return 503, {"detail": "the database is away"}
        following = str(number + 1) if number + 1 < len(self.pages) else None
        return 200, {"items": self.pages[number], "next": following}


@pytest.fixture
def pages() -> Iterator[Pages]:
    server = Pages(
        [[{"at": "3", "summary": "newest"}, {"at": "2", "summary": "@b"}], [{"at": "1", "detail": {"a": 1}}]]
    )
    server.start()
    yield server
    server.stop()


async def downloaded(pages: Pages, form: exports.Form) -> list[bytes]:
    async with Api("MemoryBank", pages.url) as api:
        return [chunk async for chunk in exports.exported(api, "messages", form, {"charge_point_id": "CP-1"})]


async def test_every_page_is_asked_for_as_the_first(pages: Pages) -> None:
    """The filters stay, the cursor goes on."""
    await downloaded(pages, "csv")
    first = {"path": "/api/events", "charge_point_id": "CP-1", "limit": "100"}
    assert pages.asked == [first, {**first, "after": "1"}]


async def test_csv_has_one_heading_and_nothing_to_run(pages: Pages) -> None:
    assert b"".join(await downloaded(pages, "csv")).decode().splitlines() == [
        "at,charge_point_id,connector,kind,summary,detail",
        "3,,,,newest,",
        "2,,,,'@b,",
        '1,,,,,"{""a"":1}"',
    ]


async def test_json_is_one_list(pages: Pages) -> None:
    listed = json.loads(b"".join(await downloaded(pages, "json")))
    assert [row["at"] for row in listed] == ["3", "2", "1"]
    assert listed[2]["detail"] == {"a": 1}


async def test_nothing_is_an_empty_download(pages: Pages) -> None:
    pages.pages = [[]]
    assert json.loads(b"".join(await downloaded(pages, "json"))) == []
    assert b"".join(await downloaded(pages, "csv")).count(b"\n") == 1


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_memory_that_goes_away_breaks_the_download(pages: Pages, form: exports.Form) -> None:
    """Half of it must not pass for the whole."""
    pages.last = 1
    with pytest.raises(ApiAway, match="the database is away"):
        await downloaded(pages, form)


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_is_longer_than_a_download_may_be_breaks_it(
    pages: Pages, form: exports.Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest part must not pass for the whole either."""
    monkeypatch.setattr(exports, "MAX_PAGES", 1)
    with pytest.raises(ApiAway, match="at most 100 rows; ask for a shorter time"):
        await downloaded(pages, form)


class LongMessages(ApiServer):
    """A charge point's newest messages, each as long as an event may be, as many as are asked for."""

    left = 250

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        begin = int(query.get("after", 0))
        end = min(begin + int(query["limit"]), self.left)
        message = {"direction": "received", "message_type": "call", "action": "DataTransfer"}
        detail = {**message, "payload": {"data": "x" * (MAX_EVENT_BYTES - 200)}}
        known = {"at": "2026-11-28T04:00:00Z", "charge_point_id": "CP-1", "connector": 1}
        event = {**known, "kind": "ocpp_message_seen", "summary": "DataTransfer", "detail": detail}
        items = [{**event, "source_no": 1, "seq": self.left - number} for number in range(begin, end)]
        return 200, {"items": items, "next": str(end) if end < self.left else None}


@pytest.fixture
def long_messages() -> Iterator[LongMessages]:
    server = LongMessages()
    server.start()
    yield server
    server.stop()


async def test_long_messages_are_downloaded_too(long_messages: LongMessages) -> None:
    """A charge point that says much at once cannot keep its messages from being taken along."""
    async with Api("MemoryBank", long_messages.url, deadline_s=PATIENT_S) as api:
        chunks = [chunk async for chunk in exports.exported(api, "messages", "json", {})]
    assert b"".join(chunks).count(b"DataTransfer") == 2 * long_messages.left


async def past_of_a_log(memorybank: ApiServer) -> list[LogEntry]:
    """Return with what a log begins."""
    page = Page(("CP-1", 1), log=True)
    assert page.log is not None
    async with Api("MemoryBank", memorybank.url, deadline_s=PATIENT_S) as api, asyncio.timeout(60):
        live = Live()
        answering = asyncio.create_task(past.Past(live, api).run())
        live.on_log(page)
        while not page.log.has_news:
            ended, _ = await asyncio.wait({answering}, timeout=0.01)
            assert not ended
        answering.cancel()
    (told,) = page.log.messages()
    return told.entries


async def test_a_log_begins_with_long_messages_too(long_messages: LongMessages) -> None:
    entries = await past_of_a_log(long_messages)
    first = long_messages.left - MAX_ENTRIES + 1
    assert [entry.id for entry in entries] == [
        f"past-1-{number}" for number in range(first, long_messages.left + 1)
    ]
    assert {len(entry.raw) for entry in entries} == {MAX_RAW}


@pytest.mark.parametrize("detail", [None, [], "x"])
async def test_a_past_that_is_nonsense_is_no_past(detail: Any, pages: Pages) -> None:
    """It ends neither the log nor the console."""
    pages.pages = [[{"at": "2026-11-28T04:00:00Z", "kind": "can_frame_seen", "detail": detail}]]
    pages.last = 1
    assert await past_of_a_log(pages) == []
