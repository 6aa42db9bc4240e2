"""What the viewer shows for each question."""

from memorybank.reader import Reader
from memorybank.viewer.show import Column, Screen

_WHEN = Column("when (UTC)", "at")
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


def summary(reader: Reader, screen: Screen) -> None:
    """Show how much is remembered, since when, and how sound it is."""
    known = reader.summary()
    if known["lag_s"] is not None:
        known["lag_s"] = round(known["lag_s"], 3)
    rows = [{"what": what, "value": known[field]} for what, field in _SUMMARY]
    screen.table("The memory", (Column("what", "what"), Column("value", "value")), rows)


def events(reader: Reader, screen: Screen, count: int) -> None:
    """Show the newest events."""
    columns = (_WHEN, _CHARGE_POINT, _CONNECTOR, Column("kind", "kind"), Column("what", "summary"))
    screen.table("Events", columns, reader.events(limit=count))


def anomalies(reader: Reader, screen: Screen, count: int) -> None:
    """Show the newest anomalies."""
    columns = (
        Column("started (UTC)", "started_at"),
        _CHARGE_POINT,
        _CONNECTOR,
        Column("kind", "kind"),
        Column("severity", "severity"),
        Column("score", "score", 1),
        Column("deviation", "deviation", 1),
        Column("ended (UTC)", "ended_at"),
        Column("explanation", "explanation"),
    )
    screen.table("Anomalies", columns, reader.anomalies(limit=count))


def sessions(reader: Reader, screen: Screen, count: int) -> None:
    """Show the newest sessions."""
    columns = (
        Column("started (UTC)", "started_at"),
        _CHARGE_POINT,
        _CONNECTOR,
        Column("transaction", "transaction_id"),
        Column("id tag", "id_tag"),
        Column("energy Wh", "energy_wh", 1),
        Column("peak A", "peak_a", 1),
        Column("mean A", "mean_a", 1),
        Column("ended (UTC)", "ended_at"),
        Column("reason", "reason"),
        Column("anomalies", "anomalies", 0),
    )
    screen.table("Sessions", columns, reader.sessions(limit=count))


def statistics(reader: Reader, screen: Screen) -> None:
    """Show the statistics of charge points, patterns, sources and the tables' sizes."""
    for number, page in enumerate((_charge_points, _patterns, _sources, _sizes)):
        if number:
            screen.line()
        page(reader, screen)


def _charge_points(reader: Reader, screen: Screen) -> None:
    columns = (
        _CHARGE_POINT,
        _CONNECTOR,
        Column("status", "status"),
        Column("last reading (UTC)", "last_reading_at"),
        Column("sessions", "sessions", 0),
        Column("energy Wh", "energy_wh", 1),
        Column("peak A", "peak_a", 1),
        Column("mean A", "mean_a", 1),
        Column("anomalies", "anomalies", 0),
        Column("open", "open_anomalies", 0),
    )
    screen.table("Charge points", columns, reader.charge_points())


def _patterns(reader: Reader, screen: Screen) -> None:
    columns = (
        _CHARGE_POINT,
        Column("kind", "kind"),
        Column("times", "count", 0),
        Column("first (UTC)", "first_seen_at"),
        Column("latest (UTC)", "last_seen_at"),
        Column("signature", "signature"),
    )
    patterns = reader.patterns()
    for pattern in patterns:
        pattern["signature"] = ", ".join(f"{name} {value:g}" for name, value in pattern["signature"].items())
    screen.table("Learned patterns", columns, patterns)


def _sources(reader: Reader, screen: Screen) -> None:
    columns = (
        Column("source", "source"),
        Column("stored up to", "committed_seq", 0),
        Column("lost", "gaps", 0),
        Column("duplicates", "duplicates", 0),
        Column("last event (UTC)", "last_event_at"),
        Column("lag s", "lag_s", 3),
    )
    screen.table("Sources", columns, reader.sources())


def _sizes(reader: Reader, screen: Screen) -> None:
    columns = (Column("table", "table"), Column("on disk MiB", "mebibytes", 1))
    sizes = [{"table": row["table"], "mebibytes": row["bytes"] / 2**20} for row in reader.sizes()]
    screen.table("Tables, indexes included", columns, sizes)
