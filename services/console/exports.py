"""What the MemoryBank remembers, as a download: CSV or JSON, page by page, the newest first."""

import csv
import io
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import msgspec

from console.answers import Remembered
from console.apis import MAX_EVENTS, Api, ApiAway, Params

Form: TypeAlias = Literal["csv", "json"]
What: TypeAlias = Literal["readings", "anomalies", "messages"]

MAX_PAGES = 100_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Table:
    """A list of the MemoryBank: where it is asked for, how much of it at a time, its columns."""

    path: str
    limit: int
    columns: tuple[str, ...]
    newest_first: bool = True


TABLES: dict[What, Table] = {
    "readings": Table(
        "/api/metrics",
        2000,
        (
            *("at", "charge_point_id", "connector", "origin", "transaction_id", "current_a", "offered_a"),
            *("voltage_v", "power_w", "power_offered_w", "power_factor", "frequency_hz", "energy_wh"),
            *("temperature_c", "soc_percent", "commanded_a", "acknowledged_a"),
        ),
        newest_first=False,
    ),
    "anomalies": Table(
        "/api/anomalies",
        500,
        (
            *("id", "charge_point_id", "connector", "kind", "severity", "phase", "started_at", "detected_at"),
            *("updated_at", "ended_at", "score", "threshold", "deviation", "pattern", "explanation"),
        ),
    ),
    "messages": Table(
        "/api/events", MAX_EVENTS, ("at", "charge_point_id", "connector", "kind", "summary", "detail")
    ),
}


async def exported(
    memorybank: Api, what: What, form: Form, params: Mapping[str, str | int]
) -> AsyncIterator[bytes]:
    """Yield a download; raises what `Api.ask` raises, at first before anything was yielded.

    Later on that ends the download in the middle: whoever loads it sees that it is not whole.
    """
    table = TABLES[what]
    yield_of = _csv if form == "csv" else _json
    async for chunk in yield_of(table, _pages(memorybank, table, params)):
        yield chunk


async def _pages(
    memorybank: Api, table: Table, params: Mapping[str, str | int]
) -> AsyncIterator[list[dict[str, Any]]]:
    asked: Params = {**params, "limit": table.limit}
    for _ in range(MAX_PAGES):
        page = await memorybank.ask("GET", table.path, Remembered, params=asked)
        yield page.items if table.newest_first else page.items[::-1]
        if page.next is None:
            return
        asked["after"] = page.next
    raise ApiAway(f"A download has at most {MAX_PAGES * table.limit} rows; ask for a shorter time.")


async def _csv(table: Table, pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    heading: tuple[str, ...] | None = table.columns
    async for items in pages:
        text = io.StringIO()
        writer = csv.writer(text)
        if heading is not None:
            writer.writerow(heading)
            heading = None
        writer.writerows([_cell(item.get(column)) for column in table.columns] for item in items)
        yield text.getvalue().encode()


async def _json(table: Table, pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    separator = b"[\n"
    async for items in pages:
        lines = [msgspec.json.encode({name: item.get(name) for name in table.columns}) for item in items]
        if lines:
            yield separator + b",\n".join(lines)
            separator = b",\n"
    yield b"\n]\n" if separator == b",\n" else b"[]\n"


def _cell(value: Any) -> Any:
    """Return a CSV cell; a text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, dict | list):
        value = msgspec.json.encode(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
