"""Which readings change the latest of a connector, known without asking the database.

`save_readings` of store.sql judges by the same rule and has the last word. But a row that it leaves as it is
was found, locked and logged by then, and while CAN is heard that goes for all that OCPP reports.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias

from contracts.events import Reading

Latest: TypeAlias = dict[tuple[str, int], tuple[datetime, str]]
"""Instant and origin of the latest reading of connectors, as memory.charge_points has them."""

_CAN_COUNTS_FOR = timedelta(seconds=10)
"""So long after a reading on CAN what OCPP reports changes nothing."""


def news(
    latest: Latest, readings: Mapping[tuple[str, int, str], Reading]
) -> tuple[list[Reading], list[Reading], Latest]:
    """Return the readings that change `latest`, first CAN's, then OCPP's, and how it is changed by both.

    `readings` has one of each charge point, connector and origin, as `Changes` has.
    """
    observed: list[Reading] = []
    reported: list[Reading] = []
    changed: Latest = {}
    reports: list[tuple[tuple[str, int], Reading]] = []
    for (charge_point_id, connector, origin), reading in readings.items():
        key = charge_point_id, connector
        if origin == "ocpp":
            reports.append((key, reading))
            continue
        before = latest.get(key)
        if before is None or before[0] <= reading.at:
            observed.append(reading)
            changed[key] = reading.at, "can"
    for key, reading in reports:
        before = changed.get(key) or latest.get(key)
        if before is None or _replaces(reading.at, *before):
            reported.append(reading)
            changed[key] = reading.at, "ocpp"
    return observed, reported, changed


def _replaces(at: datetime, before_at: datetime, origin: str) -> bool:
    """Return whether what OCPP reports takes the place of the reading before, of `origin`."""
    return before_at <= at if origin == "ocpp" else before_at < at - _CAN_COUNTS_FOR
