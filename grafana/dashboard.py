"""What all dashboards have in common: place in the grid, variables, links, annotations, the frame."""

from pathlib import Path
from typing import Any

from grafana.fields import column, hidden, link, worded
from grafana.panels import DATA_SOURCE, query
from grafana.words import BENIGN_COLOR, FLEET_NAMED, SEVERITIES, TRUTH_COLOR, Json, by_word

TAG = "chargebench"
WIDTH = 24
CONSOLE = "http://127.0.0.1:8080"
"""Where the console is seen by people; whoever moves it changes this line and generates again."""

FLEET_UID = "chargebench-fleet"
LIVE_UID = "chargebench-live"
ANOMALIES_UID = "chargebench-anomalies"
SESSIONS_UID = "chargebench-sessions"
PATTERNS_UID = "chargebench-patterns"
PIPELINE_UID = "chargebench-pipeline"

MOMENT = "from=${__data.fields.moment_from_ms.numeric}&to=${__data.fields.moment_to_ms.numeric}"
"""The time range of a link to an anomaly's moment, from the row's hidden columns."""

CONNECTOR = column("connector", "Connector", custom_width=90)


def queries(name: str) -> dict[str, str]:
    """Return the queries of grafana/sql/<name>.sql by the names in their `-- name --` lines."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in (Path(__file__).parent / "sql" / f"{name}.sql").read_text(encoding="utf-8").splitlines():
        if line.startswith("-- ") and line.endswith(" --"):
            lines = found[line.removeprefix("-- ").removesuffix(" --")] = []
        else:
            lines.append(line)
    return {query_name: "\n".join(body).strip() for query_name, body in found.items()}


SHARED = queries("shared")


def row(height: int, *panels: tuple[int, Json]) -> list[Json]:
    """Return panels side by side, each given as (width, panel); the widths of a row fill it."""
    if sum(width for width, _ in panels) != WIDTH:
        raise ValueError(f"{[panel['title'] for _, panel in panels]}: the widths are not {WIDTH} in sum")
    placed: list[Json] = []
    x = 0
    for width, panel in panels:
        placed.append(panel | {"gridPos": {"x": x, "y": 0, "w": width, "h": height}})
        x += width
    return placed


def stacked(*rows: list[Json]) -> list[Json]:
    """Return the panels of all rows, one row below the other, numbered from 1."""
    panels: list[Json] = []
    y = 0
    for panels_of_row in rows:
        for panel in panels_of_row:
            panels.append(panel | {"id": len(panels) + 1, "gridPos": panel["gridPos"] | {"y": y}})
        y += panels_of_row[0]["gridPos"]["h"]
    return panels


def live_link(charge_point: str, connector: str | None = None, time: str = "${__url_time_range}") -> Json:
    """Return the link to the charge point's dashboard; the arguments are Grafana expressions."""
    url = f"/d/{LIVE_UID}/charge-point-live?{time}&var-charge_point=${{{charge_point}:percentencode}}"
    if connector:
        url += f"&var-connector=${{{connector}:percentencode}}"
    return link("Watch it live", url)


def patterns_link(charge_point: str) -> Json:
    """Return the link to the charge point's patterns; the argument is a Grafana expression."""
    chosen = f"var-charge_point=${{{charge_point}:percentencode}}"
    return link("Its patterns", f"/d/{PATTERNS_UID}/learned-patterns?${{__url_time_range}}&{chosen}")


def console_link(charge_point: str) -> Json:
    """Return the link to the charge point in the console; the argument is a Grafana expression."""
    url = f"${{console:raw}}/?charge_point=${{{charge_point}:percentencode}}"
    return link("Open it in the console", url, new_tab=True)


def charge_point_column(*links: Json, **properties: Any) -> Json:
    """Return the column of a row's charge point: with these links, and the one to the console."""
    shown = [*links, console_link("__data.fields.charge_point_id")]
    return column("charge_point_id", "Charge point", **properties, mappings=FLEET_NAMED, links=shown)


def place_columns() -> tuple[Json, ...]:
    """Return the columns of where a row's moment was, which lead to it; they need `moment_columns`, too."""
    moment = live_link("__data.fields.charge_point_id", "__data.fields.connector", MOMENT)
    return charge_point_column(moment, custom_width=125), CONNECTOR


def anomaly_links(charge_point: str) -> list[Json]:
    """Return a row's links to its anomaly, by the hidden columns; the argument is a Grafana expression."""
    moment = f"{MOMENT}&var-charge_point=${{{charge_point}:percentencode}}"
    anomaly = "${__data.fields.id:percentencode}"
    return [
        link("Its waveform", f"/d/{ANOMALIES_UID}/anomaly-explorer?{moment}&var-anomaly={anomaly}"),
        link("Open it in the console", f"${{console:raw}}/?anomaly={anomaly}", new_tab=True),
    ]


def anomaly_columns(charge_point: str = "__data.fields.charge_point_id") -> tuple[Json, ...]:
    """Return the columns that every table of anomalies has; the argument is a Grafana expression."""
    return (
        worded("severity", "Severity", by_word(SEVERITIES), custom_width=85),
        column("kind", "Kind", custom_width=225, links=anomaly_links(charge_point)),
        column("deviation", "Deviation", custom_width=85, decimals=1),
        column("score", "Score", custom_width=70, decimals=1),
        column("lasted_s", "Lasted", custom_width=85, unit="s", decimals=0),
        column("state", "State", custom_width=80),
        column("explanation", "Explanation", custom_width=430),
        column("pattern", "Pattern"),
        *moment_columns(),
        hidden("id"),
    )


def moment_columns() -> tuple[Json, ...]:
    """Return the hidden columns that MOMENT reads."""
    return hidden("moment_from_ms"), hidden("moment_to_ms")


def query_variable(name: str, label: str, sql: str, *, many: bool = False, sort: int = 7) -> Json:
    """Return a variable with the values that the query finds; with `many`, several or all can be chosen.

    `sort` 7 is natural, CP-2 before CP-10; 0 is the query's own order.
    """
    variable = {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": DATA_SOURCE,
        "query": sql,
        "definition": sql,
        "refresh": 2,  # with each refresh, so that a charge point shows up when it comes
        "sort": sort,
        "multi": many,
        "includeAll": many,
        "options": [],
    }
    return variable | ({"current": {"text": "All", "value": "$__all"}} if many else {})


def charge_point_variable(*, many: bool, with_fleet: bool = False) -> Json:
    """Return the variable that all dashboards share, so that a choice goes along from one to the other.

    `with_fleet`: what is of all charge points together can be chosen too.
    """
    sql = SHARED["places_to_choose" if with_fleet else "charge_points_to_choose"]
    return query_variable("charge_point", "Charge point", sql, many=many)


def connector_variable() -> Json:
    """Return the variable of the connectors of the charge point chosen."""
    return query_variable("connector", "Connector", SHARED["connectors_to_choose"])


def _console_variable() -> Json:
    return {
        "type": "constant",
        "name": "console",
        "label": "Console",
        "query": CONSOLE,
        "current": {"text": CONSOLE, "value": CONSOLE},
        "hide": 2,
        "skipUrlSync": True,
    }


def annotations(anomalies: str = SHARED["anomaly_annotations"]) -> list[Json]:
    """Return the regions of anomalies, one annotation a severity, and of the ground truth, coloured apart.

    In `anomalies` `:severity` stands where the word goes. Benign scenarios are there to be switched on.
    """
    truth = SHARED["truth_annotations"]
    return [
        *(
            _annotation(
                f"{severity.capitalize()} anomalies",
                color,
                anomalies.replace(":severity", f"'{severity}'"),
            )
            for severity, color in SEVERITIES
        ),
        _annotation("Ground truth", TRUTH_COLOR, truth.replace(":benign", "false")),
        _annotation("Benign scenarios", BENIGN_COLOR, truth.replace(":benign", "true"), shown=False),
    ]


def _annotation(name: str, color: str, sql: str, *, shown: bool = True) -> Json:
    return {
        "name": name,
        "datasource": DATA_SOURCE,
        "enable": shown,
        "hide": False,
        "iconColor": color,
        "target": query(sql, "table"),
    }


def _links(console_path: str) -> list[Json]:
    return [
        {
            "type": "dashboards",
            "title": "Dashboards",
            "tooltip": "All dashboards of the bench; time and charge point stay",
            "icon": "external link",
            "tags": [TAG],
            "asDropdown": True,
            "keepTime": True,
            "includeVars": True,
            "targetBlank": False,
            "url": "",
        },
        {
            "type": "link",
            "title": "Console",
            "tooltip": "The bench's own live page: the graph from the CAN bus, and the scenarios",
            "icon": "bolt",
            "tags": [],
            "asDropdown": False,
            "keepTime": False,
            "includeVars": False,
            "targetBlank": True,
            "url": f"${{console:raw}}{console_path}",
        },
    ]


def dashboard(
    uid: str,
    title: str,
    description: str,
    panels: list[Json],
    *,
    refresh: str,
    time_from: str,
    variables: list[Json],
    annotations: list[Json],
    console_path: str = "/",
) -> Json:
    """Return a whole dashboard as classic JSON; schema 42 is what Grafana 12.2 to 13.2 take from files."""
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": [TAG],
        "schemaVersion": 42,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "browser",
        "time": {"from": time_from, "to": "now"},
        "refresh": refresh,
        "timepicker": {"refresh_intervals": ["1s", "5s", "10s", "30s", "1m", "5m"]},
        "templating": {"list": [*variables, _console_variable()]},
        "annotations": {"list": annotations},
        "links": _links(console_path),
        "panels": panels,
    }
