"""What happened on a bench: asked of its memory, and of its CSMS for what was run."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.rows import class_row

from console.scenario.lab_link import LabLink
from console.scenario.place import Place
from console.truth import AFTERMATH_S
from embedded.layout import Layout
from embedded.report import ChargePointReport, Remembered, Report

_CHAIN = """
SELECT charge_point_id,
       count(*) FILTER (WHERE origin = 'can') AS observed,
       count(*) FILTER (WHERE origin = 'ocpp') AS reported,
       max(current_a) FILTER (WHERE origin = 'can') AS peak_a,
       min(current_a) FILTER (WHERE origin = 'can') AS trough_a
FROM dash.metrics WHERE at >= %s GROUP BY charge_point_id
"""
_ANOMALIES = """
SELECT charge_point_id, kind, started_at, detected_at, ended_at FROM dash.anomalies
WHERE coalesce(ended_at, now()) >= %s ORDER BY started_at
"""
_LOSSES = "SELECT coalesce(sum(lost), 0) FROM dash.gaps WHERE noticed_at >= %s"


async def collect(layout: Layout, started_at: datetime, ended_at: datetime, *, restored: bool) -> Report:
    """Return what happened between two instants; raises psycopg.Error and ApiError."""
    url = layout.database.url("memorybank_reader")
    chain, anomalies, gaps = await asyncio.to_thread(_remembered, url, started_at)
    # Of an anomaly that stood before, too, it has to be known what provoked it.
    since = min([started_at, *(one.started_at for one in anomalies)]) - timedelta(seconds=AFTERMATH_S)
    async with LabLink(Place(layout.csms_api_url, layout.memorybank_api_url, None)) as link:
        runs = await link.runs(since=since)
    return Report(
        started_at,
        ended_at,
        [_of_charge_point(name, chain, anomalies) for name in layout.charge_point_ids],
        gaps,
        restored,
        tuple(runs),
    )


def _remembered(url: str, since: datetime) -> tuple[dict[str, Any], list[Remembered], int]:
    with psycopg.connect(url, connect_timeout=5) as connection:
        chain = {row[0]: row[1:] for row in connection.execute(_CHAIN, (since,))}
        with connection.cursor(row_factory=class_row(Remembered)) as cursor:
            anomalies = cursor.execute(_ANOMALIES, (since,)).fetchall()
        losses = connection.execute(_LOSSES, (since,)).fetchone()
    return chain, anomalies, int(losses[0]) if losses else 0


def _of_charge_point(name: str, chain: dict[str, Any], anomalies: Iterable[Remembered]) -> ChargePointReport:
    observed, reported, peak_a, trough_a = chain.get(name, (0, 0, None, None))
    its_own = tuple(one for one in anomalies if one.charge_point_id == name)
    return ChargePointReport(name, observed, reported, peak_a or 0.0, trough_a or 0.0, its_own)
