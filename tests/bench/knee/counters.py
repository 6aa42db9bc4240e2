"""What the services count, read from /metrics at two moments."""

import time
import urllib.request
from collections.abc import Mapping

from bench.knee.processes import service_of
from bench.knee.steps import Backlog
from metrics_parts import samples

LOSSES = (
    "frames_unsent_total",
    "frames_dropped_total",
    "meter_values_dropped_total",
    "posts_dropped_total",
    "events_dropped_total",
    "gap_events_total",
    "poison_total",
    "commands_total{outcome=timeout}",
    "commands_total{outcome=lost}",
)
"""Counters whose rise means that something is gone, at the services of the chain."""
CHAIN = ("charger", "chargepoint", "csms", "memorybank")
ROLLUPS_WAIT_S = 15
"""Rollups come in rounds: so many seconds' worth may wait for the next one."""
STORED = ("events_stored", "readings_stored")
ROLLUPS = "numbers that wait for rollups"
_TROUBLE = ("dropped", "unsent", "refused", "malformed", "gap_events", "poison", "failures", "stood_still")
_TROUBLE += ("resends", "ahead_events", "duplicate_events", "in_error", "retries", "timeout", "lost")

Counted = dict[str, dict[str, float]]
"""By service, its samples; those of several processes added up. READ_AT is when, by the monotonic clock."""
READ_AT = "read_at_s"


def read(addresses: Mapping[str, str]) -> Counted:
    """Return what every service counts now, of the addresses in bench.json."""
    found: Counted = {}
    for program, address in addresses.items():
        service = service_of(program)
        with urllib.request.urlopen(address, timeout=30) as answer:
            told = samples(service, answer.read().decode())
        total = found.setdefault(service, {})
        for name, value in told.items():
            total[name] = total.get(name, 0.0) + value
        total[READ_AT] = time.monotonic()
    return found


def moved(before: Counted, after: Counted) -> dict[str, float]:
    """Return by how much each counter of trouble rose, as `service name`; those that did not are left out."""
    return {
        f"{service} {name}": value - before.get(service, {}).get(name, 0.0)
        for service, told in after.items()
        for name, value in told.items()
        if "_total" in name
        and any(word in name for word in _TROUBLE)
        and value > before.get(service, {}).get(name, 0.0)
    }


def lost(counters: Mapping[str, float]) -> dict[str, float]:
    """Return those of `moved` that mean a loss."""
    of_loss = {f"{service} {name}" for service in CHAIN for name in LOSSES}
    return {name: count for name, count in counters.items() if name in of_loss}


def backlogs(before: Counted, after: Counted) -> dict[str, Backlog]:
    """Return the queues of the chain at both moments, with what a second brings."""
    found = {}
    for service in ("chargepoint", "csms"):
        found[f"outbox of {service}"] = _backlog(
            before, after, service, "events_uncommitted", a_second(before, after, service, "events_published")
        )
    charge_points = after.get("chargepoint", {}).get("charge_points", 0.0)
    found["MeterValues that wait at charge points"] = _backlog(
        before, after, "chargepoint", "queued_messages", charge_points
    )
    stored = a_second(before, after, "memorybank", *STORED)
    found[ROLLUPS] = _backlog(before, after, "memorybank", "rollup_lag_events", ROLLUPS_WAIT_S * stored)
    return found


def a_second(before: Counted, after: Counted, service: str, *names: str) -> float:
    """Return by how much counters of a service rose in a second, all together."""
    begun, ended = before.get(service, {}), after.get(service, {})
    rose = sum(ended.get(f"{name}_total", 0.0) - begun.get(f"{name}_total", 0.0) for name in names)
    took_s = ended.get(READ_AT, 0.0) - begun.get(READ_AT, 0.0)
    return rose / took_s if took_s > 0 else 0.0


def _backlog(before: Counted, after: Counted, service: str, gauge: str, made: float) -> Backlog:
    begun, ended = before.get(service, {}), after.get(service, {})
    return Backlog(before=begun.get(gauge, 0.0), after=ended.get(gauge, 0.0), a_second=made)
