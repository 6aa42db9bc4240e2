"""What a running Grafana is asked, and what its answers mean: of each dashboard every query, as it is drawn.

Nothing is changed there.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from chassis.grafana_link import Answer, GrafanaAway, GrafanaError, GrafanaLink, GrafanaRefused, Health
from grafana.panels import DATA_SOURCE
from grafana.variables import Range, RefusedByGrafana, Values, drawn, duration_s, with_variables
from grafana.words import Json

NOTHING_TO_MARK = "nothing to mark in this time range"

State: TypeAlias = Literal["ok", "empty", "failed"]

_POINTS = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thing that was checked; `why` says in words why it is empty or failed."""

    kind: str
    title: str
    state: State
    why: str = ""
    rows: int = 0
    took_ms: float = 0.0


@dataclass(slots=True)
class Check:
    """All that was checked of one thing, e.g. a dashboard."""

    name: str
    uid: str = ""
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, state: State) -> list[Outcome]:
        """Return the outcomes with this state."""
        return [one for one in self.outcomes if one.state == state]


def check_server(grafana: GrafanaLink) -> tuple[Health, Check]:
    """Ask for the server's health and that of our data source; raises GrafanaAway and GrafanaRefused."""
    health = grafana.health()
    check = Check("Server", str(DATA_SOURCE["uid"]))
    is_well = health.database == "ok"
    check.outcomes.append(
        Outcome(
            "server",
            f"Grafana {health.version}",
            "ok" if is_well else "failed",
            "" if is_well else f"its own database: {health.database}",
        )
    )
    try:
        grafana.data_source_health(str(DATA_SOURCE["uid"]))
    except (GrafanaAway, GrafanaRefused):
        raise
    except GrafanaError as error:
        check.outcomes.append(Outcome("data source", "ChargeBench", "failed", str(error)))
    else:
        check.outcomes.append(Outcome("data source", "ChargeBench", "ok"))
    return health, check


def check_dashboard(grafana: GrafanaLink, ours: Json, now: datetime) -> Check:
    """Compare a dashboard with ours and run what it would run when somebody opens it now."""
    check = Check(ours["title"], ours["uid"])
    try:
        there = grafana.dashboard(ours["uid"])
    except GrafanaError as error:
        check.outcomes.append(Outcome("dashboard", ours["title"], "failed", str(error)))
        return check
    difference = _difference(ours, there)
    check.outcomes.append(Outcome("dashboard", ours["title"], "failed" if difference else "ok", difference))
    span = opened_at(ours, now)
    variables, told = _variables(grafana, ours, span)
    check.outcomes += told
    for annotation in ours["annotations"]["list"]:
        if "rawSql" in annotation.get("target", {}):
            query = _query(annotation["target"], variables, 1.0, _POINTS)
            name = annotation["name"]
            check.outcomes.append(_run(grafana, "annotation", name, query, span, NOTHING_TO_MARK)[0])
    for panel in ours["panels"]:
        check.outcomes += _panel(grafana, panel, span, variables)
    return check


def check_rules(grafana: GrafanaLink, rules: list[Json], now: datetime) -> Check:
    """Look for our alert rules and run their queries."""
    check = Check("Alert rules")
    try:
        there = {rule.get("uid") or rule.get("name"): rule for rule in grafana.alert_rules()}
    except GrafanaError as error:
        check.outcomes.append(Outcome("alert rules", "list", "failed", str(error)))
        there = {}
    for rule in rules:
        title = rule["title"]
        known = there.get(rule["uid"]) or there.get(title)
        if known is None:
            check.outcomes.append(
                Outcome("alert rule", title, "failed", "it is not there, or we may not see it")
            )
        elif known.get("health") == "error":
            why = str(known.get("lastError") or "it cannot be evaluated")
            check.outcomes.append(Outcome("alert rule", title, "failed", why))
        for part in rule["data"]:
            if "rawSql" not in part["model"]:
                continue
            begins = now - timedelta(seconds=part["relativeTimeRange"]["from"])
            query = _query(part["model"], {}, 1.0, _POINTS)
            # A rule without data would neither fire nor rest.
            outcome, _ = _run(grafana, "alert rule", title, query, Range(begins, now), "it gives no number")
            check.outcomes.append(outcome if outcome.rows else replace(outcome, state="failed"))
    return check


def opened_at(dashboard: Json, now: datetime) -> Range:
    """Return the time range with which a dashboard opens, e.g. `now-15m` to `now`."""
    begins = dashboard["time"]["from"].removeprefix("now-")
    return Range(now - timedelta(seconds=duration_s(begins)), now)


def _difference(ours: Json, there: Json) -> str:
    """Return in what a dashboard is not the one of our file, or nothing."""
    if not there["meta"].get("provisioned"):
        return "it does not come from our files: somebody has saved another one under this uid"
    known = {panel.get("id"): panel for panel in there["dashboard"].get("panels", [])}
    changed = [
        f"{panel['title']!r}"
        for panel in ours["panels"]
        if _of_interest(panel) != _of_interest(known.get(panel["id"], {}))
    ]
    surplus = [
        f"{known[id_].get('title')!r}" for id_ in known.keys() - {panel["id"] for panel in ours["panels"]}
    ]
    if not changed and not surplus:
        return ""
    names = ", ".join([*changed, *surplus][:5])
    return f"its panels are not those of this version ({names}): give it the files of grafana/dashboards anew"


def _of_interest(panel: Json) -> tuple[Any, ...]:
    queries = tuple(target.get("rawSql") for target in panel.get("targets", ()))
    return panel.get("id"), panel.get("title"), panel.get("type"), queries


def _variables(
    grafana: GrafanaLink, dashboard: Json, span: Range
) -> tuple[dict[str, str | list[str]], list[Outcome]]:
    """Return what its variables are when a dashboard opens: all where several go together, else the first."""
    chosen: dict[str, str | list[str]] = {}
    outcomes: list[Outcome] = []
    for variable in dashboard["templating"]["list"]:
        name = variable["name"]
        if variable["type"] != "query":
            chosen[name] = str(variable.get("query", ""))
            continue
        target = {"refId": name, "datasource": DATA_SOURCE, "format": "table", "rawSql": variable["query"]}
        query = _query(target, chosen, 1.0, _POINTS)
        outcome, answer = _run(
            grafana, "variable", variable.get("label") or name, query, span, "nothing to choose from"
        )
        outcomes.append(outcome)
        frames = answer.frames if answer else []
        columns = [frame["data"]["values"] for frame in frames if frame.get("data", {}).get("values")]
        values = [str(value) for column in columns for value in column[0]]
        chosen[name] = values if variable.get("multi") else (values[0] if values else "")
    return chosen, outcomes


def _panel(grafana: GrafanaLink, panel: Json, span: Range, variables: Values) -> Iterator[Outcome]:
    own, points, every_s = drawn(panel, span)
    empty = panel["fieldConfig"]["defaults"].get("noValue", "")
    for target in panel.get("targets", ()):
        query = _query(target, variables, every_s, points)
        yield _run(grafana, "panel", panel["title"], query, own, empty)[0]


def _query(target: Json, variables: Values, every_s: float, points: int) -> "Json | RefusedByGrafana":
    """Return what the front end would send, or why it could not."""
    try:
        sql = with_variables(target["rawSql"], variables, every_s)
    except RefusedByGrafana as error:
        return error
    return {
        **target,
        "rawSql": sql,
        "rawQuery": True,
        "intervalMs": int(every_s * 1000),
        "maxDataPoints": points,
    }


def _run(
    grafana: GrafanaLink, kind: str, title: str, query: "Json | RefusedByGrafana", span: Range, empty: str
) -> tuple[Outcome, Answer | None]:
    """Return what became of a query (`empty`: why it may have no rows), and its answer where there is one."""
    if isinstance(query, RefusedByGrafana):
        return Outcome(kind, title, "failed", str(query)), None
    began_s = time.perf_counter()
    try:
        answer = grafana.query([query], span.start, span.end).get(query["refId"])
    except GrafanaAway as error:
        grafana.health()  # raises where it is not for this query alone that nobody answers
        return Outcome(kind, title, "failed", str(error)), None
    except GrafanaError as error:
        return Outcome(kind, title, "failed", str(error)), None
    took_ms = (time.perf_counter() - began_s) * 1000
    if answer is None or answer.error:
        why = answer.error if answer and answer.error else "Grafana did not answer this query"
        return Outcome(kind, title, "failed", why, took_ms=took_ms), None
    if not answer.rows:
        return Outcome(kind, title, "empty", empty, took_ms=took_ms), answer
    return Outcome(kind, title, "ok", rows=answer.rows, took_ms=took_ms), answer
