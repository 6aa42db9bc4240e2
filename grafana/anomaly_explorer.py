"""Anomaly explorer: what was found, how well beside the truth, and what one anomaly looked like."""

from grafana import dashboard as frame
from grafana import words
from grafana.dashboard import MOMENT, live_link
from grafana.fields import BY_THRESHOLD, column, counts_by_severity, fixed, instant, override, steps, worded
from grafana.panels import bar_gauge, stat, state_timeline, table, time_series
from grafana.words import Json

SQL = frame.queries("anomaly_explorer")
NO_ANOMALY = "No anomaly in this time range"
NO_RUN = "No scenario that provokes an anomaly ran in this time range"
SHARE = steps((None, "red"), (0.5, "orange"), (0.9, "green"))
"""For precision and recall."""

TOTALS = stat(
    "Anomalies by severity",
    "Anomalies that touch the time range, by severity.",
    SQL["totals"],
    unit="none",
    empty=NO_ANOMALY,
    color=BY_THRESHOLD,
    overrides=counts_by_severity(),
)

OPEN = stat(
    "Open now",
    "Anomalies that go on at this moment, whatever the time range.",
    SQL["open"],
    unit="none",
    empty="Nothing is known of anomalies",
    color=BY_THRESHOLD,
    thresholds=steps((None, words.QUIET), (1, "red")),
)

DELAY = stat(
    "Detection delay",
    "From an anomaly's first sign to the moment at which its score crossed the threshold: of half of them no "
    "more than the median.",
    SQL["delay"],
    unit="s",
    empty=NO_ANOMALY,
    decimals=1,
    color=fixed(words.QUIET),
)

PRECISION = stat(
    "Precision",
    "Of the anomalies that touch the time range, the share that is true: on its charge point, and between "
    "the start of a run that provokes an anomaly and 60 s after its end. Where no scenario ran, every "
    "anomaly counts as false, also one that is real.",
    SQL["precision"],
    unit="percentunit",
    empty=NO_ANOMALY,
    decimals=0,
    color=BY_THRESHOLD,
    thresholds=SHARE,
    overrides=(
        override("true", unit="none", color=fixed(words.QUIET)),
        override("false", unit="none", thresholds=steps((None, words.QUIET), (1, "orange"))),
    ),
)

RECALL = stat(
    "Recall",
    "Of the runs that provoke an anomaly and touch the time range (a run on two charge points counts twice), "
    "the share with at least one anomaly between its start and 60 s after its end. A run that has just begun "
    "counts as missed until it is found.",
    SQL["recall"],
    unit="percentunit",
    empty=NO_RUN,
    decimals=0,
    color=BY_THRESHOLD,
    thresholds=SHARE,
    overrides=(
        override("found", unit="none", color=fixed(words.QUIET)),
        override("missed", unit="none", thresholds=steps((None, words.QUIET), (1, "orange"))),
    ),
)

BY_KIND = time_series(
    "Anomalies by kind",
    "How many anomalies were detected over time, by kind: the 19 most frequent, and all others as one.",
    SQL["by_kind"],
    unit="none",
    empty="No anomaly was detected in this time range",
    style="bars",
    legend=("sum",),
    interval="1m",
    points=60,
    decimals=0,
    min=0,
)

BY_CHARGE_POINT = bar_gauge(
    "Anomalies by charge point",
    "How many anomalies of each charge point touch the time range, the 20 with the most.",
    SQL["by_charge_point"],
    unit="none",
    empty=NO_ANOMALY,
    min=0,
    color=fixed("blue"),
)

LANES = state_timeline(
    "Truth and verdict",
    "Two lanes a charge point: which scenario ran there, and the worst severity of the anomalies that went "
    "on. The ten charge points with an injected anomaly, then with the most to show. A click leads to the "
    "charge point.",
    SQL["lanes"],
    empty="No charge point has reported yet",
    mappings=words.by_code((*words.VERDICTS, *words.TRUTHS)),
    points=300,
    displayName="${__field.labels.charge_point_id} ${__field.labels.lane}",
    links=[live_link("__field.labels.charge_point_id")],
)

WAVEFORM = time_series(
    "Waveform of the chosen anomaly, and of earlier ones like it",
    "The current on CAN from two minutes before the start of the anomaly chosen above to ten after it. Up to "
    "four earlier anomalies of the same pattern are drawn over it, moved in time so that all begin together: "
    "they are named by when they really began.",
    SQL["waveform"],
    unit="amp",
    empty="Choose an anomaly above, or by its kind in the table: the one chosen lies outside this time range",
    legend=("min", "mean", "max"),
    beside=True,
    min=0,
    overrides=(override("chosen", color=fixed("red"), custom_lineWidth=2),),
)

ANOMALIES = table(
    "Anomalies",
    "The newest 100 anomalies that touch the time range. The charge point leads to the moment (two minutes "
    "before the start to two after the detection), the kind to the waveform and to the console.",
    SQL["anomalies"],
    empty=NO_ANOMALY,
    overrides=(
        instant("time", "Detected"),
        *frame.place_columns(),
        column("delay_s", "Delay", custom_width=80, unit="s", decimals=1),
        worded("judgement", "Beside the truth", words.by_word(words.JUDGEMENTS), custom_width=115),
        column("scenario", "In a run of"),
        *frame.anomaly_columns(),
    ),
)

RUNS = table(
    "Runs of scenarios",
    "The ground truth: the newest 100 runs that touch the time range, a row for each charge point, and what "
    "was found of them. The delay is from the first command of the run to the first detection.",
    SQL["runs"],
    empty="No scenario ran in this time range",
    overrides=(
        instant("time", "Began"),
        frame.charge_point_column(live_link("__data.fields.charge_point_id", time=MOMENT), custom_width=125),
        column("scenario", "Scenario", custom_width=225),
        column("anomaly", "Provokes", custom_width=225),
        column("state", "State", custom_width=80),
        column("lasted_s", "Lasted", custom_width=85, unit="s", decimals=0),
        worded("judgement", "Verdict", words.by_word(words.JUDGEMENTS), custom_width=115),
        column("delay_s", "Delay", custom_width=80, unit="s", decimals=1),
        column("anomalies", "Anomalies", custom_width=85),
        column("parameters", "Parameters"),
        column("seed", "Seed", custom_width=80),
        *frame.moment_columns(),
    ),
)


def dashboard() -> Json:
    """Return the dashboard's JSON."""
    return frame.dashboard(
        frame.ANOMALIES_UID,
        "Anomaly explorer",
        "What was found, how well beside the truth, and what one anomaly looked like.",
        frame.stacked(
            frame.row(4, (5, TOTALS), (3, OPEN), (4, DELAY), (6, PRECISION), (6, RECALL)),
            frame.row(8, (16, BY_KIND), (8, BY_CHARGE_POINT)),
            frame.row(9, (24, LANES)),
            frame.row(10, (24, WAVEFORM)),
            frame.row(10, (24, ANOMALIES)),
            frame.row(9, (24, RUNS)),
        ),
        refresh="30s",
        time_from="now-1h",
        variables=[
            frame.charge_point_variable(many=True, with_fleet=True),
            frame.query_variable("anomaly", "Anomaly", SQL["anomalies_to_choose"], sort=0),
        ],
        annotations=frame.annotations(),
    )
