"""Every query of every dashboard, run as Grafana runs it, on a memory filled by the MemoryBank's own code."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product

import psycopg
import pytest

import recorded_run
from embedded import postgres as embedded_postgres
from grafana_frames import check_annotation, check_dashboard, check_panel, check_variable, dashboards
from grafana_sql import Range
from real_parts import Postgres
from recorded_run import ATTACKED, BENIGN, IDLE, LOST, QUOTED

FLEET, LIVE = dashboards()["fleet-overview"], dashboards()["charge-point-live"]
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


def fleet(choice):
    return {"charge_point": FLEET_CHOICES[choice]}


def live(choice):
    charge_point_id, connector = LIVE_CHOICES[choice]
    return {"charge_point": charge_point_id, "connector": connector}


def panel_named(dashboard, title):
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return panel


def empty_panels(memory, dashboard, chosen):
    frames = check_dashboard(memory.grafana, dashboard, memory.last(timedelta(minutes=5)), chosen)
    return {title for title, frame in frames.items() if not frame.rows}


ON_FLEET = [
    pytest.param(panel, choice, id=f"{panel['title']}-{choice}")
    for panel, choice in product(FLEET["panels"], FLEET_CHOICES)
]
ON_LIVE = [
    pytest.param(panel, choice, id=f"{panel['title']}-{choice}")
    for panel, choice in product(LIVE["panels"], LIVE_CHOICES)
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
def empty(postgres):
    """The migrations and nothing else."""
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        yield Memory(connection, datetime.now(UTC))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("panel", "choice"), ON_FLEET)
def test_a_panel_of_the_fleet_can_be_drawn(memory, panel, choice, length):
    check_panel(memory.grafana, panel, memory.last(LENGTHS[length]), fleet(choice))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("panel", "choice"), ON_LIVE)
def test_a_panel_of_a_charge_point_can_be_drawn(memory, panel, choice, length):
    check_panel(memory.grafana, panel, memory.last(LENGTHS[length]), live(choice))


@pytest.mark.parametrize("choice", ["one", "several", "all"])
def test_every_panel_of_the_fleet_has_data_in_five_minutes_of_the_base_scenario(just_now, choice):
    assert empty_panels(just_now, FLEET, fleet(choice)) == set()


def test_every_panel_of_an_attacked_charge_point_has_data_in_five_minutes(just_now):
    assert empty_panels(just_now, LIVE, live("attacked")) == set()


def test_a_benign_charge_point_lacks_nothing_but_anomalies(just_now):
    assert empty_panels(just_now, LIVE, live("benign")) == {"Score", "Anomalies"}


def test_a_range_before_everything_is_empty(memory):
    long_before = memory.end - timedelta(days=300)
    span = Range(long_before - timedelta(minutes=5), long_before, live=False)
    frames = check_dashboard(memory.grafana, LIVE, span, live("attacked"))
    of_the_range = [panel["title"] for panel in LIVE["panels"] if panel["type"] in ("timeseries", "table")]
    assert [title for title in of_the_range if frames[title].rows] == []


@pytest.mark.parametrize("dashboard", [FLEET, LIVE], ids=lambda dashboard: dashboard["uid"])
def test_an_empty_database_breaks_no_panel(empty, dashboard):
    span = empty.last(LENGTHS["5 min"])
    nobody = {"charge_point": [] if dashboard is FLEET else "", "connector": ""}
    frames = check_dashboard(empty.grafana, dashboard, span, nobody)
    # Counts are 0; everything else is left to the panel's own words.
    with_words = [panel["title"] for panel in dashboard["panels"] if panel["type"] != "stat"]
    assert [title for title in with_words if frames[title].rows] == []


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("choice", LIVE_CHOICES)
@pytest.mark.parametrize("annotation", LIVE["annotations"]["list"], ids=lambda annotation: annotation["name"])
def test_an_annotation_can_be_drawn(memory, annotation, choice, length):
    check_annotation(memory.grafana, annotation, memory.last(LENGTHS[length]), live(choice))


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
    for dashboard in (FLEET, LIVE):
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                assert check_variable(empty.grafana, variable, {"charge_point": ""}) == []


def test_the_numbers_of_the_fleet_are_right(memory):
    span = memory.last(LENGTHS["5 min"])

    def numbers(title):
        frame = check_panel(memory.grafana, panel_named(FLEET, title), span, fleet("all"))
        return {one.name: one.values[0] for one in frame.fields}

    assert numbers("Online") == {"online": len(EVERYONE) - 1, "known": len(EVERYONE)}
    assert numbers("Charging")["connectors"] == len(EVERYONE) + 1
    assert numbers("Open anomalies") == {"critical": len(ATTACKED), "warning": 0, "info": 0}
    assert numbers("Age of readings")["newest"] < 60


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
    panel = panel_named(LIVE, "Swing, score and threshold")
    frame = check_panel(memory.grafana, panel, memory.last(RUN), live("attacked"))
    swing, score, threshold = frame.fields[1:]
    assert score.values[5] is None
    assert score.values[-1] >= threshold.values[-1] > 0
    assert swing.values[-1] > 85


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM memory.metrics", "SELECT 1 FROM truth.labels", "CREATE TABLE x ()"]
)
def test_grafana_reads_the_views_and_nothing_else(memory, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        memory.grafana.execute(statement)
