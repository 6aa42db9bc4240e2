"""Sessions and energy: how much was charged, how long, when, and why it ended."""

from grafana import dashboard as frame
from grafana import words
from grafana.fields import BY_THRESHOLD, column, fixed, instant, override, steps
from grafana.panels import bar_gauge, heatmap, stat, table, time_series
from grafana.words import Json

SQL = frame.queries("sessions_and_energy")
NO_SESSION = "No session began in this time range"

SESSIONS = stat(
    "Sessions",
    "Sessions (transactions, as the MemoryBank remembers them) that began in the time range, and how many of "
    "them still run.",
    SQL["sessions"],
    unit="none",
    empty=NO_SESSION,
    color=fixed("blue"),
    overrides=(override("running", color=fixed(words.QUIET)),),
)

ENERGY = stat(
    "Energy",
    "Energy of these sessions by their meters, running ones so far.",
    SQL["energy"],
    unit="watth",
    empty=NO_SESSION,
    decimals=1,
    color=fixed("green"),
    overrides=(override("per session", color=fixed(words.QUIET)),),
)

DURATION = stat(
    "Duration",
    "How long the sessions lasted that have ended: half of them no longer than the median.",
    SQL["duration"],
    unit="s",
    empty="No session of this time range has ended",
    color=fixed(words.QUIET),
)

CURRENT = stat(
    "Current",
    "The highest current of these sessions, and the mean of their means.",
    SQL["current"],
    unit="amp",
    empty="No session of this time range has a reading",
    decimals=1,
    color=fixed(words.QUIET),
)

WITH_ANOMALIES = stat(
    "With anomalies",
    "The share of these sessions during which an anomaly went on on their connector.",
    SQL["with_anomalies"],
    unit="percentunit",
    empty=NO_SESSION,
    decimals=0,
    color=BY_THRESHOLD,
    thresholds=steps((None, words.QUIET), (0.001, "orange")),
)

ENERGY_PER_DAY = time_series(
    "Energy per day",
    "Energy of the sessions that began on each day (UTC).",
    SQL["energy_per_day"],
    unit="watth",
    empty=NO_SESSION,
    style="bars",
    legend=("sum", "mean"),
    min=0,
    overrides=(override("energy", color=fixed("green")),),
)

SESSIONS_PER_DAY = time_series(
    "Sessions per day",
    "How many sessions began on each day (UTC), by the reason for which they ended.",
    SQL["sessions_per_day"],
    unit="none",
    empty=NO_SESSION,
    style="bars",
    legend=("sum",),
    decimals=0,
    min=0,
)

START_HOURS = heatmap(
    "Start hours",
    "How many sessions began on each day in each hour of the day (UTC). A row that stays empty is an hour at "
    "which nobody comes.",
    SQL["start_hours"],
    unit="none",
    empty=NO_SESSION,
)

STOP_REASONS = bar_gauge(
    "Stop reasons",
    "Why the sessions ended, in OCPP's words. Many PowerLoss or EmergencyStop deserve a look at the table.",
    SQL["stop_reasons"],
    unit="none",
    empty=NO_SESSION,
    min=0,
    color=fixed("blue"),
)

DURATIONS = bar_gauge(
    "Durations",
    "How many of the ended sessions lasted how long. Many below 10 s are no charging: something switches.",
    SQL["durations"],
    unit="none",
    empty="No session of this time range has ended",
    min=0,
    color=fixed("purple"),
)

BY_CHARGE_POINT = bar_gauge(
    "Energy by charge point",
    "Energy of the sessions of each charge point, the 20 with the most.",
    SQL["by_charge_point"],
    unit="watth",
    empty=NO_SESSION,
    min=0,
    color=fixed("green"),
)

NEWEST = table(
    "Newest sessions",
    "The newest 200 sessions that began in the time range. A click on the charge point leads to the session, "
    "from half a minute before it to half a minute after.",
    SQL["newest"],
    empty=NO_SESSION,
    overrides=(
        instant("time", "Began"),
        *frame.place_columns(),
        column("transaction_id", "Transaction", custom_width=95),
        column("id_tag", "Tag", custom_width=95),
        column("reason", "Ended by"),
        column("duration_s", "Duration", custom_width=85, unit="s", decimals=0),
        column("energy_wh", "Energy", custom_width=95, unit="watth", decimals=1),
        column("mean_a", "Mean current", custom_width=105, unit="amp", decimals=1),
        column("peak_a", "Peak current", custom_width=105, unit="amp", decimals=1),
        column(
            "anomalies",
            "Anomalies",
            custom_width=85,
            thresholds=steps((None, words.QUIET), (1, "red")),
            custom_cellOptions={"type": "color-text"},
        ),
        *frame.moment_columns(),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    return frame.dashboard(
        frame.SESSIONS_UID,
        "Sessions and energy",
        "How much was charged, how long, when, and why it ended.",
        frame.stacked(
            frame.row(4, (5, SESSIONS), (6, ENERGY), (5, DURATION), (5, CURRENT), (3, WITH_ANOMALIES)),
            frame.row(8, (12, ENERGY_PER_DAY), (12, SESSIONS_PER_DAY)),
            frame.row(10, (24, START_HOURS)),
            frame.row(8, (8, STOP_REASONS), (8, DURATIONS), (8, BY_CHARGE_POINT)),
            frame.row(11, (24, NEWEST)),
        ),
        refresh="1m",
        time_from="now-7d",
        variables=[frame.charge_point_variable(many=True)],
        annotations=frame.annotations(),
    )
