"""Health and metrics of every process of a running bench, at the addresses that bench.json names."""

import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

from bench_process import BenchProcess
from metrics_parts import Metrics

SERVICE_OF = {"CP-1": "chargepoint", "CP-2": "chargepoint"}


def metrics_of(bench: BenchProcess) -> dict[str, Metrics]:
    urls: dict[str, str] = bench.described["metrics"]
    return {name: Metrics(SERVICE_OF.get(name, name), urlsplit(url).port or 0) for name, url in urls.items()}


def test_every_process_is_healthy_and_tells(bench: BenchProcess) -> None:
    told = metrics_of(bench)
    assert set(told) == {"csms", "memorybank", "console", "charger", "CP-1", "CP-2", "lab"}
    for metrics in told.values():
        metrics.wait("process_open_fds", 1)
        with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/healthz", timeout=10) as answer:
            assert answer.status == 200


def test_the_numbers_fit_each_other(bench: BenchProcess) -> None:
    """Two charge points, each with a module of the one charger; what they publish is stored."""
    told = metrics_of(bench)
    assert told["csms"].wait("charge_points", 2)["charge_points"] == 2
    assert told["charger"].wait("buses", 2)["buses"] == 2
    for name in ("CP-1", "CP-2"):
        found = told[name].wait("connected{to=csms}", 1)
        assert found[f"info{{charge_point_id={name}}}"] == found["connectors"] == 1
        told[name].wait("connected{to=broker}", 1)
        told[name].wait("modules", 1)
    found = told["memorybank"].wait("readings_stored_total", 8)
    assert found["gap_events_total"] == found["messages_dropped_total"] == found["poison_total"] == 0
    assert 0 <= found["lag_seconds"] < 30
    told["console"].wait("buses", 2)
    for service in ("can", "csms", "memorybank", "broker"):
        told["console"].wait(f"connected{{to={service}}}", 1)
    tags_and_truth = ("BENCH", "fluctuation")
    for metrics in told.values():
        text = metrics.text()
        assert text
        assert not any(word in text for word in tags_and_truth)


def test_the_terminal_view_shows_the_bench(bench: BenchProcess) -> None:
    """`chargebench top` finds the bench by its folder; both charge points stand in its plain table."""
    told = metrics_of(bench)
    told["console"].wait("buses", 2)
    for service in ("can", "csms", "memorybank", "broker"):
        told["console"].wait(f"connected{{to={service}}}", 1)
    command = [sys.executable, "-m", "embedded", "top", "--once", "--home", str(bench.home)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    rows = result.stdout.splitlines()
    assert [row.split()[0] for row in rows[1:3]] == ["CP-1", "CP-2"]
    assert all(" A " in row and " kW " in row for row in rows[1:3])
