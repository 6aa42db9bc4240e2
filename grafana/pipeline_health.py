"""Pipeline health: whether what is measured comes to the memory, how quickly, and whether all of it does."""

from grafana import dashboard as frame
from grafana import words
from grafana.fields import BY_THRESHOLD, FRESHNESS, column, fixed, instant, override, steps, worded
from grafana.panels import bar_gauge, stat, table, time_series
from grafana.words import Json

SQL = frame.queries("pipeline_health")
NO_PULSE = "No MemoryBank has told its pace in the last 30 s: it is away"
NO_PULSES = "No MemoryBank told its pace in this time range"
LAG = steps((None, "green"), (2, "orange"), (10, "red"))
"""For seconds from an event to its commit."""
NONE_WANTED = steps((None, "green"), (1, "red"))

STORED = stat(
    "Stored per second",
    "MQTT messages, and the events and readings in them, in the latest ten seconds of each MemoryBank.",
    SQL["stored"],
    unit="none",
    empty=NO_PULSE,
    decimals=1,
    color=fixed("blue"),
)

LAG_NOW = stat(
    "Lag now",
    "From when something happened to when it was stored, in the latest ten seconds: of each message its "
    "oldest event; 50, 95 and 99 of 100 messages took no longer. Clocks that differ show here, too.",
    SQL["lag"],
    unit="s",
    empty=f"{NO_PULSE}, or nothing came",
    decimals=1,
    color=BY_THRESHOLD,
    thresholds=LAG,
)

LOST = stat(
    "Lost",
    "Events that a source numbered, believes stored, and that are not here: noticed in the time range, and "
    "ever. Must be 0. A restored backup loses what came after it; nothing else should.",
    SQL["lost"],
    unit="none",
    empty="Nothing is known of any source",
    color=BY_THRESHOLD,
    thresholds=NONE_WANTED,
)

AGAIN = stat(
    "Arrived again",
    "Events that were sent again after they were stored, and were not stored again: 0 while nothing is "
    "interrupted, some after a crash of the MemoryBank or the broker. Stored twice there is none: the "
    "tables' keys refuse it, and memory-viewer --check counts.",
    SQL["again"],
    unit="none",
    empty="Nothing is known of any source",
    color=fixed(words.QUIET),
    overrides=(override("in this range", color=BY_THRESHOLD, thresholds=NONE_WANTED),),
)

WAITING = stat(
    "Waiting",
    "Messages that wait in the MemoryBank's memory to be stored, and events stored that are not in the "
    "rollups yet: those of the last ten seconds are, once these are over.",
    SQL["waiting"],
    unit="none",
    empty=NO_PULSE,
    color=BY_THRESHOLD,
    overrides=(
        override("messages", thresholds=steps((None, "green"), (1000, "orange"), (10000, "red"))),
        override("not rolled up", thresholds=steps((None, "green"), (200_000, "orange"))),
    ),
)

SET_ASIDE = stat(
    "Set aside",
    "What arrived in the time range and was no valid message or event. The table below says why.",
    SQL["set_aside"],
    unit="none",
    empty="Nothing is known of what was set aside",
    color=BY_THRESHOLD,
    thresholds=NONE_WANTED,
)

SIZE = stat(
    "Database",
    "What the database holds on disk, with all indexes. RETENTION_GB bounds it, RETENTION_DAYS its contents.",
    SQL["size"],
    unit="decbytes",
    empty="The database does not say",
    color=fixed(words.QUIET),
)

STORED_OVER_TIME = time_series(
    "Stored per second, over time",
    "Messages, events and readings stored a second, over all MemoryBanks. A hole is a MemoryBank that was "
    "away; the peak behind it is what had waited.",
    SQL["stored_over_time"],
    unit="none",
    empty=NO_PULSES,
    interval="10s",
    legend=("lastNotNull", "max"),
    beside=True,
    min=0,
    overrides=(
        override("messages", color=fixed("purple")),
        override("events", color=fixed("blue")),
        override("readings", color=fixed("green")),
    ),
)

LAG_OVER_TIME = time_series(
    "Lag over time",
    "From when something happened to when it was stored; of each point the worst of its ten-second "
    "stretches. A peak that falls is a backlog that is worked off; a plateau is too much to do, or a wrong "
    "clock.",
    SQL["lag_over_time"],
    unit="s",
    empty=NO_PULSES,
    interval="10s",
    legend=("lastNotNull", "max"),
    beside=True,
    min=0,
    overrides=(
        # All three are the same where every event took as long: the later ones are drawn over the earlier.
        override("p50", color=fixed("green"), custom_lineWidth=3),
        override("p95", color=fixed("orange"), custom_lineWidth=2),
        override("p99", color=fixed("red")),
    ),
)

FAULTS_OVER_TIME = time_series(
    "Lost, again, waiting",
    "Events found missing, events that arrived again, events that came before their turn and are sent again, "
    "and the most messages that waited. All but a few waiting are 0 while nothing is interrupted.",
    SQL["faults_over_time"],
    unit="none",
    empty=NO_PULSES,
    interval="10s",
    legend=("sum", "max"),
    beside=True,
    min=0,
    overrides=(
        override("lost", color=fixed("red")),
        override("arrived again", color=fixed("orange")),
        override("ahead of their turn", color=fixed("yellow")),
        override("waiting", color=fixed("blue")),
    ),
)

SERVICES = table(
    "Services",
    "Who was heard in the last 30 s, as far as the database can know: CSMS and charge points by what they "
    "told, modules by their readings, MemoryBanks by their pace. A broker that is away shows as all of them "
    "silent; the console and Grafana itself leave no trace here. Charge points that were removed stay known.",
    SQL["services"],
    empty="Nothing was ever heard of any service",
    overrides=(
        column("service", "Service"),
        worded("state", "State", words.by_word(words.UPS), custom_width=105),
        column("up", "Up", custom_width=55),
        column("known", "Known", custom_width=70),
        instant("heard_at", "Last heard"),
        column("age_s", "Ago", custom_width=130, unit="s", decimals=1),
    ),
)

FRESHNESS_BY_CONNECTOR = bar_gauge(
    "Age of readings, the 20 oldest",
    "Seconds since the latest reading of each connector whose charge point is connected, the 20 oldest. "
    "Readings come every second: a red one has no module, or its readings do not come through.",
    SQL["freshness"],
    unit="s",
    empty="No connected charge point has sent a reading",
    min=0,
    decimals=1,
    color=BY_THRESHOLD,
    thresholds=FRESHNESS,
)

SOURCES = table(
    "Sources",
    "Who numbers events: what is stored of each, what was lost, what waits for the rollups; those that lost "
    "something first, then the silent ones. Several outboxes: it was restarted with an empty disk.",
    SQL["sources"],
    empty="No source was heard of yet",
    overrides=(
        column("source", "Source", custom_width=220),
        worded("state", "State", words.by_word(words.UPS), custom_width=105),
        column("age_s", "Newest, ago", custom_width=100, unit="s", decimals=1),
        column("lag_s", "Lag", custom_width=80, unit="s", decimals=2),
        column("events", "Events", custom_width=95),
        column("readings", "Readings", custom_width=90),
        column("behind", "Not rolled up", custom_width=110),
        column(
            "lost", "Lost", custom_width=65, thresholds=NONE_WANTED, custom_cellOptions={"type": "color-text"}
        ),
        column("again", "Arrived again", custom_width=110),
        column("outboxes", "Outboxes", custom_width=85),
    ),
)

SIZES = bar_gauge(
    "Size by table",
    "What each table of the memory holds on disk, with its indexes and all partitions, the 20 largest.",
    SQL["sizes"],
    unit="decbytes",
    empty="The database has no table yet",
    min=0,
    color=fixed("blue"),
)

PARTITIONS = table(
    "Size by partition",
    "The 100 largest partitions: events, readings and 10 s rollups by day, 1 min by month, 1 h by year. "
    "Retention drops the oldest whole.",
    SQL["partitions"],
    empty="The database has no partition yet",
    overrides=(
        column("parent", "Table", custom_width=140),
        column("partition", "Partition"),
        column("bytes", "Size", unit="decbytes"),
    ),
)

NEWEST_SET_ASIDE = table(
    "Set aside, newest",
    "The newest 50 messages or events in the time range that could not be taken, with the reason.",
    SQL["newest_set_aside"],
    empty="Nothing was set aside in this time range",
    overrides=(
        instant("time", "Last"),
        column("times", "Times", custom_width=65),
        column("topic", "Topic", custom_width=260),
        column("reason", "Reason", custom_width=120),
    ),
)

NEWEST_GAPS = table(
    "Lost, number by number",
    "The newest 50 stretches of numbers that were noticed as missing in the time range.",
    SQL["newest_gaps"],
    empty="Nothing was lost in this time range",
    overrides=(
        instant("time", "Noticed"),
        column("source", "Source", custom_width=220),
        column("lost", "Events", custom_width=65),
        column("first_seq", "From number", custom_width=105),
        column("last_seq", "To number", custom_width=105),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    return frame.dashboard(
        frame.PIPELINE_UID,
        "Pipeline health",
        "Whether what is measured comes to the memory, how quickly, and whether all of it does.",
        frame.stacked(
            frame.row(4, (8, STORED), (8, LAG_NOW), (8, WAITING)),
            frame.row(4, (6, LOST), (6, AGAIN), (6, SET_ASIDE), (6, SIZE)),
            frame.row(8, (12, STORED_OVER_TIME), (12, LAG_OVER_TIME)),
            frame.row(8, (12, FAULTS_OVER_TIME), (12, SERVICES)),
            frame.row(9, (8, FRESHNESS_BY_CONNECTOR), (16, SOURCES)),
            frame.row(8, (12, SIZES), (12, PARTITIONS)),
            frame.row(7, (12, NEWEST_SET_ASIDE), (12, NEWEST_GAPS)),
        ),
        refresh="10s",
        time_from="now-15m",
        variables=[frame.charge_point_variable(many=True)],
        annotations=frame.annotations(),
    )
