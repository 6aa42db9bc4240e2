"""What Grafana's front end makes of a dashboard's query before the server gets it: variables and intervals.

The rules are those of Grafana 13. Only what the bench's dashboards use is known here: anything else is
refused, so that a new form is looked up before it is relied on. Macros (`$__timeFilter(…)`) are left alone:
the PostgreSQL data source expands them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from grafana.words import Json

POINTS_PER_COLUMN = 60
"""About so many pixels, hence data points, has one of the grid's 24 columns on a wide screen."""
LEAST_INTERVAL = "1s"
"""The data source's jsonData.timeInterval."""

Values: TypeAlias = Mapping[str, str | list[str]]
"""The variables of a dashboard: one value, or, where several can be chosen, a list (all: every option)."""

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?:\.[^:}]+)?(?::([^}]+))?\}")
_DURATION = re.compile(r"(\d+)(ms|[smhdw])")
_UNITS_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_ESCAPES = {"'": "''", '"': '\\"'}

# ($__interval in ms, and the quotient below which it is taken)
_INTERVALS_MS = (
    (1, 10),
    (10, 15),
    (20, 35),
    (50, 75),
    (100, 150),
    (200, 350),
    (500, 750),
    (1_000, 1_500),
    (2_000, 3_500),
    (5_000, 7_500),
    (10_000, 12_500),
    (15_000, 17_500),
    (20_000, 25_000),
    (30_000, 45_000),
    (60_000, 90_000),
    (120_000, 210_000),
    (300_000, 450_000),
    (600_000, 750_000),
    (900_000, 1_050_000),
    (1_200_000, 1_500_000),
    (1_800_000, 2_700_000),
    (3_600_000, 5_400_000),
    (7_200_000, 9_000_000),
    (10_800_000, 16_200_000),
    (21_600_000, 32_400_000),
    (43_200_000, 86_400_000),
    (86_400_000, 604_800_000),
)


class RefusedByGrafana(Exception):  # noqa: N818 - what Grafana would show instead of the panel
    """What Grafana would not run, or would run as something else than was meant."""


@dataclass(frozen=True, slots=True)
class Range:
    """A dashboard's time range; `live` ends now, so that a panel's own relative time applies."""

    start: datetime
    end: datetime
    live: bool = True

    def for_panel(self, time_from: str | None) -> "Range":
        """Return the range that a panel with this `timeFrom` has."""
        if time_from is None or not self.live:
            return self
        if time_from == "now/d":
            return Range(self.end.replace(hour=0, minute=0, second=0, microsecond=0), self.end)
        return Range(self.end - timedelta(seconds=duration_s(time_from)), self.end)


def duration_s(text: str) -> float:
    """Return the seconds of e.g. `500ms`, `1s`, `30m`, `24h`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise RefusedByGrafana(f"{text!r} is no interval")
    return int(match[1]) * _UNITS_S[match[2]]


def interval_s(span: Range, max_data_points: int, least: str) -> float:
    """Return $__interval: the range by the points that fit, rounded, not under `least`."""
    quotient_ms = (span.end - span.start) / timedelta(milliseconds=1) / max_data_points
    rounded_ms = next((interval for interval, below in _INTERVALS_MS if quotient_ms < below), 604_800_000)
    return max(rounded_ms / 1000, duration_s(least))


def drawn(panel: Json, span: Range) -> tuple[Range, int, float]:
    """Return what a panel asks for within a dashboard's range: its own range, the points, $__interval."""
    own = span.for_panel(panel.get("timeFrom"))
    points: int = panel.get("maxDataPoints", panel["gridPos"]["w"] * POINTS_PER_COLUMN)
    return own, points, interval_s(own, points, panel.get("interval", LEAST_INTERVAL))


def with_variables(sql: str, variables: Values, every_s: float) -> str:
    """Return the SQL that the server gets, $__interval being `every_s`; raises RefusedByGrafana."""

    def replaced(match: re.Match[str]) -> str:
        name, form = match[1] or match[2], match[3]
        if name == "__interval":
            return f"{every_s:g}s" if every_s >= 1 else f"{every_s * 1000:g}ms"
        if name == "__interval_ms":
            return f"{every_s * 1000:.0f}"
        if name.startswith("__"):
            return match[0]  # a macro, the data source's business
        if name not in variables:
            raise RefusedByGrafana(f"no variable {name!r}")
        if form != "sqlstring":
            raise RefusedByGrafana(f"{match[0]} in SQL without :sqlstring is open to injection")
        return _sqlstring(variables[name])

    return _VARIABLE.sub(replaced, sql)


def _sqlstring(value: str | list[str]) -> str:
    # Several values are joined by commas; none at all (nothing to choose from) leaves nothing.
    values = [value] if isinstance(value, str) else value
    return ",".join("'" + re.sub("['\"]", lambda found: _ESCAPES[found[0]], one) + "'" for one in values)
