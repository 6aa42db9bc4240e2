"""The memory as frames, from a real PostgreSQL; and the page that shows how."""

import ast
import asyncio
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import psycopg
import pytest

import memorybank
from contracts.events import (
    AnyEvent,
    OcppMessageSeen,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from memorybank.errors import StoreUnavailable, WrongQuestion
from memorybank.frames import Memory
from memorybank_parts import START_AT, reading
from real_parts import Postgres, free_port
from remembered import NASTY, remember, remember_more

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CYCLE = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 100.0, 1.0]
LABEL = """
INSERT INTO truth.labels
  (at, seq, source_no, run_id, scenario, anomaly, phase, charge_point_ids, parameters, seed)
VALUES
  (%s, 1, 1, 'run-1', 'repeated-current-fluctuation', 'fluctuation', 'started', '{CP-1}', '{}', 7)
"""


def ten_minutes() -> list[AnyEvent]:
    """CP-1 fluctuates, CP-2 charges with 60 A; each answers its heartbeats."""
    happened: list[AnyEvent] = []
    for number, name in enumerate(("CP-1", "CP-2"), start=1):
        common: dict[str, Any] = {"charge_point_id": name, "connector": 1}
        happened += [
            StatusChanged(at=NOON, status="Charging", **common),
            TransactionStarted(
                at=NOON, transaction_id=number, id_tag="BENCH", meter_start_wh=0.0, **common
            ),
            *(
                reading(
                    0, CYCLE[second % 8] if number == 1 else 60.0, at=NOON + timedelta(seconds=second),
                    transaction_id=number, **common,
                )
                for second in range(600)
            ),
            *(
                OcppMessageSeen(
                    at=NOON + timedelta(minutes=minute), charge_point_id=name, direction="sent",
                    message_type="call_result", action="Heartbeat", round_trip_s=(minute + number) / 1000,
                )
                for minute in range(10)
            ),
            TransactionEnded(
                at=NOON + timedelta(minutes=10), transaction_id=number, meter_stop_wh=number * 1500.0,
                reason="Local", **common,
            ),
            StatusChanged(at=NOON + timedelta(minutes=10), status="Available", **common),
        ]  # fmt: skip
    return happened


@pytest.fixture
def much(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    remember_more(postgres.writer_url)
    return postgres


@pytest.fixture(params=["pandas", "polars"])
def memory(request: pytest.FixtureRequest, much: Postgres) -> Memory:
    return memorybank.open(much.reader_url, frames=request.param)


def rows(frame: Any) -> list[dict[str, Any]]:
    """A frame's rows, whichever library made it."""
    if isinstance(frame, pl.DataFrame):
        return frame.to_dicts()
    assert isinstance(frame, pd.DataFrame)
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def test_every_table_is_a_frame(memory: Memory) -> None:
    """All rows of each, oldest first, with a column each even where there is no row."""
    assert [len(frame) for frame in (memory.events(), memory.metrics(), memory.sessions())] == [53, 181, 5]
    assert [len(frame) for frame in (memory.anomalies(), memory.patterns())] == [5, 4]
    assert [len(frame) for frame in (memory.charge_points(), memory.sources(), memory.gaps())] == [4, 6, 4]
    for frame in (memory.events(), memory.metrics(), memory.rollup("10s")):
        times = [row["at"] for row in rows(frame)]
        assert times == sorted(times)
    nobody = memory.metrics("nobody")
    assert len(nobody) == 0
    assert list(nobody.columns) == list(memory.metrics().columns)


def test_types(memory: Memory) -> None:
    """Times are aware, numbers are numbers, also where some are missing; JSON and ids are text."""
    (started,) = rows(memory.events(kind="transaction_started"))
    assert started["at"] == START_AT
    assert started["at"].utcoffset() == timedelta(0)
    assert json.loads(started["detail"])["id_tag"] == NASTY
    first = rows(memory.metrics("CP-1", limit=180))[0]
    assert (first["at"], first["current_a"], first["transaction_id"]) == (START_AT, 0.0, 5)
    (untold,) = rows(memory.metrics("CP-2"))
    assert str(untold["transaction_id"]) in ("None", "<NA>")
    (mine,) = rows(memory.anomalies("CP-1"))
    assert (len(mine["id"]), mine["pattern"][0]) == (36, "{")


def test_filters(memory: Memory) -> None:
    """The same as everywhere, and times may be told as so long ago."""
    since, until = START_AT + timedelta(seconds=8), START_AT + timedelta(seconds=16)
    assert len(memory.metrics("CP-1", connector=1, origin="can", since=since, until=until)) == 8
    assert len(memory.metrics(since=timedelta(minutes=1))) == 1
    assert len(memory.metrics(since="1m")) == 1
    assert len(memory.metrics("CP-1", since=since.isoformat(), until=f"{until:%Y-%m-%dT%H:%M:%S}")) == 8
    newest = [row["at"] for row in rows(memory.metrics("CP-1", limit=2))]
    assert newest == [START_AT + timedelta(seconds=178), START_AT + timedelta(seconds=179)]
    assert len(memory.metrics("CP-1", origin="ocpp")) == 0
    assert sum(row["readings"] for row in rows(memory.rollup("1h", "CP-1", connector=1))) == 180
    assert len(memory.anomalies(severity="critical", open_only=False)) == 4
    assert len(memory.anomalies(open_only=True)) == 1
    assert len(memory.sessions("CP-2", since=timedelta(hours=1))) == 0
    assert len(memory.patterns("CP-1")) == 1


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (lambda memory: memory.events(limit=0), "`limit` is at least 1"),
        (lambda memory: memory.rollup("1d"), "no level '1d'"),
        (lambda memory: memory.events(since=datetime(2026, 1, 1)), "needs an offset"),  # noqa: DTZ001
        (lambda memory: memory.metrics("a\0b"), "NUL"),
        (lambda memory: memory.events(kind="rumour"), "no kind 'rumour' of events: can_frame_seen"),
        (lambda memory: memory.metrics(since="yesterday"), "`since`: 'yesterday' is no time: 2026-11-22, "),
        (lambda memory: memory.sessions(until=timedelta.max), "`until`: .* is no time"),
        (
            lambda memory: memory.gaps(since=20261122),
            "`since` is a datetime, a timedelta or a text, not 2026",
        ),
    ],
)
def test_wrong_questions(memory: Memory, question: Any, said: str) -> None:
    """Said in a sentence; and the memory answers the next one."""
    with pytest.raises(WrongQuestion, match=said):
        question(memory)
    assert len(memory.sessions()) == 5


def test_wrong_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No URL, no such frames, nobody there."""
    monkeypatch.chdir(tmp_path)
    for name in ("MEMORYBANK_READER_URL", "DATABASE_READER_URL", "DATABASE_URL", "CHARGEBENCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WrongQuestion, match="no bench runs here"):
        memorybank.open()
    with pytest.raises(WrongQuestion, match="the database URL is none"):
        memorybank.open("hello")
    with pytest.raises(WrongQuestion, match="not of 'excel'"):
        memorybank.open("postgresql://x", frames="excel")  # type: ignore[arg-type]
    away = memorybank.open(f"postgresql://nobody:x@127.0.0.1:{free_port()}/none")
    with pytest.raises(StoreUnavailable):
        away.events()


def test_the_truth_is_for_those_who_may(much: Postgres) -> None:
    """A reader is refused; the writer sees it."""
    with psycopg.connect(much.writer_url, autocommit=True) as connection:
        connection.execute(LABEL, (NOON,))
    with pytest.raises(StoreUnavailable, match="no right"):
        memorybank.open(much.reader_url).labels()
    (label,) = rows(memorybank.open(much.writer_url).labels())
    assert (label["at"], label["charge_point_ids"], label["seed"]) == (NOON, '["CP-1"]', "7")


@pytest.mark.parametrize("missing", ["pandas", "pyarrow"])
def test_a_missing_library_names_the_extra(missing: str) -> None:
    """And importing the package alone needs none of them."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None; import memorybank\n"
        "try: memorybank.open('postgresql://x')\n"
        "except ImportError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout == f"{missing} is not installed: pip install 'chargebench[notebook]'\n"


def test_the_page_shows_what_it_says(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cell of docs/notebook.md, run in order, shows the text below it."""
    asyncio.run(remember(postgres.writer_url, ten_minutes()))
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute(LABEL, (NOON,))
    home = tmp_path / ".chargebench"
    home.mkdir()
    (home / "viewer.url").write_text(postgres.reader_url)
    (home / "truth.url").write_text(postgres.writer_url)
    monkeypatch.chdir(tmp_path)
    for name in ("MEMORYBANK_READER_URL", "DATABASE_READER_URL", "DATABASE_URL", "CHARGEBENCH_HOME"):
        monkeypatch.delenv(name, raising=False)

    cells = re.findall(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", PAGE.read_text(), re.DOTALL)
    assert len(cells) >= 9
    names: dict[str, Any] = {}
    with pd.option_context("display.width", 110, "display.max_columns", None):
        shown = [show(cell, names) for cell, _ in cells]
    assert shown == [told for _, told in cells]


def show(cell: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does; return what it prints and its last value, blank ends cut."""
    tree = ast.parse(cell)
    last = tree.body[-1]
    printed = io.StringIO()
    with redirect_stdout(printed):
        if isinstance(last, ast.Expr):
            tree.body.pop()
            exec(compile(tree, "cell", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
            if value is not None:
                print(value)
        else:
            exec(compile(tree, "cell", "exec"), names)
    return "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())
