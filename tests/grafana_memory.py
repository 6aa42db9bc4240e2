"""A recorded run in a database, seen as Grafana sees it, and how tests ask panels for what they show."""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

import grafana_run
import recorded_run
from embedded import postgres as embedded_postgres
from embedded.postgres import PostgresFiles
from grafana_frames import Frame, Json, check_panel, dashboards
from grafana_run import OF_ONE
from grafana_sql import Range, Values
from real_parts import Postgres, ServerProcess
from recorded_run import ATTACKED, BENIGN, IDLE, QUOTED

DASHBOARDS = dashboards()
EVERYONE = [*ATTACKED, *BENIGN, QUOTED, *IDLE]
FLEET_CHOICES = {"one": ["CP-1"], "several": ["CP-1", "CP-2", QUOTED], "all": EVERYONE, "none": []}
LIVE_CHOICES = {
    "attacked": ("CP-1", "1"),
    "benign": ("CP-2", "1"),
    "quoted": (QUOTED, "2"),
    "idle": (IDLE[0], "1"),
    "unknown": ("", ""),
}
LENGTHS = {"5 min": timedelta(minutes=5), "30 days": timedelta(days=30)}
RUN = timedelta(minutes=10)


@dataclass
class Memory:
    """A filled database, asked as grafana_reader, and when its run ended."""

    grafana: psycopg.Connection[Any]
    end: datetime

    def last(self, length: timedelta) -> Range:
        """Return the time range of that length up to the run's end."""
        return Range(self.end - length, self.end)


@contextmanager
def remembered(server: ServerProcess, files: PostgresFiles) -> Iterator[Memory]:
    """Give three minutes of 20 days ago and the ten minutes up to now, in a database of their own."""
    name = f"grafana_{secrets.token_hex(4)}"
    embedded_postgres.prepare(files, name)
    database = Postgres(server, files, name)
    end = datetime.now(UTC)
    long_ago = end - timedelta(days=20)
    before = recorded_run.events(long_ago, long_ago + timedelta(minutes=3), first_transaction=1)
    lately = recorded_run.events(end - RUN, end, first_transaction=1000)
    asyncio.run(recorded_run.record(database.writer_url, before, silence=True))
    asyncio.run(recorded_run.record(database.writer_url, lately))
    with psycopg.connect(database.grafana_url, autocommit=True) as connection:
        yield Memory(connection, end)
    with psycopg.connect(files.url(embedded_postgres.SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def standing_still(postgres: Postgres) -> Iterator[tuple[psycopg.Connection[Any], datetime]]:
    """Give a connection as grafana_reader for which it stays now, and that instant: a transaction's `now()`.

    However long a machine takes to store what happened until then, panels of the last seconds find it.
    """
    with psycopg.connect(postgres.grafana_url) as connection:
        connection.execute("SET idle_in_transaction_session_timeout TO 0")
        ((now,),) = connection.execute("SELECT now()")
        yield connection, now


@contextmanager
def opened(postgres: Postgres, end: datetime) -> Iterator[Memory]:
    """Give the memory that stands in a database."""
    with psycopg.connect(postgres.grafana_url, autocommit=True) as connection:
        yield Memory(connection, end)


def fleet(choice: str) -> Values:
    """Return the variables of a dashboard of several charge points, by the name of a choice."""
    return {"charge_point": FLEET_CHOICES[choice]}


def live(choice: str) -> Values:
    """Return the variables of a dashboard of one charge point, by the name of a choice."""
    charge_point_id, connector = LIVE_CHOICES[choice]
    return {"charge_point": charge_point_id, "connector": connector}


def chosen(memory: Memory, name: str, choice: str) -> Values:
    """Return the variables of a dashboard, the newest anomaly among them."""
    if name in OF_ONE:
        return live(choice)
    return grafana_run.variables(memory.grafana, name, FLEET_CHOICES[choice], memory.last(LENGTHS["5 min"]))


def panel_named(dashboard: Json, title: str) -> Json:
    """Return a dashboard's panel."""
    (panel,) = [panel for panel in dashboard["panels"] if panel["title"] == title]
    return panel


def frame_of(
    memory: Memory, dashboard: Json, title: str, variables: Values, length: timedelta = LENGTHS["5 min"]
) -> Frame:
    """Return what a panel shows of the last minutes."""
    return check_panel(memory.grafana, panel_named(dashboard, title), memory.last(length), variables)


def numbers(
    memory: Memory, dashboard: Json, title: str, variables: Values, length: timedelta = LENGTHS["5 min"]
) -> dict[str, Any]:
    """Return the numbers of a stat by their names."""
    frame = frame_of(memory, dashboard, title, variables, length)
    return {one.name: one.values[0] for one in frame.fields}


def rows_of(frame: Frame) -> list[dict[str, Any]]:
    """Return the rows of a table."""
    values = [one.values for one in frame.fields]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*values, strict=True)]
