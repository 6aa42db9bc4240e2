"""The dashboards on a bench that runs: what each panel would show at this moment."""

from datetime import UTC, datetime
from typing import Any

import psycopg
from grafana.running import opened_at

from bench_process import BenchProcess
from grafana_frames import Frame, check_dashboard, check_variable, dashboards
from grafana_sql import Range, Values

OF_ONE = ("charge-point-live", "learned-patterns")
"""Dashboards on which one charge point is chosen; on the others several or all."""


NOT_LEARNED_YET = {
    "What is usual of clean sessions": (
        "No clean session of this connector was learned yet: it takes one without an anomaly near it"
    ),
    "Versions of what is learned": "Nothing was learned yet",
}
"""Of a run of minutes: a session is learned ten minutes after its end."""


def has_nothing(frame: Frame) -> bool:
    """Return whether the panel shows its words (noValue): no row, or no value in it."""
    return not frame.rows or all(value is None for one in frame.fields for value in one.values)


def variables(
    connection: psycopg.Connection[Any], name: str, charge_point_ids: list[str], span: Range
) -> Values:
    """Return what is chosen on a dashboard; of the anomalies the newest, as Grafana does by itself."""
    if name in OF_ONE:
        return {"charge_point": charge_point_ids[0], "connector": "1"}
    if name != "anomaly-explorer":
        return {"charge_point": charge_point_ids}
    listed = dashboards()[name]["templating"]["list"]
    (anomaly,) = [variable for variable in listed if variable["name"] == "anomaly"]
    known = check_variable(connection, anomaly, {"charge_point": charge_point_ids}, span)
    return {"charge_point": charge_point_ids, "anomaly": known[0] if known else ""}


def reader_url(bench: BenchProcess) -> str:
    """Return the bench's database as Grafana's own role."""
    return (
        f"postgresql://grafana_reader:{bench.secrets['grafana_reader']}"
        f"@127.0.0.1:{bench.described['postgres_port']}/chargebench"
    )


def empty_panels(bench: BenchProcess, charge_point_ids: list[str]) -> dict[str, dict[str, str]]:
    """Check every panel as it is when its dashboard is opened now; return the words of those without data.

    By dashboard and title. On dashboards of one charge point it is the first of `charge_point_ids`.
    """
    found: dict[str, dict[str, str]] = {}
    with psycopg.connect(reader_url(bench), autocommit=True) as connection:
        for name, dashboard in dashboards().items():
            span = opened_at(dashboard, datetime.now(UTC))
            frames = check_dashboard(
                connection, dashboard, span, variables(connection, name, charge_point_ids, span)
            )
            words = {
                panel["title"]: panel["fieldConfig"]["defaults"]["noValue"]
                for panel in dashboard["panels"]
                if has_nothing(frames[panel["title"]])
            }
            if words:
                found[name] = words
    return found
