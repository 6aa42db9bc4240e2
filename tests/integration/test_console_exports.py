"""Downloads, page by page, from a MemoryBank over real HTTP: also where it stops answering in the middle."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from console import exports
from console.apis import Api, ApiAway
from console_apis import ApiServer


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
    first = {"path": "/api/events", "charge_point_id": "CP-1", "limit": "1000"}
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
