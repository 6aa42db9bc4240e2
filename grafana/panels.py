"""One function per panel type: words, a query and a unit in, Grafana's classic panel JSON out.

Every panel must say what it shows (title, description), in which unit, and in words why it can be empty
(`empty`, Grafana's noValue). Where it stands in the grid is dashboard.py's business.
"""

from typing import Any, Literal

from grafana.fields import NO_VALUE
from grafana.words import Json

GRAFANA_VERSION = "13.1.3"
"""The version whose panel options are written here, so that no migration changes them at load."""
DATA_SOURCE: Json = {"type": "grafana-postgresql-datasource", "uid": "chargebench-postgres"}
LANES = 20
"""The most series, lanes or bars that one panel draws; the SQL keeps to it."""
GAP_MS = 5_000
"""A line is drawn over a silence up to so long: readings come every second, give or take, so that a bucket of
a second can be empty though nothing was lost."""

Format = Literal["time_series", "table"]


def query(sql: str, form: Format) -> Json:
    """Return a target for the PostgreSQL data source."""
    return {
        "refId": "A",
        "datasource": DATA_SOURCE,
        "format": form,
        "editorMode": "code",
        "rawQuery": True,
        "rawSql": sql,
    }


def _panel(
    kind: str,
    title: str,
    description: str,
    target: Json,
    *,
    unit: str,
    empty: str,
    options: Json,
    custom: Json | None = None,
    defaults: Json | None = None,
    overrides: tuple[Json, ...] = (),
    time_from: str | None = None,
    interval: str | None = None,
    points: int | None = None,
) -> Json:
    field: Json = {
        "unit": unit,
        "noValue": empty,
        **(defaults or {}),
        **({"custom": custom} if custom else {}),
    }
    panel: Json = {
        "type": kind,
        "title": title,
        "description": description,
        "pluginVersion": GRAFANA_VERSION,
        "datasource": DATA_SOURCE,
        "targets": [target],
        "fieldConfig": {"defaults": field, "overrides": list(overrides)},
        "options": options,
    }
    if time_from:
        panel |= {"timeFrom": time_from, "hideTimeOverride": True}
    if points:
        panel |= {"maxDataPoints": points}
    return panel | ({"interval": interval} if interval else {})


def _legend(*calculations: str, beside: bool = False, by: str | None = None) -> Json:
    return {
        "showLegend": True,
        "displayMode": "table" if calculations else "list",
        "placement": "right" if beside else "bottom",
        "calcs": list(calculations),
        **({"sortBy": by, "sortDesc": True} if by else {}),
    }


_TOOLTIP: Json = {"mode": "multi", "sort": "desc"}


def _quiet(override: Json) -> Json:
    """Return the override of a series that has no words of its own for where it is missing."""
    return override | {"properties": [{"id": "noValue", "value": NO_VALUE}, *override["properties"]]}


def stat(
    title: str,
    description: str,
    sql: str,
    *,
    unit: str,
    empty: str,
    overrides: tuple[Json, ...] = (),
    time_from: str | None = None,
    **field: Any,
) -> Json:
    """One row of numbers, each large; several are named. `field`: thresholds, mappings, color, decimals …."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    }
    return _panel(
        "stat",
        title,
        description,
        query(sql, "table"),
        unit=unit,
        empty=empty,
        options=options,
        defaults=field,
        overrides=overrides,
        time_from=time_from,
    )


def time_series(
    title: str,
    description: str,
    sql: str,
    *,
    unit: str,
    empty: str,
    style: Literal["lines", "stacked", "bars"] = "lines",
    legend: tuple[str, ...] = ("lastNotNull", "min", "mean", "max"),
    beside: bool = False,
    by: str | None = None,
    overrides: tuple[Json, ...] = (),
    time_from: str | None = None,
    interval: str | None = None,
    points: int | None = None,
    **field: Any,
) -> Json:
    """Series over time: at most LANES of them, ascending, numbers only.

    `legend`: what it tells of each, `beside` the curves or below them, sorted `by` the name of one of these.
    `points` bounds the instants, where each is wide: bars.
    """
    custom = {
        "drawStyle": "bars" if style == "bars" else "line",
        "lineInterpolation": "linear",
        "lineWidth": 0 if style == "bars" else 1,  # else a bar of height 0 is a dash
        "fillOpacity": {"lines": 0, "stacked": 40, "bars": 80}[style],
        "gradientMode": "none",
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": GAP_MS,
        "barAlignment": 1,  # a bucket's time is its beginning
        "axisPlacement": "auto",
        "axisLabel": "",
        "stacking": {"mode": "none" if style == "lines" else "normal", "group": "A"},
    }
    return _panel(
        "timeseries",
        title,
        description,
        query(sql, "time_series"),
        unit=unit,
        empty=empty,
        options={"legend": _legend(*legend, beside=beside, by=by), "tooltip": _TOOLTIP},
        custom=custom,
        defaults=field,
        overrides=tuple(_quiet(one) for one in overrides),
        time_from=time_from,
        interval=interval,
        points=points,
    )


def state_timeline(
    title: str,
    description: str,
    sql: str,
    *,
    empty: str,
    mappings: list[Json],
    points: int,
    overrides: tuple[Json, ...] = (),
    **field: Any,
) -> Json:
    """A lane per series; codes shown as words by `mappings`. The SQL carries the last state to the end.

    `points`: pixels of a lane at most, since the SQL looks each of them up.
    """
    options = {
        "legend": _legend(),
        "tooltip": _TOOLTIP,
        "rowHeight": 0.8,
        "showValue": "auto",
        "alignValue": "left",
        "mergeValues": True,
    }
    return _panel(
        "state-timeline",
        title,
        description,
        query(sql, "time_series"),
        unit="none",
        empty=empty,
        options=options,
        # One lane's change leaves nulls in all others.
        custom={"lineWidth": 0, "fillOpacity": 75, "spanNulls": True},
        defaults={"mappings": mappings, **field},
        overrides=overrides,
        points=points,
    )


def bar_gauge(title: str, description: str, sql: str, *, unit: str, empty: str, **field: Any) -> Json:
    """A bar per row of one text and one number."""
    options = {
        "reduceOptions": {"calcs": [], "fields": "", "values": True, "limit": LANES},
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        "orientation": "horizontal",
        "displayMode": "basic",
        "valueMode": "text",
        "namePlacement": "left",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 40,
    }
    return _panel(
        "bargauge",
        title,
        description,
        query(sql, "table"),
        unit=unit,
        empty=empty,
        options=options,
        defaults=field,
    )


def heatmap(title: str, description: str, sql: str, *, unit: str, empty: str) -> Json:
    """Cells counted already: a column per instant, a row per series: the query's first at the bottom."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": unit},
        "color": {
            "mode": "scheme",
            "scheme": "Blues",
            "scale": "exponential",
            "exponent": 0.5,
            "fill": "blue",
            "steps": 64,
            "reverse": False,
        },
        "exemplars": {"color": "purple"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto", "value": title},
        "showValue": "never",
        "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False},
    }
    return _panel(
        "heatmap",
        title,
        description,
        query(sql, "time_series"),
        unit=unit,
        empty=empty,
        options=options,
        custom={"hideFrom": {"viz": False, "legend": False, "tooltip": False}},
    )


def table(
    title: str,
    description: str,
    sql: str,
    *,
    empty: str,
    overrides: tuple[Json, ...],
) -> Json:
    """Rows and columns; the unit of each column stands in its override."""
    options = {"frameIndex": 0, "showHeader": True, "cellHeight": "sm"}
    custom = {"align": "auto", "cellOptions": {"type": "auto"}, "inspect": False}
    return _panel(
        "table",
        title,
        description,
        query(sql, "table"),
        unit="none",
        empty=empty,
        options=options,
        custom=custom,
        overrides=overrides,
    )
