"""`python -m grafana.verify` against the stand-in: what it finds, what it says, with which status it ends."""

import asyncio
import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from grafana.verify import main

import recorded_run
from grafana_frames import dashboards
from grafana_standin import VIEWER_TOKEN, GrafanaStandin, provisioned
from grafana_wire import rules_as_evaluated
from real_parts import Postgres, free_port

ROOT = Path(__file__).parents[2]
LIVE = "chargebench-live"


@pytest.fixture(scope="module")
def filled(module_postgres: Postgres) -> Postgres:
    """A database with a run that ended just now."""
    end = datetime.now(UTC)
    run = recorded_run.events(end - timedelta(minutes=2), end)
    asyncio.run(recorded_run.record(module_postgres.writer_url, run))
    return module_postgres


@pytest.fixture
def grafana(filled: Postgres) -> Iterator[GrafanaStandin]:
    with GrafanaStandin(filled.grafana_url, rules=rules_as_evaluated()) as standin:
        yield standin


class Verify:
    """The command in this process: its status and what it said."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        monkeypatch.setenv("COLUMNS", "140")

    def __call__(
        self, grafana: GrafanaStandin | str, *arguments: str, token: str = ""
    ) -> tuple[int, str, str]:
        self._monkeypatch.setenv("GRAFANA_TOKEN", token)
        url = grafana if isinstance(grafana, str) else grafana.url
        try:
            status = main([url, *arguments])
        except SystemExit as ended:
            status = int(ended.code or 0)
        said, complained = self._capsys.readouterr()
        return status, said, complained


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verify:
    return Verify(capsys, monkeypatch)


def outcomes(
    verify: Verify, grafana: GrafanaStandin
) -> tuple[int, dict[tuple[str, str, str], dict[str, Any]]]:
    """Return the status and every outcome by (checked, kind, title)."""
    status, said, complained = verify(grafana, "--json")
    assert said, complained
    checks = json.loads(said)["checks"]
    return status, {
        (one["name"], outcome["kind"], outcome["title"]): outcome
        for one in checks
        for outcome in one["outcomes"]
    }


def changed(uid: str) -> dict[str, dict[str, Any]]:
    """Return what is provisioned, one dashboard of it to be changed."""
    there = provisioned()
    return {**there, uid: copy.deepcopy(there[uid])}


def test_every_query_of_every_dashboard_gives_data_or_says_why_not(
    verify: Verify, grafana: GrafanaStandin
) -> None:
    status, found = outcomes(verify, grafana)
    failed = {key: outcome["why"] for key, outcome in found.items() if outcome["state"] == "failed"}
    assert (status, failed) == (0, {})
    for dashboard in dashboards().values():
        checked = dashboard["title"]
        for panel in dashboard["panels"]:
            if panel.get("targets"):
                outcome = found[checked, "panel", panel["title"]]
                assert outcome["rows"] or outcome["why"] == panel["fieldConfig"]["defaults"]["noValue"]
        for annotation in dashboard["annotations"]["list"]:
            assert (checked, "annotation", annotation["name"]) in found
    assert found["Fleet overview", "panel", "Charge points"]["rows"] > 20
    assert found["Charge point live", "variable", "Charge point"]["rows"] > 20
    assert found["Charge point live", "panel", "Current"]["rows"] > 60


def test_a_person_reads_a_line_a_dashboard_and_the_reasons(verify: Verify, grafana: GrafanaStandin) -> None:
    status, said, complained = verify(grafana)
    assert (status, complained) == (0, "")
    lines = said.splitlines()
    assert lines[0] == f"Grafana 13.1.3 at {grafana.url}"
    for dashboard in dashboards().values():
        assert any(line.startswith(dashboard["title"]) and " ms" in line for line in lines)
    assert lines[-1] == "All is well."


def test_it_only_looks(verify: Verify, grafana: GrafanaStandin) -> None:
    verify(grafana)
    assert {one.split("?")[0] for one in grafana.asked if not one.startswith("GET")} == {"POST /api/ds/query"}


def test_a_missing_dashboard_is_named(verify: Verify, grafana: GrafanaStandin) -> None:
    del grafana.dashboards[LIVE]
    status, said, _ = verify(grafana)
    assert status == 1
    assert "Charge point live, dashboard 'Charge point live': status 404: Dashboard not found" in said


def test_a_dashboard_that_somebody_saved_is_named(verify: Verify, grafana: GrafanaStandin) -> None:
    grafana.dashboards = changed(LIVE)
    grafana.dashboards[LIVE]["meta"]["provisioned"] = False
    status, found = outcomes(verify, grafana)
    outcome = found["Charge point live", "dashboard", "Charge point live"]
    assert (status, outcome["state"]) == (1, "failed")
    assert "does not come from our files" in outcome["why"]


def test_panels_of_another_version_are_named(verify: Verify, grafana: GrafanaStandin) -> None:
    grafana.dashboards = changed(LIVE)
    panels = grafana.dashboards[LIVE]["dashboard"]["panels"]
    panels[0]["title"] = "State"
    panels[1]["targets"][0]["rawSql"] = "SELECT 1"
    status, found = outcomes(verify, grafana)
    why = found["Charge point live", "dashboard", "Charge point live"]["why"]
    assert status == 1
    ours = dashboards()["charge-point-live"]["panels"]
    assert f"({ours[0]['title']!r}, {ours[1]['title']!r})" in why


def test_an_alert_rule_that_is_not_there_or_does_not_work_is_named(
    verify: Verify, grafana: GrafanaStandin
) -> None:
    grafana.rules = [
        rule | {"health": "error", "lastError": "no such view"}
        for rule in rules_as_evaluated()
        if rule["uid"] != "chargebench-ingest-lag"
    ]
    status, said, _ = verify(grafana)
    assert status == 1
    assert "Alert rules, alert rule 'Ingest lag over 10 seconds': it is not there" in said
    assert said.count("no such view") == 2


def test_a_query_that_the_database_refuses_is_named_with_its_reason(
    verify: Verify, grafana: GrafanaStandin, filled: Postgres
) -> None:
    """As for a view that an older memory does not have; all else is checked all the same."""
    with psycopg.connect(filled.writer_url, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON dash.anomalies FROM grafana_reader")
        try:
            status, found = outcomes(verify, grafana)
        finally:
            connection.execute("GRANT SELECT ON dash.anomalies TO grafana_reader")
    refused = found["Fleet overview", "panel", "Newest anomalies"]
    assert (status, refused["state"]) == (1, "failed")
    assert "permission denied for view anomalies" in refused["why"]
    assert found["Fleet overview", "panel", "Charge points"]["state"] == "ok"


def test_a_broken_data_source_is_named(verify: Verify, grafana: GrafanaStandin) -> None:
    grafana.database_url = ""
    status, found = outcomes(verify, grafana)
    source = found["Server", "data source", "ChargeBench"]
    assert (status, source["state"]) == (1, "failed")
    assert "failed to connect" in source["why"]


def test_a_memory_without_content_is_empty_in_words(
    verify: Verify, grafana: GrafanaStandin, postgres: Postgres
) -> None:
    asyncio.run(recorded_run.record(postgres.writer_url, []))
    grafana.database_url = postgres.grafana_url
    status, said, _ = verify(grafana)
    assert status == 0
    assert "Charge point live, variable 'Charge point': nothing to choose from" in said
    assert "Charge point live, panel 'Current': No reading of this connector in this time range" in said


def test_nobody_there_says_what_to_do(verify: Verify) -> None:
    status, said, complained = verify(f"http://127.0.0.1:{free_port()}")
    assert (status, said) == (2, "")
    assert "Connection refused" in complained
    assert "docker compose up" in complained


def test_one_that_goes_away_meanwhile_is_not_asked_for_each_panel(
    verify: Verify, grafana: GrafanaStandin
) -> None:
    grafana.goes_after = 10
    status, _, complained = verify(grafana)
    assert status == 2
    assert "as the test wishes" in complained
    assert len(grafana.asked) == 12


def test_without_anonymous_access_a_token_is_asked_for(verify: Verify, grafana: GrafanaStandin) -> None:
    grafana.anonymous = None
    status, _, complained = verify(grafana)
    assert status == 2
    assert "GRAFANA_TOKEN" in complained
    status, said, complained = verify(grafana, token=VIEWER_TOKEN)
    assert (status, complained) == (0, "")
    assert VIEWER_TOKEN not in said


@pytest.mark.parametrize(
    ("url", "token", "complaint"),
    [
        ("http://admin:hunter2@127.0.0.1", "", "carries a user"),
        ("127.0.0.1:3000", "", "is no http:// or https:// URL"),
        ("http://127.0.0.1", "hunter2 hunter2", "GRAFANA_TOKEN is no single word"),
    ],
)
def test_wrong_words_are_refused_without_repeating_a_secret(
    verify: Verify, url: str, token: str, complaint: str
) -> None:
    status, _, complained = verify(url, token=token)
    assert status == 2
    assert complaint in complained
    assert "hunter2" not in complained


def test_the_command_says_how_it_is_used() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "grafana.verify", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "python -m grafana.verify http://127.0.0.1:3000" in done.stdout
