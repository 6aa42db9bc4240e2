"""Learned patterns: what the memory has learned of a charge point, and what it expects of it."""

from grafana import dashboard as frame
from grafana import words
from grafana.dashboard import MOMENT, live_link
from grafana.fields import BAND, column, fixed, instant, override
from grafana.panels import stat, table, time_series
from grafana.words import Json

SQL = frame.queries("learned_patterns")
NO_PATTERN = "No anomaly of this charge point yet, so no pattern either"
NO_HISTORY = "No reading of this connector in the last 28 days"

KNOWN = stat(
    "Patterns",
    "How many patterns were learned on this charge point, and from how many anomalies. Anomalies of one kind "
    "whose period and amplitude differ by a quarter at most are one pattern.",
    SQL["known"],
    unit="none",
    empty=NO_PATTERN,
    color=fixed("blue"),
    overrides=(override("anomalies", color=fixed(words.QUIET)),),
)

SEEN_AGAIN = stat(
    "Recognised",
    "The share of this charge point's anomalies that looked like one before them.",
    SQL["seen_again"],
    unit="percentunit",
    empty=NO_PATTERN,
    decimals=0,
    color=fixed(words.QUIET),
)

MOST_SEEN = stat(
    "The cycle seen most often",
    "Its mean signature: the period of the cycle, its amplitude, the part of the cycle above the middle; and "
    "how many anomalies showed it.",
    SQL["most_seen"],
    unit="none",
    empty="No anomaly of this charge point has a cycle yet",
    decimals=1,
    color=fixed(words.QUIET),
    overrides=(
        override("period", unit="s"),
        override("amplitude", unit="amp"),
        override("duty", unit="percentunit", decimals=0),
        override("seen", decimals=0, color=fixed("blue")),
    ),
)

LEARNED_FROM = stat(
    "Baseline learned from",
    "Readings on CAN of the last 28 days and the hours that have some. Below some 24 hours the baseline "
    "knows only part of the day.",
    SQL["learned_from"],
    unit="short",
    empty=NO_HISTORY,
    color=fixed(words.QUIET),
)

CURRENT = time_series(
    "Current and its learned band",
    "The current on CAN beside the mean of the same hour of the day (UTC) over the 28 days before the end of "
    "the time range, and the band of two standard deviations around it; idle time and anomalies are part of "
    "it. What is usual of clean sessions alone stands below.",
    SQL["current"],
    unit="amp",
    empty="No reading of this connector in this time range",
    legend=("lastNotNull", "min", "max"),
    overrides=(
        override("current", color=fixed("blue"), custom_lineWidth=2),
        override("learned mean", color=fixed("green"), custom_showPoints="never"),
        override("band, low", **BAND),
        override("band, high", **BAND, custom_fillBelowTo="band, low", custom_fillOpacity=12),
    ),
)

HOURS = table(
    "Baseline by hour of the day",
    "What was learned of each hour (UTC) in the last 28 days: on how many days there was a reading, the mean "
    "current, its standard deviation, the highest.",
    SQL["hours"],
    empty=NO_HISTORY,
    overrides=(
        column("hour", "Hour", custom_width=65),
        column("days", "Days", custom_width=60),
        column("readings", "Readings", custom_width=90),
        column("mean_a", "Mean", custom_width=105, unit="amp", decimals=1),
        column("deviation_a", "Deviation", custom_width=90, unit="amp", decimals=1),
        column("peak_a", "Peak", custom_width=105, unit="amp", decimals=1),
    ),
)

SEEN = time_series(
    "How often each pattern was seen",
    "Anomalies over time by the pattern that they show, named by kind, period and amplitude: the 19 seen "
    "most in the time range, and all others as one.",
    SQL["seen"],
    unit="none",
    empty="No anomaly of this charge point began in this time range",
    style="bars",
    legend=("sum",),
    interval="1m",
    points=60,
    decimals=0,
    min=0,
)

THRESHOLDS = time_series(
    "Score and threshold",
    "Of each anomaly that was detected, by kind: what its detector measured at most, and from where on that "
    "is an anomaly, by the detector's settings.",
    SQL["thresholds"],
    unit="none",
    empty="No anomaly of this charge point was detected in this time range",
    legend=("lastNotNull", "max"),
    min=0,
    displayName="${__field.name} ${__field.labels.kind}",
)

PATTERNS = table(
    "Patterns of this charge point",
    "The 100 seen last, with their mean signature. A click on the kind leads to when it was seen last.",
    SQL["patterns"],
    empty=NO_PATTERN,
    overrides=(
        column("kind", "Kind", custom_width=225, links=[live_link("charge_point", "connector", MOMENT)]),
        column("count", "Seen", custom_width=60),
        column("period_s", "Period", custom_width=80, unit="s", decimals=1),
        column("amplitude_a", "Amplitude", custom_width=90, unit="amp", decimals=1),
        column("duty", "Duty", custom_width=65, unit="percentunit", decimals=0),
        instant("first_seen_at", "First seen"),
        instant("last_seen_at", "Last seen"),
        *frame.moment_columns(),
    ),
)

VERSIONS = table(
    "Thresholds in use",
    "Each threshold with which anomalies were detected on this charge point, since when and until when: a "
    "new row is a changed setting or detector.",
    SQL["versions"],
    empty=NO_PATTERN,
    overrides=(
        column("kind", "Kind", custom_width=225),
        column("threshold", "Threshold", custom_width=85),
        column("anomalies", "Anomalies", custom_width=85),
        column("least_score", "Least score", custom_width=95, decimals=1),
        column("highest_score", "Highest score", custom_width=105, decimals=1),
        instant("first_at", "First"),
        instant("last_at", "Last"),
    ),
)

FLEET = table(
    "Patterns of all charge points",
    "Where patterns were learned, the 200 charge points with the most anomalies. A click leads to the charge "
    "point's patterns.",
    SQL["fleet"],
    empty="No anomaly was detected yet, so no pattern either",
    overrides=(
        frame.charge_point_column(frame.patterns_link("__data.fields.charge_point_id")),
        column("patterns", "Patterns", custom_width=85),
        column("anomalies", "Anomalies", custom_width=85),
        column("most_seen", "Most of one pattern", custom_width=145),
        instant("first_seen_at", "First seen"),
        instant("last_seen_at", "Last seen"),
    ),
)


USUAL = table(
    "What is usual of clean sessions",
    "Learned from sessions with no anomaly near them: this connector's own mean and deviation of each "
    "metric, the fleet's, and the mean of its last few sessions. Held: these drift, and nothing more is "
    "learned until a person agrees (docs/memory.md).",
    SQL["usual"],
    empty="No clean session of this connector was learned yet: it takes one without an anomaly near it",
    overrides=(
        column("metric", "Metric", custom_width=145),
        column("phase", "Phase", custom_width=85),
        column("sessions", "Sessions", custom_width=80),
        column("mean", "Mean", custom_width=80, decimals=2),
        column("sd", "Deviation", custom_width=85, decimals=2),
        column("fleet_mean", "Fleet's mean", custom_width=100, decimals=2),
        column("recent_mean", "Last few", custom_width=80, decimals=2),
        column("held", "Held", custom_width=60),
        column("version", "Version", custom_width=70),
        instant("updated_at", "Learned"),
    ),
)

LEARNED = table(
    "Versions of what is learned",
    "Of all charge points, the last 50: from how many clean sessions each, and how many baselines changed.",
    SQL["learned"],
    empty="Nothing was learned yet",
    overrides=(
        column("version", "Version", custom_width=75),
        column("sessions", "Sessions", custom_width=80),
        column("changed", "Changed", custom_width=80),
        instant("at", "At"),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    return frame.dashboard(
        frame.PATTERNS_UID,
        "Learned patterns",
        "What the memory has learned of a charge point, and what it expects of it.",
        frame.stacked(
            frame.row(4, (5, KNOWN), (3, SEEN_AGAIN), (10, MOST_SEEN), (6, LEARNED_FROM)),
            frame.row(10, (16, CURRENT), (8, HOURS)),
            frame.row(8, (12, SEEN), (12, THRESHOLDS)),
            frame.row(8, (12, PATTERNS), (12, VERSIONS)),
            frame.row(8, (16, USUAL), (8, LEARNED)),
            frame.row(8, (24, FLEET)),
        ),
        refresh="1m",
        time_from="now-24h",
        variables=[frame.charge_point_variable(many=False), frame.connector_variable()],
        annotations=frame.annotations(),
        console_path="/?charge_point=${charge_point:percentencode}",
    )
