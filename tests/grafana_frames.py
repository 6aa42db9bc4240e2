"""Run a panel's query as Grafana does and check what comes back against what its panel type can draw.

`check_dashboard`, and `check_panel`, `check_annotation` and `check_variable` of which it is made, take any
connection to a MemoryBank's database, best as `grafana_reader`; they raise AssertionError naming the panel,
and return what would be shown.
"""

import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from grafana.variables import drawn

from grafana_sql import Range, RefusedByGrafana, Values, expand

GRAFANA = Path(__file__).parent.parent / "grafana"
MOST_SERIES = 20
MOST_ROWS = 1000
MOST_CELLS_UP = 24

_NUMBERS = {20, 21, 23, 700, 701, 1700}  # int8, int2, int4, float4, float8, numeric
_TIMES = {1082, 1114, 1184}  # date, timestamp, timestamptz
_BOOL = 16
_FIELD_OF_ROW = re.compile(r"\$\{__data\.fields\.(\w+)")
_LABEL_OF_SERIES = re.compile(r"\$\{__field\.labels\.(\w+)")

Json = dict[str, Any]


@dataclass
class Field:
    """A column of a frame; `labels` tell the series of one query apart."""

    name: str
    kind: str
    values: list[Any] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass
class Frame:
    """What a query gave: `columns` as PostgreSQL has them, `fields` as a panel gets them (no rows: none)."""

    columns: list[str]
    fields: list[Field]

    @property
    def rows(self) -> int:
        return len(self.fields[0].values) if self.fields else 0

    def of_kind(self, kind: str) -> list[Field]:
        return [one for one in self.fields if one.kind == kind]


def dashboards() -> dict[str, Json]:
    """Return the committed dashboards by file name, the very files that Grafana reads."""
    return {
        path.stem: json.loads(path.read_bytes()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
    }


def check_dashboard(
    connection: psycopg.Connection[Any], dashboard: Json, span: Range, variables: Values
) -> dict[str, Frame]:
    """Check all queries of a dashboard and return the frame of each panel by its title."""
    for annotation in dashboard["annotations"]["list"]:
        check_annotation(connection, annotation, span, variables)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            check_variable(connection, variable, variables, span)
    return {panel["title"]: check_panel(connection, panel, span, variables) for panel in dashboard["panels"]}


def check_panel(connection: psycopg.Connection[Any], panel: Json, span: Range, variables: Values) -> Frame:
    """Run the panel's query and return its frame, or raise AssertionError: what would be shown wrong."""
    (target,) = panel["targets"]
    span, points, every_s = drawn(panel, span)
    try:
        frame = run(connection, target, span, variables, every_s)
        _check_overrides(panel, frame)
        _check_links(panel, frame)
        if frame.rows:
            _RULES[panel["type"]](panel, frame, span, points)
    except (AssertionError, RefusedByGrafana, psycopg.Error) as error:
        raise AssertionError(f"panel {panel['title']!r}: {error}") from error
    return frame


def check_annotation(
    connection: psycopg.Connection[Any], annotation: Json, span: Range, variables: Values
) -> Frame:
    """Run an annotation's query and return its frame: regions of time with a text and tags."""
    frame = run(connection, annotation["target"], span, variables, every_s=1)
    assert frame.columns == ["time", "timeend", "text", "tags"], annotation["name"]
    if frame.rows:
        begins, ends, texts, tags = frame.fields
        assert [one.kind for one in frame.fields] == ["time", "time", "string", "string"], annotation["name"]
        for begin, end, text, tag in zip(begins.values, ends.values, texts.values, tags.values, strict=True):
            assert begin <= end, annotation["name"]
            assert begin <= span.end, annotation["name"]
            assert end >= span.start, annotation["name"]
            assert text, annotation["name"]
            assert tag, annotation["name"]
    return frame


def check_variable(
    connection: psycopg.Connection[Any], variable: Json, variables: Values, span: Range | None = None
) -> list[str]:
    """Run a variable's query and return the values to choose from: its column, or the one called __value."""
    now = datetime.now(UTC)
    cursor = connection.execute(expand(variable["query"], span or Range(now, now), variables, every_s=1))
    names, rows = [column.name for column in cursor.description or []], cursor.fetchall()
    assert len(names) == 1 or names == ["__value", "__text"], variable["name"]
    assert all(isinstance(text, str) and text for row in rows for text in row), variable["name"]
    return [row[0] for row in rows]


def run(
    connection: psycopg.Connection[Any], target: Json, span: Range, variables: Values, every_s: float
) -> Frame:
    """Return the frame of a target, as the data source makes it."""
    return framed(connection, expand(target["rawSql"], span, variables, every_s), target["format"])


def framed(connection: psycopg.Connection[Any], sql: str, form: str) -> Frame:
    """Return the frame that SQL gives, without variables and macros, as `time_series` or `table`."""
    cursor = connection.execute(sql)
    description = cursor.description or []
    names = [column.name for column in description]
    assert len(set(names)) == len(names), f"two columns of one name in {names}"
    rows = cursor.fetchall()
    if not rows:
        return Frame(names, [])
    fields = [
        Field(column.name, _kind(column.type_code), [row[index] for row in rows])
        for index, column in enumerate(description)
    ]
    for one in fields:
        if one.name in ("time", "timeend"):
            _to_time(one)
    if form == "time_series":
        fields = _wide(fields)
    return Frame(names, fields)


def _kind(type_code: int) -> str:
    if type_code in _NUMBERS:
        return "number"
    if type_code in _TIMES:
        return "time"
    return "bool" if type_code == _BOOL else "string"


def _to_time(one: Field) -> None:
    if one.kind == "number":  # $__timeGroup gives seconds since 1970
        one.values = [
            None if value is None else datetime.fromtimestamp(float(value), UTC) for value in one.values
        ]
        one.kind = "time"
    assert one.kind == "time", f"column {one.name!r} is no time"


def _wide(fields: list[Field]) -> list[Field]:
    """Return one field a series; text columns tell the series apart and become their labels."""
    time = next((one for one in fields if one.name == "time"), None)
    assert time is not None, f"a time series without a column `time`: {[one.name for one in fields]}"
    assert None not in time.values, "a time series with a null time"
    texts = [one for one in fields if one.kind == "string"]
    numbers = [one for one in fields if one.kind in ("number", "bool")]
    assert numbers, "a time series without a number"
    if not texts:
        return [time, *(Field(one.name, "number", one.values) for one in numbers)]
    assert time.values == sorted(time.values), "a time series that is not ascending"
    instants = sorted(set(time.values))
    place = {at: index for index, at in enumerate(instants)}
    series: dict[tuple[str, tuple[Any, ...]], list[Any]] = defaultdict(lambda: [None] * len(instants))
    for row, at in enumerate(time.values):
        factors = tuple(text.values[row] for text in texts)
        for one in numbers:
            series[one.name, factors][place[at]] = one.values[row]
    wide = [Field("time", "time", instants)]
    for (name, factors), values in series.items():
        labels = dict(zip([text.name for text in texts], factors, strict=True))
        if list(labels) == ["metric"]:  # since of old the series is then called so
            name, labels = labels["metric"], {}  # noqa: PLW2901 - the name changes here
        wide.append(Field(name, "number", values, labels))
    return wide


def _check_overrides(panel: Json, frame: Frame) -> None:
    names = set(frame.columns) | {one.name for one in frame.fields}
    for override in panel["fieldConfig"]["overrides"]:
        assert override["matcher"]["id"] == "byName"
        wanted = override["matcher"]["options"]
        lanes_unknown = "metric" in frame.columns and not frame.rows
        assert wanted in names or lanes_unknown, (
            f"an override for {wanted!r}, which is none of {sorted(names)}"
        )


def _check_links(panel: Json, frame: Frame) -> None:
    text = json.dumps(panel["fieldConfig"])
    for name in _FIELD_OF_ROW.findall(text):
        assert panel["type"] != "timeseries", "a series has no row to link from"
        assert name in frame.columns, f"a link uses column {name!r}, which is none of {frame.columns}"
    for name in _LABEL_OF_SERIES.findall(text):
        labels = {label for one in frame.fields for label in one.labels}
        assert name in labels or not frame.rows, (
            f"a link uses label {name!r}, which is none of {sorted(labels)}"
        )


def _time_series(panel: Json, frame: Frame, span: Range, points: int) -> None:
    time, *series = frame.fields
    assert time.kind == "time"
    assert series, "no series"
    assert len(series) <= MOST_SERIES, f"{len(series)} series"
    assert all(one.kind == "number" for one in series)
    assert all(early < late for early, late in zip(time.values, time.values[1:], strict=False)), (
        "instants are not ascending"
    )
    assert frame.rows <= 2 * points, f"{frame.rows} instants where {points} can be drawn"
    # A bucket's time is its beginning, so the first one, and no other, may lie before the range.
    width = (span.end - span.start) / points
    is_bars = panel["fieldConfig"]["defaults"].get("custom", {}).get("drawStyle") == "bars"
    slack = max(timedelta(days=1 if is_bars else 0, hours=1), 2 * width)
    assert span.start - slack <= time.values[0], "instants before the time range"
    assert all(span.start <= at for at in time.values[1:]), "instants before the time range"
    assert time.values[-1] <= span.end, "instants after the time range"


def _stat(_: Json, frame: Frame, __: Range, ___: int) -> None:
    assert frame.rows == 1, f"{frame.rows} rows, of which one would be shown"
    assert all(one.kind == "number" for one in frame.fields), "not only numbers"


def _state_timeline(panel: Json, frame: Frame, span: Range, points: int) -> None:
    time, *lanes = frame.fields
    assert len(lanes) <= MOST_SERIES, f"{len(lanes)} lanes"
    assert frame.rows <= 2 * points * len(lanes), f"{frame.rows} instants where {points} can be drawn"
    for lane in lanes:
        known = _mapped_values(panel, lane.name)
        states = [(at, code) for at, code in zip(time.values, lane.values, strict=True) if code is not None]
        unknown = {code for _, code in states} - known
        assert not unknown, f"lane {lane.name!r} {lane.labels} has codes without a word: {sorted(unknown)}"
        # Without a point at its end the last state would not be drawn.
        assert states[-1][0] == time.values[-1], f"lane {lane.name!r} {lane.labels} ends early"
        assert span.start <= states[0][0], f"lane {lane.name!r} {lane.labels} begins before the time range"
    assert time.values[-1] <= max(span.end, datetime.now(UTC))


def _mapped_values(panel: Json, name: str) -> set[float]:
    defaults = panel["fieldConfig"]["defaults"]
    mappings = list(defaults.get("mappings", []))
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == name:
            for entry in override["properties"]:
                if entry["id"] == "mappings":
                    mappings = entry["value"]
    return {float(code) for mapping in mappings if mapping["type"] == "value" for code in mapping["options"]}


def _heatmap(_: Json, frame: Frame, span: Range, points: int) -> None:
    time, *rows = frame.fields
    assert 1 < len(rows) <= MOST_CELLS_UP, f"{len(rows)} rows of cells"
    assert all(one.kind == "number" and None not in one.values for one in rows), "cells without a number"
    assert frame.rows <= points, f"{frame.rows} columns of cells where {points} can be drawn"
    assert all(early < late for early, late in zip(time.values, time.values[1:], strict=False)), (
        "instants are not ascending"
    )
    assert time.values[-1] <= span.end, "cells after the time range"


def _bar_gauge(_: Json, frame: Frame, __: Range, ___: int) -> None:
    assert sorted(one.kind for one in frame.fields) == ["number", "string"], "not a name and a number"
    assert frame.rows <= MOST_SERIES, f"{frame.rows} bars"


def _table(panel: Json, frame: Frame, _: Range, __: int) -> None:
    named = {override["matcher"]["options"] for override in panel["fieldConfig"]["overrides"]}
    assert set(frame.columns) == named, f"columns without a heading: {sorted(set(frame.columns) - named)}"
    assert frame.rows <= MOST_ROWS, f"{frame.rows} rows"


_RULES = {
    "timeseries": _time_series,
    "stat": _stat,
    "state-timeline": _state_timeline,
    "bargauge": _bar_gauge,
    "heatmap": _heatmap,
    "table": _table,
}
