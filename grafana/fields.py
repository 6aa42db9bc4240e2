"""What a panel says of its fields: colours, thresholds, links, the headings of columns."""

from typing import Any

from grafana.words import QUIET, SEVERITIES, Json

NO_VALUE = "—"
"""In a cell or a legend: the panel's own words say why it is empty as a whole."""
INSTANT = "time:YYYY-MM-DD HH:mm:ss"
"""Grafana's unit for an instant without milliseconds."""


def steps(*steps: tuple[float | None, str]) -> Json:
    """Return thresholds: from each value (None: from minus infinity) upwards its colour."""
    return {"mode": "absolute", "steps": [{"value": value, "color": color} for value, color in steps]}


BY_THRESHOLD: Json = {"mode": "thresholds"}
"""The colour of the highest threshold that a value reaches."""
DASHED: Json = {"fill": "dash", "dash": [8, 6]}
BAND: Json = {
    "color": {"mode": "fixed", "fixedColor": "green"},
    "custom_lineWidth": 0,
    "custom_showPoints": "never",
    "custom_hideFrom": {"viz": False, "legend": True, "tooltip": False},
}
"""For the edges of a band; the upper one fills down to the lower."""
FRESHNESS = steps((None, "green"), (5, "orange"), (60, "red"))
"""For the age of a reading in seconds; readings come every second."""


def fixed(color: str) -> Json:
    """Return a fixed colour."""
    return {"mode": "fixed", "fixedColor": color}


def link(title: str, url: str, *, new_tab: bool = False) -> Json:
    """Return a data link."""
    return {"title": title, "url": url, "targetBlank": new_tab}


def override(column: str, **properties: Any) -> Json:
    """Return an override for one column or series; `custom_x=…` sets the panel type's option `custom.x`."""
    return {
        "matcher": {"id": "byName", "options": column},
        "properties": [
            {"id": key.replace("custom_", "custom.", 1), "value": value} for key, value in properties.items()
        ],
    }


def counts_by_severity() -> tuple[Json, ...]:
    """Return the overrides of numbers of anomalies, one a severity: each has its colour from 1 on."""
    return tuple(
        override(severity, thresholds=steps((None, QUIET), (1, color))) for severity, color in SEVERITIES
    )


def column(name: str, shown: str, **properties: Any) -> Json:
    """Return a table column's override with the heading people read; `custom_width`: its pixels."""
    return override(name, displayName=shown, noValue=NO_VALUE, **properties)


def instant(name: str, shown: str, **properties: Any) -> Json:
    """Return the override of a column of times."""
    return column(name, shown, unit=INSTANT, custom_width=160, **properties)


def worded(name: str, shown: str, mappings: list[Json], **properties: Any) -> Json:
    """Return the override of a column whose words are coloured by `mappings`."""
    return column(name, shown, mappings=mappings, custom_cellOptions={"type": "color-text"}, **properties)


def hidden(name: str) -> Json:
    """Return the override of a column that only links use."""
    return override(name, custom_hideFrom={"viz": True, "legend": True, "tooltip": True})
