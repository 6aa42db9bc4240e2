"""`make bench-knee` itself, small: one step on a whole bench, its figures, its files."""

import json

import psutil
import pytest

from bench.knee.__main__ import main

CHARGE_POINTS, WINDOW_S = 4, 5


@pytest.mark.timeout(600)
def test_a_step_measures_every_frame_of_the_window_and_leaves_nothing_behind(tmp_path):
    """How fast and how whole is for a quiet machine to judge; that all was looked at is not."""
    written = tmp_path / "knee.json"
    asked = ["--from", str(CHARGE_POINTS), "--to", str(CHARGE_POINTS), "--window", str(WINDOW_S)]
    status = main([*asked, "--json", str(written)])
    found = json.loads(written.read_text())
    (step,) = found["steps"]
    assert step["failed"] is None
    assert status == (0 if step["held"] else 1)
    assert found["knee"] == (CHARGE_POINTS if step["held"] else None)
    assert found["machine"]["cores"]
    # At 1 Hz; fewer where the modules themselves were not given their turns.
    assert CHARGE_POINTS <= step["frames"] <= CHARGE_POINTS * (WINDOW_S + 2)
    assert 0 < step["median_s"] <= step["p95_s"] <= step["longest_s"]
    assert step["rows_p95_s"] > 0
    assert step["readings_a_second"] > 0
    assert step["events_a_second"] > step["readings_a_second"]
    services = {
        "charger",
        "chargepoint",
        "csms",
        "memorybank",
        "postgres",
        "broker",
        "console",
        "lab",
        "bench",
    }
    assert step["cpu"].keys() == step["memory_mb"].keys() == services
    assert sum(step["cpu"].values()) > 0
    assert min(step["memory_mb"].values()) > 1
    assert step["wal_bytes_a_second"] > 0
    assert step["yardstick_ms"] > 0
    assert "<svg" in written.with_suffix(".svg").read_text()
    assert not psutil.Process().children(recursive=True)
