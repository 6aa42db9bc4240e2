"""Macros, intervals and variables are expanded as Grafana does, or refused."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grafana_sql import Range, RefusedByGrafana, expand, interval_s

END = datetime(2025, 3, 1, 12, 0, 0, 250_000, UTC)
FIVE_MINUTES = Range(END - timedelta(minutes=5), END)
MONTH = Range(END - timedelta(days=30), END)
ONE = {"cp": "CP-1"}


def expanded(sql, variables=ONE, every_s=1.0):
    return expand(sql, FIVE_MINUTES, variables, every_s)


def test_time_filter_is_between_two_instants_in_utc():
    assert (
        expanded("WHERE $__timeFilter(at)")
        == "WHERE at BETWEEN '2025-03-01T11:55:00.25Z' AND '2025-03-01T12:00:00.25Z'"
    )


def test_time_from_is_a_bare_literal():
    assert expanded("$__timeFrom()::timestamptz") == "'2025-03-01T11:55:00.25Z'::timestamptz"


@pytest.mark.parametrize(("every_s", "text"), [(0.05, "50"), (1, "1000"), (86_400, "86400000")])
def test_the_interval_in_milliseconds_is_a_whole_number(every_s, text):
    """A bigint for PostgreSQL, however long."""
    assert expanded("$__interval_ms", every_s=every_s) == text


def test_time_group_floors_to_the_interval():
    assert (
        expanded("$__timeGroup(at, $__interval) AS s", every_s=30)
        == "floor(extract(epoch from at)/30)*30 AS s"
    )


def test_time_group_before_a_comma_gets_the_alias():
    assert expanded("$__timeGroup(at, '1h'), x").endswith('*3600 AS "time", x')


def test_time_group_takes_a_fill_value():
    assert expanded("$__timeGroupAlias(at,'1m',0)") == 'floor(extract(epoch from at)/60)*60 AS "time"'


@pytest.mark.parametrize(
    ("span", "points", "least", "expected_s"),
    [
        (FIVE_MINUTES, 1000, "1s", 1),
        (FIVE_MINUTES, 1000, "5s", 5),
        (FIVE_MINUTES, 100, "1s", 2),
        (MONTH, 1000, "1s", 1800),
        (MONTH, 1, "1s", 604_800),
    ],
)
def test_interval_is_the_range_by_the_points_rounded_and_not_below_the_least(span, points, least, expected_s):
    assert interval_s(span, points, least) == expected_s


@pytest.mark.parametrize(
    ("chosen", "literal"),
    [
        ("CP-1", "'CP-1'"),
        (["CP-1", "O'Brien"], "'CP-1','O''Brien'"),
        ([], ""),
        ("", "''"),
        ('a"b', "'a\\\"b'"),
    ],
)
def test_sqlstring_quotes_and_joins(chosen, literal):
    assert expanded("ARRAY[${cp:sqlstring}]", {"cp": chosen}) == f"ARRAY[{literal}]"


@pytest.mark.parametrize(
    "sql",
    [
        "$__timeShift(at)",
        "$__timeGroup(at)",
        "$__timeGroup(at, soon) x",
        "$__timeFilter(coalesce(at, now()))",
        "${other:sqlstring}",
        "WHERE x = '$cp'",
        "WHERE x = ${cp}",
        "WHERE x IN (${cp:csv})",
    ],
)
def test_what_grafana_would_not_run_as_meant_is_refused(sql):
    with pytest.raises(RefusedByGrafana):
        expanded(sql)


@pytest.mark.parametrize(("time_from", "hours"), [("24h", 24), ("now/d", 12 + 0.25 / 3600), (None, 5 / 60)])
def test_a_panels_own_relative_time_replaces_the_dashboards(time_from, hours):
    span = FIVE_MINUTES.for_panel(time_from)
    assert span.end - span.start == timedelta(hours=hours)


def test_a_range_of_the_past_keeps_a_panels_relative_time_away():
    assert Range(FIVE_MINUTES.start, END, live=False).for_panel("24h").start == FIVE_MINUTES.start


@given(st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=40))
def test_a_value_never_leaves_its_literal(name):
    literal = expanded("${cp:sqlstring}", {"cp": name})
    assert literal[1:-1].replace("''", "'") == name
    assert "'" not in literal[1:-1].replace("''", "")
