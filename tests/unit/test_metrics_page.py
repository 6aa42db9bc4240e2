"""docs/metrics.md says what the services really tell, and every name is formed by the rules."""

import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chassis.metrics import Metric

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/metrics.py"))
SERVICES.remove("chassis")
UNITS = ("_total", "_seconds", "_bytes")
COUNTED_THINGS = {
    "buses", "capacity_buses", "charge_points", "charge_points_online", "connected", "connectors",
    "events_uncommitted", "faults", "injections", "logs", "modules", "pages", "queued_messages",
    "retention_failing", "rollup_lag_events", "transactions", "waiting_annotations", "waiting_messages",
}  # fmt: skip
"""Gauges without a unit: numbers of things, and yes or no."""
TOO_MANY = re.compile(r"id_?tag|charge_point|source|user|password|token|transaction_id|action|address")


def metrics_of(service: str) -> tuple[Metric[Any], ...]:
    return importlib.import_module(f"{service}.metrics").METRICS


def test_every_service_has_metrics() -> None:
    assert SERVICES == ["chargepoint", "charger", "console", "csms", "lab", "memorybank"]


def test_the_page_is_up_to_date() -> None:
    """`make settings` writes it anew."""
    result = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate_metrics.py", "--check"], check=False, timeout=60
    )
    assert result.returncode == 0


@pytest.mark.parametrize("service", SERVICES)
def test_every_metric_is_on_the_page(service: str) -> None:
    missing = {
        metric.name for metric in metrics_of(service) if f"`chargebench_{service}_{metric.name}`" not in PAGE
    }
    assert missing == set()


@pytest.mark.parametrize("service", SERVICES)
def test_names_are_formed_by_the_rules(service: str) -> None:
    names = [metric.name for metric in metrics_of(service)]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
        assert name.endswith(UNITS) or name in COUNTED_THINGS, f"{name}: which unit?"


@pytest.mark.parametrize("service", SERVICES)
def test_labels_are_few_and_name_nobody(service: str) -> None:
    """Values are declared, so no peer makes series; and none is of a kind that grows with the fleet."""
    for metric in metrics_of(service):
        assert bool(metric.label) == bool(metric.values), metric.name
        assert len(metric.values) <= 8, metric.name
        assert not TOO_MANY.search(metric.label), metric.name


def test_every_metric_in_the_examples_is_there() -> None:
    """A name that is not there gives no error in Prometheus, only an empty answer."""
    there = {f"chargebench_{service}_{metric.name}" for service in SERVICES for metric in metrics_of(service)}
    named = re.findall(r"\| `[^`|]*(chargebench_\w+)", PAGE.partition("## What there is")[0])
    assert len(named) > 3
    assert set(named) <= there
