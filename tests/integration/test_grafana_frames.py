"""The check of frames sees what a panel could not draw; queries without tables, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from embedded.postgres import SUPERUSER
from grafana_frames import check_annotation, check_panel, check_variable
from grafana_sql import Range

END = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)
SPAN = Range(END - timedelta(minutes=5), END, live=False)
ONE = "timestamptz '2025-03-01T11:56:00Z'"
TWO = "timestamptz '2025-03-01T12:00:00Z'"
STATES = {"1": {"text": "Available", "color": "green", "index": 0}}


@pytest.fixture(scope="module")
def connection(_shared_postgres):
    _, files = _shared_postgres
    with psycopg.connect(files.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        yield connection


def panel(kind, sql, overrides=(), **defaults):
    form = "time_series" if kind in ("timeseries", "state-timeline", "heatmap") else "table"
    return {
        "type": kind,
        "title": "Tried",
        "gridPos": {"w": 12},
        "targets": [{"rawSql": sql, "format": form}],
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [
                {"matcher": {"id": "byName", "options": name}, "properties": []} for name in overrides
            ],
        },
    }


def lanes(sql):
    return panel("state-timeline", sql, mappings=[{"type": "value", "options": STATES}])


GOOD = [
    panel(
        "timeseries", f'SELECT {ONE} AS "time", 1 AS "current" UNION SELECT {TWO}, 2 ORDER BY 1', ["current"]
    ),
    panel(
        "timeseries", f"SELECT {ONE} AS time, 'CP-1' AS cp, 1 AS a UNION SELECT {ONE}, 'CP-2', 2 ORDER BY 1"
    ),
    panel("timeseries", "SELECT $__timeGroupAlias(at, '1m'), 1 AS a FROM (SELECT " + ONE + " AS at) AS t"),
    panel("timeseries", 'SELECT now() AS "time", 1 AS a WHERE false'),
    panel("stat", "SELECT 1 AS online, 2 AS known", ["known"]),
    lanes(f"SELECT {ONE} AS time, 'x' AS metric, 1 AS value UNION SELECT {TWO}, 'x', 1 ORDER BY 1"),
    panel("bargauge", "SELECT 'CP-1' AS name, 3.5 AS power_w"),
    panel(
        "heatmap", f"SELECT {ONE} AS time, '01' AS metric, 1 AS n UNION SELECT {ONE}, '02', 0 ORDER BY 1, 2"
    ),
    panel("table", "SELECT 'CP-1' AS charge_point_id", ["charge_point_id"]),
]
BAD = {
    "time under another name": panel("timeseries", f"SELECT {ONE} AS at, 1 AS a"),
    "time in capitals": panel("timeseries", f'SELECT {ONE} AS "Time", 1 AS a'),
    "time as text": panel("timeseries", "SELECT '2025-03-01' AS time, 1 AS a"),
    "null time": panel("timeseries", "SELECT NULL::timestamptz AS time, 1 AS a"),
    "no number": panel("timeseries", f"SELECT {ONE} AS time, 'CP-1' AS a"),
    "descending": panel("timeseries", f"SELECT {TWO} AS time, 1 AS a UNION SELECT {ONE}, 2 ORDER BY 1 DESC"),
    "long and descending": panel(
        "timeseries", f"SELECT {TWO} AS time, 'x' AS cp, 1 AS a UNION SELECT {ONE}, 'x', 2 ORDER BY 1 DESC"
    ),
    "an instant twice": panel("timeseries", f"SELECT {ONE} AS time, 1 AS a UNION SELECT {ONE}, 2 ORDER BY 1"),
    "too many series": panel(
        "timeseries", f"SELECT {ONE} AS time, n::text AS cp, n AS a FROM generate_series(1, 21) AS n"
    ),
    "too many instants": panel(
        "timeseries", f"SELECT {ONE} + n * interval '1 ms' AS time, n AS a FROM generate_series(1, 1441) AS n"
    ),
    "after the range": panel("timeseries", f"SELECT {TWO} + interval '1 s' AS time, 1 AS a"),
    "before the range": panel("timeseries", f"SELECT {ONE} - interval '1 day' AS time, 1 AS a"),
    "two instants before the range": panel(
        "timeseries",
        f"SELECT {ONE} - n * interval '2 min' AS time, n AS a FROM generate_series(1, 2) AS n ORDER BY 1",
    ),
    "two columns of one name": panel("timeseries", f"SELECT {ONE} AS time, 1 AS a, 2 AS a"),
    "two rows in a stat": panel("stat", "SELECT n FROM generate_series(1, 2) AS n"),
    "a text in a stat": panel("stat", "SELECT 'online' AS state"),
    "a code without a word": lanes(f"SELECT {TWO} AS time, 'x' AS metric, 7 AS value"),
    "a lane that ends early": lanes(
        f"SELECT {ONE} AS time, 'x' AS metric, 1 AS value UNION SELECT {TWO}, 'y', 1 ORDER BY 1"
    ),
    "two numbers in a bar": panel("bargauge", "SELECT 'CP-1' AS name, 1 AS a, 2 AS b"),
    "too many bars": panel("bargauge", "SELECT n::text AS name, n AS a FROM generate_series(1, 21) AS n"),
    "a cell without a number": panel(
        "heatmap", f"SELECT {ONE} AS time, '01' AS metric, 1 AS n UNION SELECT {TWO}, '02', 0 ORDER BY 1, 2"
    ),
    "one row of cells": panel("heatmap", f"SELECT {ONE} AS time, '01' AS metric, 1 AS n"),
    "cells after the range": panel(
        "heatmap",
        f"SELECT {TWO} + interval '1 s' AS time, n::text AS metric, n FROM generate_series(1, 2) AS n",
    ),
    "a column without a heading": panel("table", "SELECT 1 AS a, 2 AS b", ["a"]),
    "an override of nothing": panel("stat", "SELECT 1 AS online", ["offline"]),
    "a link from nothing": panel(
        "stat", "SELECT 1 AS a", links=[{"url": "/d/x/y?var-cp=${__data.fields.cp:percentencode}"}]
    ),
    "a label of nothing": panel(
        "timeseries", f"SELECT {ONE} AS time, 1 AS a", displayName="${__field.labels.cp}"
    ),
    "an unknown macro": panel("stat", "SELECT $__now()"),
    "wrong SQL": panel("stat", "SELECT 1 FROM nowhere"),
}


@pytest.mark.parametrize("good", GOOD, ids=lambda good: good["targets"][0]["rawSql"][:40])
def test_what_can_be_drawn_passes(connection, good):
    check_panel(connection, good, SPAN, {})


@pytest.mark.parametrize("slip", BAD)
def test_what_cannot_be_drawn_is_named(connection, slip):
    with pytest.raises(AssertionError, match="panel 'Tried'"):
        check_panel(connection, BAD[slip], SPAN, {})


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT {ONE} AS time, {TWO} AS time_end, 'text' AS text, 'a,b' AS tags",
        f"SELECT {TWO} AS time, {ONE} AS timeend, 'text' AS text, 'a,b' AS tags",
        f"SELECT {ONE} AS time, {ONE} AS timeend, '' AS text, 'a,b' AS tags",
        f"SELECT {TWO} + interval '1 s' AS time, {TWO} + interval '2 s' AS timeend, 'x' AS text, 'y' AS tags",
    ],
)
def test_an_annotation_that_is_no_region_of_the_range_is_seen(connection, sql):
    annotation = {"name": "Tried", "target": {"rawSql": sql, "format": "table"}}
    with pytest.raises(AssertionError, match="Tried"):
        check_annotation(connection, annotation, SPAN, {})


def test_a_variable_may_show_another_text_than_its_value(connection):
    shown = {"name": "anomaly", "query": """SELECT 'x' AS "__value", 'the first' AS "__text\""""}
    assert check_variable(connection, shown, {}) == ["x"]
    with pytest.raises(AssertionError, match="anomaly"):
        check_variable(connection, {"name": "anomaly", "query": "SELECT 'x' AS id, 'the first' AS shown"}, {})


def test_a_variable_of_numbers_is_seen(connection):
    with pytest.raises(AssertionError, match="connector"):
        check_variable(connection, {"name": "connector", "query": "SELECT 1"}, {})
