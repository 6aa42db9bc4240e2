"""The alert rules that Grafana provisions: a number, its last value, a threshold, and where to look then."""

from grafana import anomaly_explorer, fleet_overview, pipeline_health
from grafana.dashboard import queries
from grafana.panels import DATA_SOURCE, query
from grafana.words import Json

FOLDER = "ChargeBench alerts"
"""Not the dashboards' folder: here a folder is known by its title alone, and a second one with the title of
theirs, but another uid, could come into being before theirs."""
EVERY = "10s"
"""The shortest that Grafana evaluates by default."""
SQL = queries("alerts")

_EXPRESSIONS: Json = {"type": "__expr__", "uid": "__expr__"}
_LOOKS_BACK_S = 600
"""Grafana wants a range; the queries ask for now."""


def _rule(
    uid: str,
    title: str,
    sql: str,
    *,
    above: float,
    lasts: str,
    severity: str,
    summary: str,
    description: str,
    dashboard: Json,
    panel: str,
) -> Json:
    (panel_id,) = [one["id"] for one in dashboard["panels"] if one["title"] == panel]
    reduced = {
        "refId": "B",
        "type": "reduce",
        "datasource": _EXPRESSIONS,
        "expression": "A",
        "reducer": "last",
    }
    threshold = {
        "refId": "C",
        "type": "threshold",
        "datasource": _EXPRESSIONS,
        "expression": "B",
        "conditions": [{"evaluator": {"type": "gt", "params": [above]}}],
    }
    asked = query(sql, "time_series") | {"intervalMs": 1000, "maxDataPoints": 100}
    return {
        "uid": uid,
        "title": title,
        "condition": "C",
        "data": [
            _step(str(DATA_SOURCE["uid"]), asked, _LOOKS_BACK_S),
            _step("__expr__", reduced),
            _step("__expr__", threshold),
        ],
        "for": lasts,
        # Every query gives a number, and a database that cannot be asked proves nothing: both are told under
        # names of their own (DatasourceNoData, DatasourceError), not as if the rule held.
        "noDataState": "NoData",
        "execErrState": "Error",
        "dashboardUid": dashboard["uid"],
        "panelId": panel_id,
        "labels": {"severity": severity, "bench": "chargebench"},
        "annotations": {
            "summary": summary,
            "description": description,
            # By these the pages of Grafana show the way.
            "__dashboardUid__": dashboard["uid"],
            "__panelId__": str(panel_id),
        },
    }


def _step(source: str, model: Json, looks_back_s: int = 0) -> Json:
    return {
        "refId": model["refId"],
        "datasourceUid": source,
        "relativeTimeRange": {"from": looks_back_s, "to": 0},
        "model": model,
    }


def rules() -> list[Json]:
    """Return the three rules."""
    return [
        _rule(
            "chargebench-no-measurement",
            "No measurement for 2 minutes",
            SQL["silence"],
            above=120,
            # A bench that was off for a night is connected again a moment before its first reading.
            lasts="30s",
            severity="critical",
            summary="No charge point has measured anything for {{ humanizeDuration .Values.B.Value }}",
            description="Charge points are connected, yet no reading of any of them is in the memory: the "
            "charger modules, the MQTT broker or the MemoryBank have stopped. Pipeline health shows the "
            "services and the age of readings.",
            dashboard=fleet_overview.dashboard(),
            panel="Age of readings",
        ),
        _rule(
            "chargebench-ingest-lag",
            "Ingest lag over 10 seconds",
            SQL["lag"],
            above=10,
            # What a charge point kept while it was cut off comes late by nature, and is over soon.
            lasts="30s",
            severity="warning",
            summary="What happens is in the memory {{ humanizeDuration .Values.B.Value }} later",
            description="Dashboards and detectors are behind by so much. The MemoryBank is stopped, or the "
            "database does not keep up: Pipeline health shows what waits.",
            dashboard=pipeline_health.dashboard(),
            panel="Lag over time",
        ),
        _rule(
            "chargebench-critical-anomaly",
            "Critical anomaly open",
            SQL["critical"],
            above=0,
            lasts="0s",
            severity="critical",
            summary="Critical anomalies going on: {{ .Values.B.Value }}",
            description="The anomaly explorer lists them, with the way to the moment, the waveform and "
            "earlier ones like it. On a bench that lives the base scenario this is as it should be.",
            dashboard=anomaly_explorer.dashboard(),
            panel="Anomalies",
        ),
    ]


def provisioning() -> Json:
    """Return the whole provisioning file."""
    group = {"orgId": 1, "name": "ChargeBench", "folder": FOLDER, "interval": EVERY, "rules": rules()}
    return {"apiVersion": 1, "groups": [group]}
