"""Events and anomalies as they are stored, until Ctrl-C.

New is what has a higher number from its source than what was seen: nothing is passed over, however late it
comes, and nothing is shown twice.
"""

import functools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from uuid import UUID

from chassis.screen import Column, Screen
from memorybank.errors import StoreUnavailable
from memorybank.filters import Filters
from memorybank.reader import Connection, Fact, Reader
from memorybank.sql import queries
from memorybank.viewer.remark import remark

_QUERIES = queries("view.sql")
_PERIOD_S = 0.5
_FETCHED_ROWS = 1000
_LATEST_ANOMALIES = 200

_EVENT_COLUMNS = (
    Column("when (UTC)", "at", 3),
    Column("charge point", "charge_point_id"),
    Column("connector", "connector"),
    Column("kind", "kind"),
    Column("what", "summary"),
)
_EVENT_WIDTHS = (18, 12, 2, 19, 0)
_ANOMALY_COLUMNS = (
    Column("when (UTC)", "updated_at", 3),
    Column("charge point", "charge_point_id"),
    Column("connector", "connector"),
    Column("severity", "severity"),
    Column("phase", "phase"),
    Column("kind", "kind"),
    Column("explanation", "explanation"),
)
_ANOMALY_WIDTHS = (18, 12, 2, 8, 6, 28, 0)

Poll = Callable[[], None]
Follow = Callable[[Reader, Screen, Filters, int], None]


@dataclass(slots=True)
class Seen:
    """Up to which number each source was seen; and beyond, where a poll broke off in the middle."""

    up_to: dict[int, int]
    beyond: set[tuple[int, int]] = field(default_factory=set)


@dataclass(slots=True)
class Interrupt:
    """Ctrl-C as a wish, met between two rows: the first raises only while we rest, the second at once.

    Raised wherever it comes, it now and then hit a lock, a `__del__` or a transaction's bookkeeping: it was
    swallowed, left us hanging, or showed what nobody can use.
    """

    wished: bool = False
    _at_rest: bool = False

    def notice(self, _signal: int, _frame: FrameType | None) -> None:
        """Take the signal."""
        if self.wished or self._at_rest:
            raise KeyboardInterrupt
        self.wished = True

    def rest(self, seconds: float) -> None:
        """Sleep unless it is wished already."""
        self._at_rest = True
        try:
            if not self.wished:
                time.sleep(seconds)
        finally:
            self._at_rest = False


def _until_interrupted(follow: Callable[[Reader, Screen, Filters, int, Interrupt], None]) -> Follow:
    """Let Ctrl-C end it at whatever moment, the first question included: whoever called goes on."""

    @functools.wraps(follow)
    def following(reader: Reader, screen: Screen, filters: Filters, latest: int) -> None:
        interrupt = Interrupt()
        before = signal.signal(signal.SIGINT, interrupt.notice)
        try:
            with suppress(KeyboardInterrupt):
                follow(reader, screen, filters, latest, interrupt)
        finally:
            signal.signal(signal.SIGINT, before)

    return following


@_until_interrupted
def follow_events(
    reader: Reader, screen: Screen, filters: Filters, latest: int, interrupt: Interrupt
) -> None:
    """Show the `latest` events there are, then each that is stored from now on."""
    asked = filters.narrowing("followed events", "charge_point_id", "kind")
    with reader.connection() as connection:
        seen = Seen(_positions(connection))
    if latest:
        for event in reversed(reader.events(filters, limit=latest).items):
            # Stored between the two questions: it comes with the first poll.
            if event["seq"] <= seen.up_to.get(event["source_no"], 0):
                screen.tail(_EVENT_COLUMNS, _EVENT_WIDTHS, event)

    def poll() -> None:
        for event in _stored_since(reader, asked, seen):
            screen.tail(_EVENT_COLUMNS, _EVENT_WIDTHS, event)
            if interrupt.wished:
                break

    _keep_polling(poll, interrupt)


@_until_interrupted
def follow_anomalies(
    reader: Reader, screen: Screen, filters: Filters, latest: int, interrupt: Interrupt
) -> None:
    """Show the `latest` anomalies, then each that opens or closes from now on."""
    known: dict[UUID, str] = {}
    first = reader.anomalies(filters, limit=_LATEST_ANOMALIES).items
    for number, anomaly in reversed(list(enumerate(first))):
        known[anomaly["id"]] = anomaly["phase"]
        if number < latest:
            screen.tail(_ANOMALY_COLUMNS, _ANOMALY_WIDTHS, anomaly)

    def poll() -> None:
        newest = reader.anomalies(filters, limit=_LATEST_ANOMALIES).items[::-1]
        there = {anomaly["id"] for anomaly in newest}
        still_open = [
            identity for identity, phase in known.items() if phase != "closed" and identity not in there
        ]
        older = [anomaly for identity in still_open if (anomaly := reader.anomaly(identity)) is not None]
        for anomaly in (*older, *newest):
            before = known.get(anomaly["id"])
            if before is None or (before != "closed" and anomaly["phase"] == "closed"):
                screen.tail(_ANOMALY_COLUMNS, _ANOMALY_WIDTHS, anomaly)
            known[anomaly["id"]] = anomaly["phase"]

    _keep_polling(poll, interrupt)


def _positions(connection: Connection) -> dict[int, int]:
    rows = connection.execute(_QUERIES["positions"]).fetchall()
    return {row["source_no"]: row["committed_seq"] for row in rows}


def _stored_since(reader: Reader, asked: Fact, seen: Seen) -> Iterator[Fact]:
    """Give what was stored beyond `seen`, which is moved on."""
    with reader.connection() as connection:
        stand = _positions(connection)
        moved = [number for number, seq in stand.items() if seq > seen.up_to.get(number, 0)]
        if moved:
            beyond = {"source_nos": moved, "seqs": [seen.up_to.get(number, 0) for number in moved]}
            with connection.cursor(name="followed") as cursor:
                cursor.itersize = _FETCHED_ROWS
                for event in cursor.execute(_QUERIES["stored_since"], {**asked, **beyond}):
                    identity = (event["source_no"], event["seq"])
                    if identity not in seen.beyond:
                        seen.beyond.add(identity)
                        yield event
    seen.up_to = stand
    seen.beyond.clear()


def _keep_polling(poll: Poll, interrupt: Interrupt) -> None:
    """Poll until interrupted. A database that is away is waited for: said once, and again when it is back."""
    is_away = False
    while not interrupt.wished:
        try:
            poll()
            if is_away:
                remark("the database answers again")
            is_away = False
        except StoreUnavailable as error:
            if not is_away:
                remark(f"the database does not answer, waiting: {error}")
            is_away = True
        interrupt.rest(_PERIOD_S)
