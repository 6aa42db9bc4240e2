"""Fleet overview, the home page: what is charging, what is wrong, and the way to it."""

from grafana import dashboard as frame
from grafana import words
from grafana.dashboard import live_link
from grafana.fields import (
    BY_THRESHOLD,
    FRESHNESS,
    column,
    counts_by_severity,
    fixed,
    instant,
    override,
    steps,
    worded,
)
from grafana.panels import bar_gauge, stat, state_timeline, table, time_series
from grafana.words import Json

SQL = frame.queries("fleet_overview")
NO_CHARGE_POINT = "No charge point has reported yet"

ONLINE = stat(
    "Online",
    "Charge points that hold a connection to the CSMS, of all that were ever seen.",
    SQL["online"],
    unit="none",
    empty=NO_CHARGE_POINT,
    color=fixed("green"),
    overrides=(override("known", color=fixed(words.QUIET)),),
)

CHARGING = stat(
    "Charging",
    "Connectors whose OCPP status is Charging, of all connectors.",
    SQL["charging"],
    unit="none",
    empty=NO_CHARGE_POINT,
    color=fixed("blue"),
    overrides=(override("connectors", color=fixed(words.QUIET)),),
)

POWER = stat(
    "Power",
    "Power to all vehicles now: the sum over connectors with a reading of the last 10 s.",
    SQL["power"],
    unit="watt",
    empty=NO_CHARGE_POINT,
    color=fixed(words.QUIET),
)

ENERGY_TODAY = stat(
    "Energy today",
    "Energy of the transactions begun since midnight by your browser's clock, running ones included.",
    SQL["energy_today"],
    unit="watth",
    empty="No transaction has begun today",
    color=fixed(words.QUIET),
    time_from="now/d",
)

OPEN_ANOMALIES = stat(
    "Open anomalies",
    "Anomalies that go on at this moment, by severity. The table below names the connectors.",
    SQL["open_anomalies"],
    unit="none",
    empty="Nothing is known of anomalies",
    color=BY_THRESHOLD,
    overrides=counts_by_severity(),
)

AGE_OF_READINGS = stat(
    "Age of readings",
    "Seconds since the newest reading, and since the last one of the connected charge point that is silent "
    "longest. Readings come every second: above 5 s something on the way is stuck.",
    SQL["age_of_readings"],
    unit="s",
    empty="No connected charge point has sent a reading",
    decimals=1,
    color=BY_THRESHOLD,
    thresholds=FRESHNESS,
)

STATES = state_timeline(
    "States",
    "The OCPP status of each connector over time. At most 20 lanes: those with an open anomaly first, then "
    "those that changed last. A click leads to the charge point.",
    SQL["states"],
    empty=NO_CHARGE_POINT,
    mappings=words.by_code(words.STATUSES),
    points=100,  # 20 lanes of them
    displayName="${__field.labels.charge_point_id} / ${__field.labels.connector}",
    links=[live_link("__field.labels.charge_point_id", "__field.labels.connector")],
)

POWER_OVER_TIME = time_series(
    "Power by charge point",
    "Power to the vehicles as observed on CAN, one charge point on top of the other: the 19 with the most "
    "energy in the time range, and all others as one.",
    SQL["power_over_time"],
    unit="watt",
    empty="No reading in this time range",
    style="stacked",
    legend=("lastNotNull", "max"),
    beside=True,
    by="Max",
    interval="5s",
    min=0,
    displayName="${__field.labels.charge_point_id}",
    links=[live_link("__field.labels.charge_point_id")],
)

LOAD = bar_gauge(
    "Load now",
    "Power of each connector with a reading of the last 10 s, the 20 highest.",
    SQL["load"],
    unit="watt",
    empty="No reading in the last 10 s",
    min=0,
    color=fixed("blue"),
)

CHARGE_POINTS = table(
    "Charge points",
    "The latest of each connector, those with an open anomaly first. A click on the name leads to its live "
    "dashboard or to the console.",
    SQL["charge_points"],
    empty=NO_CHARGE_POINT,
    overrides=(
        frame.charge_point_column(live_link("__data.fields.charge_point_id", "__data.fields.connector")),
        frame.CONNECTOR,
        worded("status", "Status", words.by_word(words.STATUSES), custom_width=120),
        column("current_a", "Current", custom_width=85, unit="amp", decimals=1),
        column("power_w", "Power", custom_width=95, unit="watt", decimals=1),
        column("energy_wh", "Meter", custom_width=95, unit="watth", decimals=2),
        column("soc_percent", "State of charge", custom_width=120, unit="percent", decimals=0),
        column("transaction_id", "Transaction", custom_width=95),
        column(
            "open_anomalies",
            "Open anomalies",
            custom_width=120,
            thresholds=steps((None, words.QUIET), (1, "red")),
            custom_cellOptions={"type": "color-text"},
        ),
        column("reading_age_s", "Age of reading", custom_width=115, unit="s", decimals=1),
    ),
)

ANOMALIES_PER_HOUR = time_series(
    "Anomalies per hour, last 24 hours",
    "How many anomalies were detected in each hour, by severity; always the last 24 hours.",
    SQL["anomalies_per_hour"],
    unit="none",
    empty="No anomaly in the last 24 hours",
    style="bars",
    legend=("sum",),
    decimals=0,
    overrides=tuple(override(severity, color=fixed(color)) for severity, color in words.SEVERITIES),
    time_from="24h",
)

NEWEST_ANOMALIES = table(
    "Newest anomalies",
    "The newest 50 anomalies that touch the time range. A click on the charge point leads to the moment: two "
    "minutes before the start to two minutes after the detection; on the kind to its waveform.",
    SQL["newest_anomalies"],
    empty="No anomaly in this time range",
    overrides=(
        instant("time", "Detected"),
        *frame.place_columns(),
        *frame.anomaly_columns(),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    numbers = (ONLINE, CHARGING, POWER, ENERGY_TODAY, OPEN_ANOMALIES, AGE_OF_READINGS)
    return frame.dashboard(
        frame.FLEET_UID,
        "Fleet overview",
        "What the bench's charge points do now, what is wrong, and the way to it.",
        frame.stacked(
            frame.row(4, *((4, number) for number in numbers)),
            frame.row(8, (24, STATES)),
            frame.row(9, (16, POWER_OVER_TIME), (8, LOAD)),
            frame.row(9, (24, CHARGE_POINTS)),
            frame.row(9, (8, ANOMALIES_PER_HOUR), (16, NEWEST_ANOMALIES)),
        ),
        refresh="10s",
        time_from="now-15m",
        variables=[frame.charge_point_variable(many=True, with_fleet=True)],
        annotations=frame.annotations(),
    )
