"""What the viewer shows for each question."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from chassis.screen import Block, Column, Screen, short
from chassis.terminal import sparkline
from memorybank.filters import EVERYTHING, Filters
from memorybank.paging import Page
from memorybank.reader import Fact, Reader
from memorybank.sql import queries

_QUERIES = queries("view.sql")
_PAGE_ROWS = 1000
_COURSE_STRETCHES = 20
"""Of 3 s each, as the query has them."""

_CHARGE_POINT = Column("charge point", "charge_point_id")
_CONNECTOR = Column("connector", "connector", 0)

_SUMMARY = (
    ("events", "events"),
    ("readings", "metrics"),
    ("sessions", "sessions"),
    ("anomalies", "anomalies"),
    ("open anomalies", "open_anomalies"),
    ("charge points", "charge_points"),
    ("events lost (gaps)", "gaps"),
    ("duplicates refused", "duplicates"),
    ("messages set aside", "poison"),
    ("lag s", "lag_s"),
    ("first event (UTC)", "first_event_at"),
    ("last event (UTC)", "last_event_at"),
)
_EVENTS = (
    Column("when (UTC)", "at", 3),
    _CHARGE_POINT,
    _CONNECTOR,
    Column("kind", "kind"),
    Column("what", "summary", folds=True),
)
_ANOMALIES = (
    Column("started (UTC)", "started_at"),
    _CHARGE_POINT,
    Column("connector", "connector", 0, drop=1),
    Column("kind", "kind"),
    Column("severity", "severity"),
    Column("score", "score", 1, drop=3),
    Column("deviation", "deviation", 1, drop=4),
    Column("ended (UTC)", "ended_at", drop=2),
    Column("explanation", "explanation", folds=True),
)
_SESSIONS = (
    Column("started (UTC)", "started_at"),
    _CHARGE_POINT,
    _CONNECTOR,
    Column("transaction", "transaction_id", drop=5),
    Column("id tag", "id_tag", folds=True),
    Column("energy Wh", "energy_wh", 1),
    Column("peak A", "peak_a", 1, drop=1),
    Column("mean A", "mean_a", 1, drop=4),
    Column("ended (UTC)", "ended_at", drop=6),
    Column("lasted s", "duration_s", 0, drop=2),
    Column("reason", "reason", drop=3),
    Column("anomalies", "anomalies", 0),
)
_CHARGE_POINTS = (
    _CHARGE_POINT,
    _CONNECTOR,
    Column("status", "status"),
    Column("last reading (UTC)", "last_reading_at", drop=4),
    Column("current A", "current_a", 1),
    Column("last minute", "course", drawn=True),
    Column("sessions", "sessions", 0, drop=5),
    Column("energy Wh", "energy_wh", 1, drop=3),
    Column("peak A", "peak_a", 1, drop=2),
    Column("mean A", "mean_a", 1, drop=6),
    Column("anomalies", "anomalies", 0, drop=1),
    Column("open", "open_anomalies", 0),
)
_PATTERNS = (
    _CHARGE_POINT,
    Column("kind", "kind"),
    Column("times", "count", 0),
    Column("first (UTC)", "first_seen_at", drop=1),
    Column("latest (UTC)", "last_seen_at"),
    Column("signature", "signature", folds=True),
)
_VERDICTS = (
    Column("when (UTC)", "at"),
    Column("detector", "detector"),
    _CHARGE_POINT,
    _CONNECTOR,
    Column("kind", "kind"),
    Column("score", "score", 1, drop=2),
    Column("ended (UTC)", "ended_at", drop=3),
    Column("heard (UTC)", "heard_at", drop=4),
    Column("explanation", "explanation", folds=True, drop=1),
)
_SOURCES = (
    Column("source", "source", folds=True),
    Column("stored up to", "committed_seq", 0),
    Column("lost", "gaps", 0),
    Column("duplicates", "duplicates", 0),
    Column("last event (UTC)", "last_event_at", drop=2),
    Column("lag s", "lag_s", 3, drop=1),
)
_GAPS = (
    Column("source", "source", folds=True),
    Column("lost", "lost", 0),
    Column("first number", "first_seq", 0),
    Column("last number", "last_seq", 0),
    Column("noticed (UTC)", "noticed_at"),
)
_SET_ASIDE = (
    Column("last (UTC)", "last_at"),
    Column("times", "times", 0),
    Column("topic", "topic", folds=True, drop=1),
    Column("reason", "reason", folds=True),
)
_SIZES = (Column("table", "table"), Column("on disk MiB", "mebibytes", 1))

Ask = Callable[..., Page]


def rows(ask: Ask, *about: Any, count: int | None = None) -> Iterator[Fact]:
    """Give the first `count` rows of a list (None: all), a page at a time."""
    after = None
    while count is None or count > 0:
        page = ask(*about, limit=_PAGE_ROWS if count is None else min(count, _PAGE_ROWS), after=after)
        yield from page.items
        after = page.next
        if after is None:
            return
        if count is not None:
            count -= len(page.items)


def summary(reader: Reader, screen: Screen) -> None:
    """Show how much is remembered, since when, and how sound it is."""
    known = reader.summary()
    facts = dict(known)
    if known["lag_s"] is not None:
        known["lag_s"] = round(known["lag_s"], 3)
    if screen.is_for_people:
        known = {
            name: f"{value:,}" if isinstance(value, int | float) else value for name, value in known.items()
        }
    shown = [{"what": what, "value": known[field]} for what, field in _SUMMARY]
    screen.table("The memory", (Column("what", "what"), Column("value", "value")), shown, facts=[facts])


def events(reader: Reader, screen: Screen, filters: Filters, count: int) -> None:
    """Show the newest events."""
    screen.table("Events", _EVENTS, rows(reader.events, filters, count=count))


def anomalies(reader: Reader, screen: Screen, filters: Filters, count: int) -> None:
    """Show the newest anomalies."""
    found = rows(reader.anomalies, filters, count=count)
    screen.table("Anomalies", _ANOMALIES, found, block=_anomaly)


def _anomaly(fact: Mapping[str, Any]) -> Block:
    """Return an anomaly as a short block: the same facts but the deviation, which the explanation tells."""
    started, ended = fact["started_at"], fact["ended_at"]
    if ended is None:
        end = "open"
    elif ended.date() == started.date():
        end = f"ended {ended:%H:%M:%S}"
    else:
        end = f"ended {short(ended)}"
    where = f"{fact['charge_point_id']}/{fact['connector']}"
    head = (short(started), where, fact["kind"], fact["severity"], f"score {fact['score']:,.1f}", end)
    return Block(head, fact["explanation"])


def sessions(reader: Reader, screen: Screen, filters: Filters, count: int) -> None:
    """Show the newest sessions."""
    screen.table("Sessions", _SESSIONS, rows(reader.sessions, filters, count=count))


def verdicts(reader: Reader, screen: Screen, filters: Filters, count: int) -> None:
    """Show the newest verdicts of detectors that are not ours."""
    screen.table("Verdicts of other detectors", _VERDICTS, rows(reader.verdicts, filters, count=count))


def statistics(reader: Reader, screen: Screen, filters: Filters = EVERYTHING) -> None:
    """Show charge points and patterns; and, of everything, sources, what is lost or set aside, sizes.

    By charge point only the first two are known.
    """
    _charge_points(reader, screen, filters)
    screen.line()
    _patterns(reader, screen, filters)
    if filters != EVERYTHING:
        return
    screen.line()
    screen.table("Sources", _SOURCES, rows(reader.sources), name="sources")
    gaps = list(rows(reader.gaps))
    if gaps:
        screen.line()
        screen.table("Lost", _GAPS, gaps, name="gaps")
    set_aside = list(rows(reader.poison, count=_PAGE_ROWS))
    if set_aside:
        screen.line()
        screen.table("Set aside", _SET_ASIDE, set_aside, name="poison")
    screen.line()
    facts = reader.sizes()
    sizes = [{**fact, "mebibytes": fact["bytes"] / 2**20} for fact in facts]
    screen.table("Tables, indexes included", _SIZES, sizes, facts=facts, name="sizes")


def _charge_points(reader: Reader, screen: Screen, filters: Filters) -> None:
    known = list(rows(reader.charge_points, filters))
    courses = _courses(reader, [fact["charge_point_id"] for fact in known]) if known else {}
    highest = max((a for course in courses.values() for a in course if a is not None), default=0.0)
    facts = [
        {**fact, "currents_a": courses.get((fact["charge_point_id"], fact["connector"]), [])}
        for fact in known
    ]
    shown = [{**fact, "course": sparkline(fact["currents_a"], highest)} for fact in facts]
    title = f"Charge points (last minute: 0 to {highest:,.1f} A)" if highest else "Charge points"
    screen.table(title, _CHARGE_POINTS, shown, facts=facts, name="charge_points")


def _courses(reader: Reader, charge_point_ids: list[str]) -> dict[tuple[str, int], list[float | None]]:
    """Return the mean currents of each connector in the minute before its latest reading, oldest first."""
    courses: dict[tuple[str, int], list[float | None]] = {}
    with reader.connection() as connection:
        for row in connection.execute(_QUERIES["courses"], {"charge_point_ids": charge_point_ids}):
            connector = (row["charge_point_id"], row["connector"])
            course = courses.setdefault(connector, [None] * _COURSE_STRETCHES)
            course[_COURSE_STRETCHES - 1 - row["stretch"]] = row["current_a"]
    return courses


def _patterns(reader: Reader, screen: Screen, filters: Filters) -> None:
    facts = list(rows(reader.patterns, filters))
    shown = [
        {**fact, "signature": ", ".join(f"{name} {value:g}" for name, value in fact["signature"].items())}
        for fact in facts
    ]
    screen.table("Learned patterns", _PATTERNS, shown, facts=facts, name="patterns")
