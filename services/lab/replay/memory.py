"""Events out of the memory, in the order in which they happened."""

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

import msgspec

from contracts.events import AnyEvent, Reading
from memorybank.filters import Filters
from memorybank.reader import Reader
from memorybank.sql import queries

_QUERIES = queries("view.sql")
_FETCHED_ROWS = 5000


def events(reader: Reader, filters: Filters) -> Iterator[AnyEvent]:
    """Yield what is remembered of a charge point and a stretch of time, oldest first; never the truth.

    Reads in pages, so that a month takes no more memory than a minute. Raises StoreUnavailable
    and WrongQuestion.
    """
    asked = filters.narrowing("a replay", "charge_point_id", "since", "until")
    with (
        reader.connection() as connection,
        connection.cursor(name="events") as happened,
        connection.cursor(name="readings") as measured,
    ):
        happened.itersize = measured.itersize = _FETCHED_ROWS
        happened.execute(_QUERIES["events_in_order"], asked)
        measured.execute(_QUERIES["readings_in_order"], asked)
        # At the same instant what happened goes before what was measured then.
        yield from heapq.merge(map(_event, happened), map(_reading, measured), key=attrgetter("at"))


def _event(row: dict[str, Any]) -> AnyEvent:
    told = {**row.pop("detail"), **{name: value for name, value in row.items() if value is not None}}
    event: AnyEvent = msgspec.convert(told, AnyEvent)
    return event


def _reading(row: dict[str, Any]) -> Reading:
    return Reading(**row)
