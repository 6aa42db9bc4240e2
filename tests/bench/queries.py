"""Query times, as the server has them: of every panel, and of every question of the viewer and the API.

Each query is run through EXPLAIN ANALYZE with the rights of who asks it, a number of times with other charge
points and other moments; its time is planning and execution, without the way to the client.
"""

import io
import random
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median, quantiles
from typing import Any

import psycopg
from grafana.variables import drawn
from rich.console import Console

from bench.past import Past
from bench.report import Progress, Report, Row
from chassis.screen import Screen
from grafana_frames import dashboards
from grafana_run import OF_ONE
from grafana_sql import Range, expand
from memorybank.errors import StoreUnavailable
from memorybank.filters import Filters
from memorybank.reader import Connection, Reader
from memorybank.viewer import pages
from real_parts import Postgres

RUNS = 20
RUNS_OF_A_SLOW_ONE = 3
SLOW_MS = 1000.0
LEAST = 1_000_000
"""Readings of the memory that a larger one is compared with."""
MOST_MS = 100.0
MOST_RATIO = 2.0
TOO_SHORT_MS = 5.0
"""Below this a ratio tells more of the machine than of the query."""
_LIMIT_MS = 15_000.0
"""The time limit of grafana_reader's statements; the reader's is shorter."""
_EXPLAIN = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY, FORMAT JSON) "
_SPANS = {"6 h": timedelta(hours=6), "30 days": timedelta(days=30)}
"""Beside each dashboard's own range. The least memory has 6.9 hours: only shorter ranges can be compared."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A database with a past of so many readings."""

    postgres: Postgres
    made: Past
    size: int


@dataclass(frozen=True, slots=True)
class Timed:
    """A query and its times in ms in memories of each size; whether the least has all it asks for."""

    name: str
    is_comparable: bool
    times_ms: dict[int, list[float]]

    def p95_ms(self, size: int) -> float:
        """Return what 95 of 100 runs do not exceed."""
        return quantiles(self.times_ms[size], n=20, method="inclusive")[-1]

    def row(self, size: int) -> Row:
        """Return the figure at `size` readings: medians, since they are compared; p95 stands in the goal."""
        ours, p95_ms, least = median(self.times_ms[size]), self.p95_ms(size), None
        goal = f"p95 {p95_ms:.3g} < {MOST_MS:g} ms"
        is_met = p95_ms < MOST_MS
        if self.is_comparable and size != LEAST and LEAST in self.times_ms:
            least = median(self.times_ms[LEAST])
            goal += f", ratio ≤ {MOST_RATIO:g}"
            is_met = is_met and (ours < TOO_SHORT_MS or ours <= MOST_RATIO * least)
        return Row(
            name=f"{self.name}, at {_millions(size)}",
            unit="ms",
            ours=ours,
            baseline=least,
            baseline_name=least and f"at {_millions(LEAST)}",
            goal=goal,
            met=is_met,
        )


def add_rows(report: Report, timed: list[Timed]) -> None:
    """Add what was timed: the slowest at each size, and a row each at the largest."""
    sizes = sorted(timed[0].times_ms)
    for size in sizes:
        slowest = max(timed, key=lambda one: one.p95_ms(size))
        report.add(
            Row(
                name=f"all {len(timed)} queries at {_millions(size)}: p95 of the slowest, {slowest.name}",
                unit="ms",
                ours=slowest.p95_ms(size),
                goal=f"< {MOST_MS:g} ms",
                met=slowest.p95_ms(size) < MOST_MS,
            )
        )
    for one in timed:
        report.add(one.row(sizes[-1]), say=False)


def _millions(size: int) -> str:
    return f"{size / 1_000_000:g} M"


def measure(memories: list[Filled], seed: int) -> list[Timed]:
    """Time every query in each memory in turns, so that a busy moment of the machine meets all of them."""
    timed: list[Timed] = []
    panels = _panels()
    progress = Progress("queries", len(panels) + len(_QUESTIONS))
    with ExitStack() as opened:
        grafanas = [
            opened.enter_context(psycopg.connect(memory.postgres.grafana_url, autocommit=True))
            for memory in memories
        ]
        readers = [opened.enter_context(_ExplainedReader(memory.postgres.reader_url)) for memory in memories]
        for name, is_comparable, sql in panels:
            runs = [partial(_explained_ms, grafana, sql) for grafana in grafanas]
            timed.append(Timed(name, is_comparable, _times_ms(memories, runs, seed)))
            progress.at(len(timed))
        for name, ask in _QUESTIONS.items():
            runs = [partial(reader.time_ms, ask) for reader in readers]
            timed.append(Timed(name, True, _times_ms(memories, runs, seed)))
            progress.at(len(timed))
    return timed


def _times_ms(memories: list[Filled], runs: list["Run"], seed: int) -> dict[int, list[float]]:
    """Return the times of each memory's runs, after one of each that warms up."""
    draws = [random.Random(seed) for _ in memories]
    firsts_ms = [run(memory.made, draw) for memory, run, draw in zip(memories, runs, draws, strict=True)]
    times_ms: dict[int, list[float]] = {memory.size: [] for memory in memories}
    for _ in range(RUNS_OF_A_SLOW_ONE if max(firsts_ms) > SLOW_MS else RUNS):
        for memory, run, draw in zip(memories, runs, draws, strict=True):
            times_ms[memory.size].append(run(memory.made, draw))
    return times_ms


Run = Callable[[Past, random.Random], float]


def _explained_ms(connection: psycopg.Connection[Any], sql: "Sql", made: Past, draw: random.Random) -> float:
    """Return the milliseconds of planning and execution; those of the time limit where it is exceeded."""
    try:
        return _total_ms(connection.execute(_EXPLAIN + sql(made, draw)).fetchone())
    except psycopg.errors.QueryCanceled:
        return _LIMIT_MS


def _total_ms(row: Any) -> float:
    (plan,) = next(iter(row.values())) if isinstance(row, dict) else row[0]
    return float(plan["Planning Time"] + plan["Execution Time"])


# The dashboards -------------------------------------------------------------------------------------------

Sql = Callable[[Past, random.Random], str]
_WIDE = {"gridPos": {"w": 24}}


def of_dashboard(file: str, dashboard: dict[str, Any]) -> list[Sql]:
    """Return every query with which a dashboard comes over its own range."""
    own = _duration(dashboard["time"]["from"].removeprefix("now-"))
    shown = [one for one in dashboard["annotations"]["list"] if one["enable"]]
    return [
        *(_of_panel(panel, own, file) for panel in dashboard["panels"]),
        *(_of_panel({"targets": [one["target"]]} | _WIDE, own, file) for one in shown),
        *(_of_panel({"targets": [{"rawSql": sql}]} | _WIDE, own, file) for _, sql in _choices(dashboard)),
    ]


def _choices(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    listed = dashboard["templating"]["list"]
    return [(one["name"], one["query"]) for one in listed if one["type"] == "query"]


def _panels() -> list[tuple[str, bool, Sql]]:
    """Return each query of each dashboard and range: its name, whether 1 M readings cover it, its SQL."""
    found: list[tuple[str, bool, Sql]] = []
    for file, dashboard in dashboards().items():
        own = dashboard["time"]["from"].removeprefix("now-")
        spans = {own: _duration(own), **_SPANS}
        for name, length in spans.items():
            is_comparable = length <= _SPANS["6 h"]
            for panel in dashboard["panels"]:
                if name == own or (panel.get("timeFrom") is None and "$__" in panel["targets"][0]["rawSql"]):
                    title = f"{file}: {panel['title']}, {name}"
                    found.append((title, is_comparable, _of_panel(panel, length, file)))
            for annotation in dashboard["annotations"]["list"]:
                title = f"{file}: {annotation['name']}, {name}"
                target = {"targets": [annotation["target"]]} | _WIDE
                found.append((title, is_comparable, _of_panel(target, length, file)))
        for name, sql in _choices(dashboard):
            target = {"targets": [{"rawSql": sql}]} | _WIDE
            found.append((f"{file}: choice of {name}", True, _of_panel(target, _duration(own), file)))
    return found


def _duration(text: str) -> timedelta:
    units = {"m": "minutes", "h": "hours", "d": "days"}
    return timedelta(**{units[text[-1]]: int(text[:-1])})


def _of_panel(panel: dict[str, Any], length: timedelta, file: str) -> Sql:
    (target,) = panel["targets"]

    def sql(made: Past, draw: random.Random) -> str:
        span, _, every_s = drawn(panel, Range(made.end - length, made.end))
        one = draw.choice(made.charge_points)
        variables = {
            "charge_point": one if file in OF_ONE else made.charge_points,
            "connector": "1",
            "anomaly": made.anomaly(one),
        }
        return expand(target["rawSql"], span, variables, every_s)

    return sql


# The viewer and the API -----------------------------------------------------------------------------------


class _Explained(psycopg.Cursor[Any]):
    """Explains each question before it is asked, and adds up what the server took for it."""

    total_ms = 0.0

    def execute(self, query: Any, params: Any = None, **more: Any) -> "_Explained":
        text = query.decode() if isinstance(query, bytes) else str(query)
        if _is_question(text):
            super().execute((_EXPLAIN + text).encode(), params, **more)
            type(self).total_ms += _total_ms(self.fetchone())
        super().execute(query, params, **more)
        return self


def _is_question(text: str) -> bool:
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("--"))
    return next(lines, "").startswith(("SELECT", "WITH"))


class _ExplainedReader(Reader):
    """The reader of the viewer and the API, timed."""

    def time_ms(self, ask: "Ask", made: Past, draw: random.Random) -> float:
        """Return what the server took for all that one question asks of it."""
        _Explained.total_ms = 0.0
        try:
            ask(self, _Drawn(made, draw))
        except StoreUnavailable:  # the reader's own time limit
            return _LIMIT_MS
        return _Explained.total_ms

    def _connect(self) -> Connection:
        connection = super()._connect()
        connection.cursor_factory = _Explained
        return connection


class _Drawn:
    """Of whom and of when a question is, another one each time."""

    def __init__(self, made: Past, draw: random.Random) -> None:
        self.one = draw.choice(made.charge_points)
        # Somewhere in the past, wherever that is.
        self.at = made.begin + draw.random() * (made.end - made.begin - timedelta(hours=1))
        self.later = self.at + timedelta(hours=1)
        self.end = made.end

    def about(self, **more: Any) -> Filters:
        return Filters(charge_point_id=self.one, **more)

    def hour(self, **more: Any) -> Filters:
        return Filters(since=self.at, until=self.later, **more)

    def hour_of_one(self) -> Filters:
        return self.about(since=self.at, until=self.later)


Ask = Callable[[Reader, _Drawn], object]


def _screen() -> Screen:
    return Screen(Console(file=io.StringIO()))


def _second_page(ask: Callable[..., Any]) -> object:
    return ask(limit=100, after=ask(limit=100).next)


_NEW = timedelta(minutes=5)
_QUESTIONS: dict[str, Ask] = {
    "viewer --summary": lambda reader, _: pages.summary(reader, _screen()),
    "viewer --stats": lambda reader, _: pages.statistics(reader, _screen()),
    "viewer --stats --charge-point": lambda reader, drawn: pages.statistics(reader, _screen(), drawn.about()),
    "viewer --events 1000": lambda reader, _: pages.events(reader, _screen(), Filters(), 1000),
    "viewer --anomalies 1000": lambda reader, _: pages.anomalies(reader, _screen(), Filters(), 1000),
    "viewer --sessions 1000": lambda reader, _: pages.sessions(reader, _screen(), Filters(), 1000),
    "events": lambda reader, _: reader.events(),
    "events, the second page": lambda reader, _: _second_page(reader.events),
    "events of one": lambda reader, drawn: reader.events(drawn.about()),
    "events of one of a frequent kind": lambda reader, drawn: reader.events(
        drawn.about(kind="can_frame_seen")
    ),
    "events of one of a rare kind": lambda reader, drawn: reader.events(drawn.about(kind="status_changed")),
    "events of a frequent kind": lambda reader, _: reader.events(Filters(kind="ocpp_message_seen")),
    "events of a rare kind": lambda reader, _: reader.events(Filters(kind="status_changed")),
    "events of a kind that never was": lambda reader, _: reader.events(Filters(kind="command_sent")),
    "events of an hour": lambda reader, drawn: reader.events(drawn.hour()),
    "events of an hour of one": lambda reader, drawn: reader.events(drawn.hour_of_one()),
    "events of an unknown one": lambda reader, _: reader.events(Filters(charge_point_id="nobody")),
    "anomalies": lambda reader, _: reader.anomalies(),
    "anomalies of one": lambda reader, drawn: reader.anomalies(drawn.about()),
    "anomalies, critical": lambda reader, _: reader.anomalies(Filters(severity="critical")),
    "anomalies, open": lambda reader, _: reader.anomalies(open_only=True),
    "anomalies of an hour": lambda reader, drawn: reader.anomalies(drawn.hour()),
    "one anomaly": lambda reader, _: reader.anomaly(reader.anomalies(limit=1)[0]["id"]),
    "sessions": lambda reader, _: reader.sessions(),
    "sessions of one": lambda reader, drawn: reader.sessions(drawn.about()),
    "sessions of an hour": lambda reader, drawn: reader.sessions(drawn.hour()),
    "readings, 5 min": lambda reader, drawn: reader.metrics(drawn.about(since=drawn.end - _NEW)),
    "readings, newest 1000": lambda reader, drawn: reader.metrics(drawn.about(), limit=1000),
    "readings by OCPP, newest 1000": lambda reader, drawn: reader.metrics(
        drawn.about(), origin="ocpp", limit=1000
    ),
    "readings of an hour": lambda reader, drawn: reader.metrics(drawn.hour_of_one()),
    "rollup of 10 s, newest 1000": lambda reader, drawn: reader.rollup("10s", drawn.about(), limit=1000),
    "rollup of 1 min, newest 1000": lambda reader, drawn: reader.rollup("1m", drawn.about(), limit=1000),
    "rollup of 1 h, newest 1000": lambda reader, drawn: reader.rollup("1h", drawn.about(), limit=1000),
    "charge points": lambda reader, _: reader.charge_points(),
    "charge points in an hour": lambda reader, drawn: reader.charge_points(drawn.hour()),
    "patterns": lambda reader, _: reader.patterns(),
    "sources": lambda reader, _: reader.sources(),
    "gaps": lambda reader, _: reader.gaps(),
    "set aside": lambda reader, _: reader.poison(),
    "sizes": lambda reader, _: reader.sizes(),
}
