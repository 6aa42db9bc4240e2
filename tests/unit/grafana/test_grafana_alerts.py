"""The provisioned alert rules: right in all that can be seen without a database."""

import json
import re

import pytest
from grafana.generate import ALERTS
from grafana.variables import duration_s

from grafana_alerts import rules
from grafana_frames import dashboards

each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=uid) for uid, rule in rules().items()])
OURS, EXPRESSION = "chargebench-postgres", "__expr__"


def test_there_are_the_three_rules():
    assert rules().keys() == {
        "chargebench-no-measurement",
        "chargebench-ingest-lag",
        "chargebench-critical-anomaly",
    }
    assert len({rule["title"] for rule in rules().values()}) == 3


def test_their_folder_is_none_of_the_dashboards():
    """Alerts know a folder by its title, dashboards theirs by its uid: one title would make two of them."""
    provider = (ALERTS.parents[1] / "dashboards" / "chargebench.yaml").read_text()
    dashboards_folder = re.search(r"^ +folder: (.+)$", provider, re.MULTILINE)
    content = json.loads(ALERTS.read_bytes())
    assert content["apiVersion"] == 1
    (group,) = content["groups"]
    assert group["folder"] == "ChargeBench alerts" != dashboards_folder[1]
    assert duration_s(group["interval"]) % 10 == 0, "Grafana's scheduler counts in tens of seconds"


@each_rule
def test_a_query_is_reduced_and_held_against_a_threshold(rule):
    query, reduce, threshold = (step["model"] for step in rule["data"])
    assert [step["refId"] for step in rule["data"]] == ["A", "B", "C"]
    assert [step["refId"] for step in rule["data"]] == [m["refId"] for m in (query, reduce, threshold)]
    assert [step["datasourceUid"] for step in rule["data"]] == [OURS, EXPRESSION, EXPRESSION]
    assert [m["datasource"]["uid"] for m in (query, reduce, threshold)] == [OURS, EXPRESSION, EXPRESSION]
    assert (reduce["type"], reduce["expression"], reduce["reducer"]) == ("reduce", "A", "last")
    assert (threshold["type"], threshold["expression"], rule["condition"]) == ("threshold", "B", "C")


@each_rule
def test_the_query_is_a_time_series_of_one_number(rule):
    model = rule["data"][0]["model"]
    assert (model["format"], model["rawQuery"]) == ("time_series", True)
    assert 'AS "time"' in model["rawSql"]
    # Nobody chooses a variable for an alert, and what is in braces would be read from the environment.
    assert "${" not in json.dumps(rule)
    assert rule["data"][0]["relativeTimeRange"]["from"] > rule["data"][0]["relativeTimeRange"]["to"] == 0


@each_rule
def test_it_leads_to_a_panel_that_is_there(rule):
    ours = {dashboard["uid"]: dashboard for dashboard in dashboards().values()}
    titles = {panel["id"]: panel["title"] for panel in ours[rule["dashboardUid"]]["panels"]}
    assert titles[rule["panelId"]] in {"Age of readings", "Lag over time", "Anomalies"}
    assert rule["annotations"]["__dashboardUid__"] == rule["dashboardUid"]
    assert rule["annotations"]["__panelId__"] == str(rule["panelId"])


@each_rule
def test_it_says_what_is_wrong_and_what_to_do(rule):
    annotations = rule["annotations"]
    assert re.search(r"\{\{ .*\.Values\.B\.Value \}\}", annotations["summary"])
    assert len(annotations["description"]) > 60
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert duration_s(rule["for"]) <= 30


@each_rule
def test_an_unanswered_question_is_not_taken_for_a_yes(rule):
    assert (rule["noDataState"], rule["execErrState"]) == ("NoData", "Error")
    assert re.fullmatch(r"[a-z-]{1,40}", rule["uid"])
