"""Every query of every dashboard, run as Grafana runs it, on a memory filled by the MemoryBank's own code."""

import asyncio
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import psycopg
import pytest

import grafana_run
import recorded_run
from embedded import postgres as embedded_postgres
from grafana_frames import check_annotation, check_dashboard, check_panel, check_variable, dashboards
from grafana_run import OF_ONE, has_nothing
from grafana_sql import Range
from real_parts import Postgres
from recorded_run import ATTACKED, BENIGN, IDLE, LOST, QUOTED

DASHBOARDS = dashboards()
FLEET, LIVE = DASHBOARDS["fleet-overview"], DASHBOARDS["charge-point-live"]
EXPLORER, SESSIONS = DASHBOARDS["anomaly-explorer"], DASHBOARDS["sessions-and-energy"]
PATTERNS, PIPELINE = DASHBOARDS["learned-patterns"], DASHBOARDS["pipeline-health"]
EVERYONE = [*ATTACKED, *BENIGN, QUOTED, *IDLE]
FLEET_CHOICES = {"one": ["CP-1"], "several": ["CP-1", "CP-2", QUOTED], "all": EVERYONE, "none": []}
LIVE_CHOICES = {
    "attacked": ("CP-1", "1"),
    "benign": ("CP-2", "1"),
    "quoted": (QUOTED, "2"),
    "idle": (IDLE[0], "1"),
    "unknown": ("", ""),
}
LENGTHS = {"5 min": timedelta(minutes=5), "30 days": timedelta(days=30)}
RUN = timedelta(minutes=10)
WAVEFORM = "Waveform of the chosen anomaly, and of earlier ones like it"


def fleet(choice):
    return {"charge_point": FLEET_CHOICES[choice]}


def live(choice):
    charge_point_id, connector = LIVE_CHOICES[choice]
    return {"charge_point": charge_point_id, "connector": connector}


def chosen(memory, name, choice):
    """Return the variables of a dashboard, the newest anomaly among them."""
    if name in OF_ONE:
        return live(choice)
    return grafana_run.variables(memory.grafana, name, FLEET_CHOICES[choice], memory.last(LENGTHS["5 min"]))


def panel_named(dashboard, title):
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return panel


def frame_of(memory, dashboard, title, variables, length=timedelta(minutes=5)):
    return check_panel(memory.grafana, panel_named(dashboard, title), memory.last(length), variables)


def numbers(memory, dashboard, title, variables, length=timedelta(minutes=5)):
    frame = frame_of(memory, dashboard, title, variables, length)
    return {one.name: one.values[0] for one in frame.fields}


def rows_of(frame):
    return [
        dict(zip(frame.columns, row, strict=True))
        for row in zip(*(one.values for one in frame.fields), strict=True)
    ]


def empty_panels(memory, name, variables):
    frames = check_dashboard(memory.grafana, DASHBOARDS[name], memory.last(timedelta(minutes=5)), variables)
    return {title for title, frame in frames.items() if has_nothing(frame)}


EVERY_PANEL = [
    pytest.param(name, panel, choice, id=f"{name}-{panel['title']}-{choice}")
    for name, dashboard in DASHBOARDS.items()
    for panel, choice in product(dashboard["panels"], LIVE_CHOICES if name in OF_ONE else FLEET_CHOICES)
]
EVERY_ANNOTATION = [
    pytest.param(name, annotation, choice, id=f"{name}-{annotation['name']}-{choice}")
    for name, dashboard in DASHBOARDS.items()
    for annotation, choice in product(
        dashboard["annotations"]["list"], LIVE_CHOICES if name in OF_ONE else FLEET_CHOICES
    )
]


@dataclass
class Memory:
    """A filled database, seen as Grafana sees it, and when its run ended."""

    grafana: psycopg.Connection
    end: datetime

    def last(self, length):
        return Range(self.end - length, self.end)


@pytest.fixture(scope="module")
def database(_shared_postgres):
    server, files = _shared_postgres
    name = f"grafana_{secrets.token_hex(4)}"
    embedded_postgres.prepare(files, name)
    database = Postgres(server, files, name)
    yield database
    with psycopg.connect(files.url(embedded_postgres.SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def memory(database):
    """Three minutes of 20 days ago, and the ten minutes up to now."""
    end = datetime.now(UTC)
    long_ago = end - timedelta(days=20)
    before = recorded_run.events(long_ago, long_ago + timedelta(minutes=3), first_transaction=1)
    lately = recorded_run.events(end - RUN, end, first_transaction=1000)
    asyncio.run(recorded_run.record(database.writer_url, before, silence=True))
    asyncio.run(recorded_run.record(database.writer_url, lately))
    with psycopg.connect(database.grafana_url, autocommit=True) as connection:
        yield Memory(connection, end)


@pytest.fixture
def just_now(postgres):
    """Five minutes up to now, so fresh that the panels of the last seconds have data too."""
    end = datetime.now(UTC)
    asyncio.run(
        recorded_run.record(postgres.writer_url, recorded_run.events(end - timedelta(minutes=5), end))
    )
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        yield Memory(connection, end)


@pytest.fixture
def judged(postgres):
    """Four anomalies of 10 s: 59 s and 61 s after a run's end, in a benign run, where nothing ran."""
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    end = datetime.now(UTC)
    with psycopg.connect(postgres.writer_url) as connection:
        for seq, (name, anomaly, late_s) in enumerate(
            [("CP-1", "wear", 59), ("CP-2", "wear", 61), ("CP-3", None, 0), ("CP-4", "nothing ran", 0)]
        ):
            run_ended_at = end - timedelta(minutes=20)
            for offset, phase in ((timedelta(minutes=10), "started"), (timedelta(0), "ended")):
                if name != "CP-4":
                    connection.execute(
                        "INSERT INTO truth.labels"
                        " VALUES (%s, %s, 1, %s, 'cycle', %s, %s, ARRAY[%s], '{}', 1)",
                        (run_ended_at - offset, 2 * seq + (phase == "ended"), name, anomaly, phase, name),
                    )
            started_at = run_ended_at + timedelta(seconds=late_s)
            connection.execute(
                "INSERT INTO memory.anomalies VALUES (gen_random_uuid(), %s, 1, 'wear', 'info', 'closed',"
                " %s, %s, %s, %s, 9, 8, 100, '{}', 'nine of eight')",
                (name, started_at, *3 * [started_at + timedelta(seconds=10)]),
            )
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        yield Memory(connection, end)


@pytest.fixture
def empty(postgres):
    """The migrations and nothing else."""
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        yield Memory(connection, datetime.now(UTC))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("name", "panel", "choice"), EVERY_PANEL)
def test_a_panel_can_be_drawn(memory, name, panel, choice, length):
    check_panel(memory.grafana, panel, memory.last(LENGTHS[length]), chosen(memory, name, choice))


NOTHING_WRONG = {"Set aside, newest", "Lost, number by number"}
"""Tables of the pipeline that say in words that there is nothing."""


def test_every_panel_has_data_in_five_minutes_of_the_base_scenario(just_now):
    """Or its words are true: nothing was lost, and who charges benignly has no anomaly."""
    choices = {name: ["attacked"] if name in OF_ONE else ["one", "several", "all"] for name in DASHBOARDS}
    found = {
        (name, choice): empty_panels(just_now, name, chosen(just_now, name, choice))
        for name in DASHBOARDS
        for choice in choices[name]
    }
    wanted = {key: NOTHING_WRONG if key[0] == "pipeline-health" else set() for key in found}
    assert found == wanted
    assert empty_panels(just_now, "charge-point-live", live("benign")) == {"Score", "Anomalies"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_range_before_everything_is_empty(memory, name):
    long_before = memory.end - timedelta(days=300)
    span = Range(long_before - timedelta(minutes=5), long_before, live=False)
    variables = chosen(memory, name, "attacked" if name in OF_ONE else "all")
    frames = check_dashboard(memory.grafana, DASHBOARDS[name], span, variables)
    of_the_range = [
        panel["title"]
        for panel in DASHBOARDS[name]["panels"]
        if panel["type"] in ("timeseries", "table", "heatmap") and "$__time" in panel["targets"][0]["rawSql"]
    ]
    assert [title for title in of_the_range if frames[title].rows] == []


def test_an_empty_database_breaks_no_panel(empty):
    span = empty.last(LENGTHS["5 min"])
    for name, dashboard in DASHBOARDS.items():
        nobody = {"charge_point": "" if name in OF_ONE else [], "connector": "", "anomaly": ""}
        frames = check_dashboard(empty.grafana, dashboard, span, nobody)
        # Counts are 0, tables have a size; everything else is left to the panel's own words.
        with_words = [
            panel["title"]
            for panel in dashboard["panels"]
            if panel["type"] != "stat" and not panel["title"].startswith("Size by ")
        ]
        assert [title for title in with_words if frames[title].rows] == []


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("name", "annotation", "choice"), EVERY_ANNOTATION)
def test_an_annotation_can_be_drawn(memory, name, annotation, choice, length):
    check_annotation(memory.grafana, annotation, memory.last(LENGTHS[length]), chosen(memory, name, choice))


def test_the_base_scenario_is_annotated_to_the_end_of_the_range_while_it_goes_on(memory):
    (critical,) = [one for one in LIVE["annotations"]["list"] if one["name"] == "Critical anomalies"]
    frame = check_annotation(memory.grafana, critical, memory.last(LENGTHS["5 min"]), live("attacked"))
    begins, ends, texts, tags = frame.fields
    assert begins.values[0] < memory.end - timedelta(minutes=5)
    assert ends.values == [memory.end]
    assert "reversals" in texts.values[0]
    assert tags.values == ["repeated-current-fluctuation,critical"]


def test_the_charge_points_to_choose_are_all_that_were_seen(memory):
    (variable,) = [one for one in FLEET["templating"]["list"] if one["name"] == "charge_point"]
    assert set(check_variable(memory.grafana, variable, {})) == set(EVERYONE)


def test_the_connectors_to_choose_are_those_of_the_charge_point(memory):
    (variable,) = [one for one in LIVE["templating"]["list"] if one["name"] == "connector"]
    assert check_variable(memory.grafana, variable, {"charge_point": QUOTED}) == ["1", "2"]


def test_there_is_nothing_to_choose_on_an_empty_database(empty):
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                assert check_variable(empty.grafana, variable, {"charge_point": ""}) == []


def test_the_numbers_of_the_fleet_are_right(memory):
    everyone = fleet("all")
    assert numbers(memory, FLEET, "Online", everyone) == {"online": len(EVERYONE) - 1, "known": len(EVERYONE)}
    assert numbers(memory, FLEET, "Charging", everyone)["connectors"] == len(EVERYONE) + 1
    assert numbers(memory, FLEET, "Open anomalies", everyone) == {
        "critical": len(ATTACKED),
        "warning": 0,
        "info": 0,
    }
    age = numbers(memory, FLEET, "Age of readings", everyone)
    assert 0 <= age["newest"] <= age["oldest"]


def test_the_states_show_the_lost_connection_and_the_fault(memory):
    panel = panel_named(FLEET, "States")
    chosen = {"charge_point": [LOST, QUOTED]}
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), chosen)
    last = {
        (lane.labels["charge_point_id"], lane.labels["connector"]): lane.values[-1]
        for lane in frame.fields[1:]
    }
    assert last == {(LOST, "1"): 0, (QUOTED, "1"): 1, (QUOTED, "2"): 9}


def test_of_many_charge_points_nineteen_are_drawn_and_the_others_as_one(memory):
    panel = panel_named(FLEET, "Power by charge point")
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), fleet("all"))
    names = {one.labels["charge_point_id"] for one in frame.fields[1:]}
    assert len(names) == 20
    assert {"CP-1", "CP-2", "CP-3", "CP-4", "all others"} <= names


def test_the_current_swings_from_zero_to_its_peak(memory):
    panel = panel_named(LIVE, "Current")
    frame = check_panel(memory.grafana, panel, memory.last(LENGTHS["5 min"]), live("attacked"))
    series = {one.name: [value for value in one.values if value is not None] for one in frame.fields[1:]}
    assert min(series["current"]) == 0
    assert max(series["current"]) > 85
    assert set(series["limit"]) == {0, 100}
    assert all(10 < mean < 40 for mean in series["mean of 60 s"])
    assert min(series["band, low"]) == 0
    assert min(series["band, high"]) > 50


def test_the_mean_looks_back_before_the_range(memory):
    """Its first point is no cold start."""
    panel = panel_named(LIVE, "Current")
    frame = check_panel(memory.grafana, panel, memory.last(timedelta(minutes=1)), live("attacked"))
    mean = next(one for one in frame.fields if one.name == "mean of 60 s")
    assert 10 < mean.values[0] < 40


def test_the_lanes_show_status_and_verdict(memory):
    panel = panel_named(LIVE, "Status and verdict")
    frame = check_panel(memory.grafana, panel, memory.last(RUN), live("attacked"))
    lanes = {one.name: [value for value in one.values if value is not None] for one in frame.fields[1:]}
    assert {3, 6} <= set(lanes["status"])
    assert lanes["verdict"][0] == 0
    assert lanes["verdict"][-1] == 3


def test_the_swing_carries_the_score_from_the_detection_on(memory):
    panel = panel_named(LIVE, "Swing, residual, score and threshold")
    frame = check_panel(memory.grafana, panel, memory.last(RUN), live("attacked"))
    swing, residual, score, threshold = frame.fields[1:]
    assert score.values[5] is None
    assert score.values[-1] >= threshold.values[-1] > 0
    assert swing.values[-1] > 85
    assert min(residual.values) < -10
    assert max(residual.values) > 40


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM memory.metrics", "SELECT 1 FROM truth.labels", "CREATE TABLE x ()"]
)
def test_grafana_reads_the_views_and_nothing_else(memory, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        memory.grafana.execute(statement)


def test_precision_and_recall_are_of_what_the_scenarios_say(memory):
    """CP-1 and CP-3 are provoked and found; the run of 20 days ago is another one."""
    everyone = chosen(memory, "anomaly-explorer", "all")
    assert numbers(memory, EXPLORER, "Precision", everyone) == {"precision": 1.0, "true": 2, "false": 0}
    assert numbers(memory, EXPLORER, "Recall", everyone) == {"recall": 1.0, "found": 2, "missed": 0}
    month = LENGTHS["30 days"]
    assert numbers(memory, EXPLORER, "Recall", everyone, month) == {"recall": 1.0, "found": 4, "missed": 0}
    delay = numbers(memory, EXPLORER, "Detection delay", everyone)
    assert 20 < delay["median"] < 60


def test_an_anomaly_where_nothing_was_provoked_is_false_and_a_run_without_one_is_missed(judged):
    """Seen at the edges: an anomaly 59 s after a run's end is its own, one 61 s after it is not."""
    everyone = {"charge_point": ["CP-1", "CP-2", "CP-3", "CP-4"], "anomaly": ""}
    hour = timedelta(hours=1)
    assert numbers(judged, EXPLORER, "Precision", everyone, hour) == {
        "precision": 0.25,
        "true": 1,
        "false": 3,
    }
    assert numbers(judged, EXPLORER, "Recall", everyone, hour) == {"recall": 0.5, "found": 1, "missed": 1}
    told = rows_of(frame_of(judged, EXPLORER, "Anomalies", everyone, hour))
    assert {row["charge_point_id"]: row["judgement"] for row in told} == {
        "CP-1": "true alarm",
        "CP-2": "false alarm",
        "CP-3": "false alarm",
        "CP-4": "false alarm",
    }
    runs = rows_of(frame_of(judged, EXPLORER, "Ground truth", everyone, hour))
    assert {row["charge_point_id"]: row["judgement"] for row in runs} == {
        "CP-1": "found",
        "CP-2": "missed",
        "CP-3": "false alarm",
    }


def test_truth_and_verdict_stand_side_by_side(memory):
    everyone = chosen(memory, "anomaly-explorer", "all")
    frame = frame_of(memory, EXPLORER, "Truth and verdict", everyone, RUN)
    lanes = {(lane.labels["charge_point_id"], lane.labels["lane"]): lane.values for lane in frame.fields[1:]}
    assert lanes.keys() >= {(name, lane) for name in ("CP-1", "CP-2") for lane in ("truth", "verdict")}
    assert len(lanes) == 20
    seen = {key: {code for code in codes if code is not None} for key, codes in lanes.items()}
    assert {6} <= seen["CP-1", "truth"] <= {4, 6}  # the run ended with the range
    assert seen["CP-1", "verdict"] == {0, 3}
    assert (seen["CP-2", "truth"], seen["CP-2", "verdict"]) == ({5}, {0})
    assert seen[IDLE[0], "truth"] == {4}


def test_the_waveform_of_an_anomaly_stands_under_those_before_it(memory):
    """The one of 20 days ago is moved so that both begin together."""
    variables = chosen(memory, "anomaly-explorer", "one")
    frame = frame_of(memory, EXPLORER, WAVEFORM, variables, timedelta(minutes=12))
    names = [one.name for one in frame.fields[1:]]
    assert names[1:] == ["chosen"]
    assert re.fullmatch(f"{memory.end - timedelta(days=20):%Y-%m-%d} ..:..:..", names[0])
    for series in frame.fields[1:]:
        known = [value for value in series.values if value is not None]
        assert min(known) == 0
        assert max(known) > 85
    # From the first swing of both on, the two lie upon each other.
    both = [pair for pair in zip(*(one.values for one in frame.fields[1:]), strict=True) if None not in pair]
    assert sum(abs(one - other) for one, other in both[-60:]) / 60 < 15


def test_no_waveform_is_drawn_where_the_anomaly_chosen_is_out_of_range(memory):
    variables = chosen(memory, "anomaly-explorer", "one")
    long_before = memory.end - timedelta(days=10)
    span = Range(long_before - timedelta(minutes=5), long_before, live=False)
    frame = check_panel(memory.grafana, panel_named(EXPLORER, WAVEFORM), span, variables)
    assert not frame.rows


def test_sessions_are_counted_by_day_hour_and_length(memory):
    everyone, month = fleet("all"), LENGTHS["30 days"]
    begun = numbers(memory, SESSIONS, "Sessions", everyone, month)["begun"]
    assert begun > 100
    cells = frame_of(memory, SESSIONS, "Start hours", everyone, month).fields[1:]
    assert [one.name for one in cells] == [f"{hour:02d}:00" for hour in range(24)]
    assert sum(sum(one.values) for one in cells) == begun
    per_day = frame_of(memory, SESSIONS, "Sessions per day", everyone, month)
    assert sum(value for one in per_day.fields[1:] for value in one.values if value is not None) == begun
    reasons = rows_of(frame_of(memory, SESSIONS, "Stop reasons", everyone, month))
    assert {row["reason"] for row in reasons} == {"Remote", "still running"}
    assert sum(row["sessions"] for row in reasons) == begun
    durations = rows_of(frame_of(memory, SESSIONS, "Durations", everyone, month))
    assert durations[0]["length"] == "under 10 s"


def test_a_pattern_that_was_seen_again_is_recognised(memory):
    assert numbers(memory, PATTERNS, "Patterns", live("attacked")) == {"patterns": 1, "anomalies": 2}
    assert numbers(memory, PATTERNS, "Recognised", live("attacked")) == {"recognised": 0.5}
    most = numbers(memory, PATTERNS, "The pattern seen most often", live("attacked"))
    assert 7 < most["period"] < 9
    assert most["amplitude"] > 80
    (threshold,) = rows_of(frame_of(memory, PATTERNS, "Thresholds in use", live("attacked")))
    assert (threshold["threshold"], threshold["anomalies"]) == (8, 2)


def test_the_baseline_has_the_mean_and_the_band_of_the_hour(memory):
    frame = frame_of(memory, PATTERNS, "Current and its learned band", live("attacked"))
    series = {one.name: one.values for one in frame.fields[1:]}
    assert all(10 < mean < 40 for mean in series["learned mean"])
    assert set(series["band, low"]) == {0}
    assert all(high > 50 for high in series["band, high"])


def test_the_pipeline_says_how_much_and_how_late(memory):
    frame = frame_of(memory, PIPELINE, "Stored per second, over time", fleet("all"))
    rates = {one.name: one.values for one in frame.fields[1:]}
    assert all(
        0 < messages <= events + readings for messages, events, readings in zip(*rates.values(), strict=True)
    )
    frame = frame_of(memory, PIPELINE, "Lag over time", fleet("all"))
    lags = {one.name: one.values for one in frame.fields[1:]}
    assert all(0.1 < p50 <= p95 <= p99 < 3 for p50, p95, p99 in zip(*lags.values(), strict=True))
    assert numbers(memory, PIPELINE, "Lost", fleet("all")) == {"in this range": 0, "ever": 0}


def test_what_was_lost_or_set_aside_is_told(postgres):
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    with psycopg.connect(postgres.writer_url) as connection:
        connection.execute(
            "INSERT INTO memory.sources (source, boot, committed_seq, gaps, duplicates)"
            " VALUES ('csms:csms-1/events/03', gen_random_uuid(), 9, 3, 2)"
        )
        connection.execute("INSERT INTO memory.gaps SELECT source_no, 2, 4, now() FROM memory.sources")
        connection.execute(
            "INSERT INTO memory.poison (topic, reason, payload, digest) VALUES ('t', 'no batch', '', 'x')"
        )
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        memory = Memory(connection, datetime.now(UTC))
        nobody = fleet("none")
        assert numbers(memory, PIPELINE, "Lost", nobody) == {"in this range": 3, "ever": 3}
        assert numbers(memory, PIPELINE, "Arrived again", nobody) == {"in this range": 0, "ever": 2}
        assert numbers(memory, PIPELINE, "Set aside", nobody) == {"messages": 1}
        (gap,) = rows_of(frame_of(memory, PIPELINE, "Lost, number by number", nobody))
        assert (gap["source"], gap["first_seq"], gap["last_seq"]) == ("csms:csms-1/events/03", "2", "4")
        (reason,) = rows_of(frame_of(memory, PIPELINE, "Set aside, newest", nobody))
        assert reason["reason"] == "no batch"
