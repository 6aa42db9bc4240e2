"""What an open dashboard costs the database: its queries at its refresh rate, with 1,000 charge points."""

import random
import time
from typing import Any

import psycopg
from grafana.variables import duration_s

from bench import past
from bench.parts import cpu_s, new_database, started_postgres
from bench.queries import Sql, of_dashboard
from bench.report import Progress, Report, Row, told
from grafana_frames import dashboards

CHARGE_POINTS = 1_000
SECONDS = 900
"""As long as the ranges of the dashboards that are left open: every reading of it is there."""
REFRESHES = 20
MOST_PERCENT = 5.0


def measure(report: Report) -> None:
    """Add a row a dashboard: the processor time of PostgreSQL for a refresh, as a share of one core."""
    with started_postgres() as server:
        told(f"A memory of {SECONDS} s of {CHARGE_POINTS:,} charge points")
        postgres = new_database(server, "watched")
        assert server.server.process is not None
        pid = server.server.process.pid
        readings = 2 * CHARGE_POINTS * SECONDS
        progress = Progress("readings", readings)
        made = past.make(postgres, readings, progress.at, connectors=CHARGE_POINTS)
        told("Each dashboard, refreshed")
        with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
            for name, dashboard in dashboards().items():
                draw = random.Random(report.seed)
                queries = of_dashboard(name, dashboard)
                _refresh(connection, queries, made, draw)  # warms up
                before_s, begun_s = cpu_s(pid), time.monotonic()
                for _ in range(REFRESHES):
                    _refresh(connection, queries, made, draw)
                used_s, took_s = cpu_s(pid) - before_s, time.monotonic() - begun_s
                every_s = duration_s(dashboard["refresh"])
                percent = 100 * used_s / REFRESHES / every_s
                report.add(
                    Row(
                        name=f"{name}, refreshed every {every_s:g} s: {len(queries)} queries,"
                        f" {1000 * took_s / REFRESHES:.0f} ms one after the other; share of one core",
                        unit="%",
                        ours=percent,
                        goal=f"< {MOST_PERCENT:g} %",
                        met=percent < MOST_PERCENT,
                    )
                )


def _refresh(
    connection: psycopg.Connection[Any], queries: list[Sql], made: past.Past, draw: random.Random
) -> None:
    """Ask what a browser asks when the dashboard's time has moved on."""
    for sql in queries:
        connection.execute(sql(made, draw)).fetchall()
