"""Every query of every dashboard, run as Grafana runs it, on a memory filled by the MemoryBank's own code."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import product

import psycopg
import pytest

import recorded_run
from grafana_frames import check_annotation, check_dashboard, check_panel, check_variable
from grafana_memory import (
    DASHBOARDS,
    FLEET_CHOICES,
    LENGTHS,
    LIVE_CHOICES,
    Memory,
    chosen,
    live,
    opened,
    remembered,
    standing_still,
)
from grafana_run import NOT_LEARNED_YET, OF_ONE, has_nothing
from grafana_sql import Range

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


@pytest.fixture(scope="module")
def memory(_shared_postgres):
    with remembered(*_shared_postgres) as memory:
        yield memory


@pytest.fixture
def just_now(postgres):
    """Five minutes up to now, so fresh that the panels of the last seconds have data too."""
    with standing_still(postgres) as (connection, now):
        run = recorded_run.events(now - timedelta(minutes=5), now)
        asyncio.run(recorded_run.record(postgres.writer_url, run))
        yield Memory(connection, now)


@pytest.fixture
def empty(postgres):
    """The migrations and nothing else."""
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    with opened(postgres, datetime.now(UTC)) as memory:
        yield memory


def empty_panels(memory, name, variables):
    frames = check_dashboard(memory.grafana, DASHBOARDS[name], memory.last(timedelta(minutes=5)), variables)
    return {title for title, frame in frames.items() if has_nothing(frame)}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("name", "panel", "choice"), EVERY_PANEL)
def test_a_panel_can_be_drawn(memory, name, panel, choice, length):
    check_panel(memory.grafana, panel, memory.last(LENGTHS[length]), chosen(memory, name, choice))


NOTHING_WRONG = {"Set aside, newest", "Lost, number by number"}
"""Tables of the pipeline that say in words that there is nothing."""


def test_every_panel_has_data_in_five_minutes_of_the_base_scenario(just_now):
    """Or its words are true: nothing was lost or learned, and who charges benignly has no anomaly."""
    choices = {name: ["attacked"] if name in OF_ONE else ["one", "several", "all"] for name in DASHBOARDS}
    found = {
        (name, choice): empty_panels(just_now, name, chosen(just_now, name, choice))
        for name in DASHBOARDS
        for choice in choices[name]
    }
    no_data = {"pipeline-health": NOTHING_WRONG, "learned-patterns": set(NOT_LEARNED_YET)}
    wanted = {key: no_data.get(key[0], set()) for key in found}
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


def test_there_is_nothing_to_choose_on_an_empty_database(empty):
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                assert check_variable(empty.grafana, variable, {"charge_point": ""}) == []


@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM memory.metrics", "SELECT 1 FROM truth.labels", "CREATE TABLE x ()"]
)
def test_grafana_reads_the_views_and_nothing_else(memory, statement):
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
        memory.grafana.execute(statement)
