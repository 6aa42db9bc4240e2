"""Every panel of every dashboard, on the database of a real run, as Grafana's own role."""

from bench_process import BenchProcess
from grafana_run import empty_panels
from real_parts import wait_until


def test_every_panel_shows_the_run(bench: BenchProcess) -> None:
    """Expanded as Grafana does it; each panel has a frame that its type can draw, and data in it."""
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
    assert empty_panels(bench, ["CP-1", "CP-2"]) == {
        "pipeline-health": {
            "Set aside, newest": "Nothing was set aside in this time range",
            "Lost, number by number": "Nothing was lost in this time range",
        }
    }
