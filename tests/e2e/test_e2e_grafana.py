"""Every panel of every dashboard and every alert rule on the database of a real run, as Grafana's role."""

import psycopg
from grafana.verify import main

from bench_process import BenchProcess
from grafana_alerts import evaluate, rules
from grafana_run import NOT_LEARNED_YET, empty_panels, reader_url
from grafana_standin import GrafanaStandin
from grafana_wire import rules_as_evaluated
from real_parts import wait_until


def wait_for_anomaly_and_pace(bench: BenchProcess) -> None:
    wait_until(
        lambda: bool(bench.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-1'")),
        timeout_s=75,
        what="the anomaly",
    )
    wait_until(
        lambda: bool(bench.query("SELECT 1 FROM dash.pulses WHERE messages > 0")),
        timeout_s=30,
        what="the MemoryBank's pace",
    )


def test_every_panel_shows_the_run(bench: BenchProcess) -> None:
    """Expanded as Grafana does it; each panel has a frame that its type can draw, and data in it."""
    wait_for_anomaly_and_pace(bench)
    assert empty_panels(bench, ["CP-1", "CP-2"]) == {
        "learned-patterns": NOT_LEARNED_YET,
        "pipeline-health": {
            "Set aside, newest": "Nothing was set aside in this time range",
            "Lost, number by number": "Nothing was lost in this time range",
        },
    }


def test_a_bench_that_is_well_is_neither_silent_nor_behind(bench: BenchProcess) -> None:
    """Of the alert rules only the one may fire that names what the bench lives."""
    wait_for_anomaly_and_pace(bench)
    with psycopg.connect(reader_url(bench), autocommit=True) as connection:
        fires = {uid: evaluate(connection, rule)[1] for uid, rule in rules().items()}
    assert {uid for uid, is_firing in fires.items() if is_firing} <= {"chargebench-critical-anomaly"}


def test_the_check_of_a_running_grafana_finds_all_well(bench: BenchProcess) -> None:
    """`make verify-grafana`, the stand-in before the bench's own database."""
    wait_for_anomaly_and_pace(bench)
    with GrafanaStandin(reader_url(bench), rules=rules_as_evaluated()) as grafana:
        assert main([grafana.url]) == 0
