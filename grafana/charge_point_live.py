"""Charge point live: one connector, second by second, with what the detectors say of it."""

from grafana import dashboard as frame
from grafana import words
from grafana.dashboard import MOMENT, live_link
from grafana.fields import BAND, BY_THRESHOLD, DASHED, FRESHNESS, column, fixed, instant, override
from grafana.panels import stat, state_timeline, table, time_series
from grafana.words import Json

SQL = frame.queries("charge_point_live")
UNKNOWN = "Not seen yet"
"""Short, as all words of narrow numbers: what does not fit is drawn too small to read."""
NO_READING = "No reading of this connector in this time range"
STEPPED: Json = {"custom_lineInterpolation": "stepAfter", "custom_showPoints": "never"}

STATUS = stat(
    "Status",
    "The connector's OCPP status, or Offline while its charge point has no connection.",
    SQL["status"],
    unit="none",
    empty=UNKNOWN,
    mappings=words.by_code(words.STATUSES),
)

VERDICT = stat(
    "Verdict",
    "The worst severity of the anomalies that go on at this moment.",
    SQL["verdict"],
    unit="none",
    empty=UNKNOWN,
    mappings=words.by_code(words.VERDICTS),
)

PRESENT = stat(
    "Current now",
    "The latest reading of the current to the vehicle.",
    SQL["present"],
    unit="amp",
    empty=UNKNOWN,
    decimals=1,
    color=fixed("blue"),
)

LIMIT = stat(
    "Limit now",
    "The current limit that the charge point last sent to its charger module, in the last minute.",
    SQL["limit"],
    unit="amp",
    empty="No limit known",
    color=fixed("orange"),
)

SESSION_ENERGY = stat(
    "Session energy",
    "Energy of the transaction that runs, else of the last one.",
    SQL["session_energy"],
    unit="watth",
    empty="No transaction yet",
    color=fixed(words.QUIET),
)

SCORE = stat(
    "Score",
    "The open anomaly that is furthest above its threshold: what its detector measured, and from where on "
    "that is an anomaly.",
    SQL["score"],
    unit="none",
    empty="No open anomaly",
    decimals=1,
    color=fixed(words.QUIET),
    overrides=(override("score", color=fixed("red")),),
)

AGE_OF_READING = stat(
    "Age of reading",
    "Seconds since the latest reading. Readings come every second: above 5 s something on the way is stuck.",
    SQL["age_of_reading"],
    unit="s",
    empty=UNKNOWN,
    decimals=1,
    color=BY_THRESHOLD,
    thresholds=FRESHNESS,
)

CURRENT = time_series(
    "Current",
    "The current observed on CAN; its mean over the 60 s before; the band of two standard deviations around "
    "that mean, which fluctuation opens wide; the limit sent to the module. Anomalies are coloured regions.",
    SQL["current"],
    unit="amp",
    empty=NO_READING,
    beside=True,
    overrides=(
        override("current", color=fixed("blue"), custom_lineWidth=2),
        override("mean of 60 s", color=fixed("green"), custom_showPoints="never"),
        override(
            "limit",
            color=fixed("orange"),
            custom_lineInterpolation="stepAfter",
            custom_lineStyle=DASHED,
            custom_showPoints="never",
        ),
        override("band, low", **BAND),
        override("band, high", **BAND, custom_fillBelowTo="band, low", custom_fillOpacity=12),
    ),
)

LIMITS = time_series(
    "Limits, commanded to observed",
    "What the CSMS commanded, what the charge point accepted, what it sent to its module on CAN, what the "
    "module offers, and the current that flows. Where two part, the link between them is broken or lies. "
    "Accepted limits are kept with single readings only: over long ranges they are missing.",
    SQL["limits"],
    unit="amp",
    empty=NO_READING,
    legend=("lastNotNull",),
    beside=True,
    min=0,
    overrides=(
        override("commanded by OCPP", color=fixed("orange"), **STEPPED),
        override("accepted by OCPP", color=fixed("yellow"), **STEPPED),
        override("sent on CAN", color=fixed("purple"), **STEPPED),
        override("offered by the module", color=fixed("green"), **STEPPED),
        override("current", color=fixed("blue"), custom_fillOpacity=10),
    ),
)

ORIGINS = time_series(
    "Current, OCPP against CAN",
    "The current as observed on CAN, as the charge point reports it by OCPP, and the difference. A moment's "
    "difference on a steep edge is normal, one that stays is a wrong meter or a forged frame.",
    SQL["origins"],
    unit="amp",
    empty=NO_READING,
    legend=("lastNotNull", "max"),
    beside=True,
    overrides=(
        override("observed on CAN", color=fixed("blue")),
        override("reported by OCPP", color=fixed("orange")),
        override("difference", color=fixed("red"), custom_fillOpacity=10),
    ),
)

SWING = time_series(
    "Swing, residual, score and threshold",
    "Swing: highest minus lowest current of the 60 s before; residual: the current less their mean (left). "
    "Score of the worst anomaly that goes on, and its detector's threshold (right).",
    SQL["swing"],
    unit="amp",
    empty=NO_READING,
    legend=("lastNotNull", "max"),
    beside=True,
    overrides=(
        override("swing", color=fixed("blue"), custom_fillOpacity=10),
        override("residual", color=fixed("purple"), custom_showPoints="never"),
        override("score", unit="none", color=fixed("red"), custom_axisPlacement="right"),
        override(
            "threshold",
            unit="none",
            color=fixed("orange"),
            custom_axisPlacement="right",
            custom_lineStyle=DASHED,
        ),
    ),
)

LANES = state_timeline(
    "Status and verdict",
    "The OCPP status, and the worst severity of the anomalies that went on, each over time.",
    SQL["lanes"],
    empty=UNKNOWN,
    mappings=words.by_code(words.STATUSES),
    points=500,
    overrides=(override("verdict", mappings=words.by_code(words.VERDICTS)),),
)

POWER = time_series(
    "Power",
    "Power to the vehicle as observed on CAN, and as the charge point reports it by OCPP. Where the lines "
    "part, one of them is wrong.",
    SQL["power"],
    unit="watt",
    empty=NO_READING,
    legend=("lastNotNull", "max"),
    overrides=(
        override("observed on CAN", color=fixed("blue")),
        override("reported by OCPP", color=fixed("orange")),
    ),
)

VOLTAGE = time_series(
    "Voltage",
    "Voltage at the output of the charger module.",
    SQL["voltage"],
    unit="volt",
    empty=NO_READING,
    overrides=(override("voltage", color=fixed("purple")),),
)

TEMPERATURE = time_series(
    "Temperature",
    "Temperature of the charger module. From 55 °C on it gives less, at 75 °C it switches off.",
    SQL["temperature"],
    unit="celsius",
    empty=NO_READING,
    overrides=(override("temperature", color=fixed("red")),),
)

ANOMALIES = table(
    "Anomalies",
    "The newest 50 anomalies of this connector that touch the time range. A click on the time leads to the "
    "moment: two minutes before the start to two minutes after the detection.",
    SQL["anomalies"],
    empty="No anomaly of this connector in this time range",
    overrides=(
        instant("time", "Detected", links=[live_link("charge_point", "connector", MOMENT)]),
        *frame.anomaly_columns("charge_point"),
    ),
)

EVENTS = table(
    "Last events",
    "The newest 100 statuses, transactions, commands and system events of this charge point in the time "
    "range. The console shows every OCPP message and CAN frame.",
    SQL["events"],
    empty="No event of this charge point in this time range",
    overrides=(
        instant("time", "Time"),
        column("kind", "Kind", custom_width=180),
        column("summary", "Summary"),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    return frame.dashboard(
        frame.LIVE_UID,
        "Charge point live",
        "One connector, second by second, with what the detectors say of it.",
        frame.stacked(
            frame.row(
                4,
                (3, STATUS),
                (3, VERDICT),
                (3, PRESENT),
                (3, LIMIT),
                (3, SESSION_ENERGY),
                (6, SCORE),
                (3, AGE_OF_READING),
            ),
            frame.row(11, (24, CURRENT)),
            frame.row(8, (24, SWING)),
            frame.row(5, (24, LANES)),
            frame.row(8, (12, LIMITS), (12, ORIGINS)),
            frame.row(8, (8, POWER), (8, VOLTAGE), (8, TEMPERATURE)),
            frame.row(7, (24, ANOMALIES)),
            frame.row(9, (24, EVENTS)),
        ),
        refresh="5s",
        time_from="now-5m",
        variables=[frame.charge_point_variable(many=False), frame.connector_variable()],
        annotations=frame.annotations(SQL["annotations"]),
        console_path="/?charge_point=${charge_point:percentencode}",
    )
