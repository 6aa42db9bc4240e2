"""Every panel of every dashboard, on the database of a real run, as Grafana's own role."""

from datetime import UTC, datetime, timedelta

import psycopg

from bench_process import BenchProcess
from grafana_frames import check_dashboard, dashboards
from grafana_sql import Range
from real_parts import wait_until

VARIABLES = {
    "fleet-overview": {"charge_point": ["CP-1", "CP-2"]},
    "charge-point-live": {"charge_point": "CP-1", "connector": "1"},
}


def test_every_panel_shows_the_run(bench: BenchProcess) -> None:
    """Expanded as Grafana does it; each panel has rows and a frame that its type can draw."""
    wait_until(
        lambda: bool(bench.query("SELECT 1 FROM dash.anomalies WHERE charge_point_id = 'CP-1'")),
        timeout_s=75,
        what="the anomaly",
    )
    described = bench.described
    url = (
        f"postgresql://grafana_reader:{bench.secrets['grafana_reader']}"
        f"@127.0.0.1:{described['postgres_port']}/chargebench"
    )
    assert VARIABLES.keys() == dashboards().keys()
    with psycopg.connect(url, autocommit=True) as connection:
        for name, variables in VARIABLES.items():
            now = datetime.now(UTC)
            last_minutes = Range(now - timedelta(minutes=5), now)
            frames = check_dashboard(connection, dashboards()[name], last_minutes, variables)
            empty = [panel for panel, frame in frames.items() if not frame.rows]
            assert empty == [], f"{name}: panels without data: {empty}"
