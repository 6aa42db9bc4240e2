"""The viewer's exports from a real PostgreSQL, read back with pyarrow, polars and the csv module."""

import asyncio
import csv
import io
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
import pyarrow.parquet
import pytest

from contracts.events import OcppMessageSeen
from memorybank_parts import START_AT
from real_parts import Postgres
from remembered import NASTY, remember, three_minutes
from viewer_parts import at_terminal, environ, view

EVERYTHING = {
    "sources", "gaps", "charge_points", "sessions", "anomalies", "patterns", "verdicts", "metrics", "events",
}  # fmt: skip


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    return postgres


def export(file: Path, *more: str, url: str) -> str:
    """Return what is said of an export that works."""
    shown = view("--export", str(file), *more, url=url)
    assert (shown.returncode, shown.stderr) == (0, "")
    return shown.stdout


def table_in(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def labelled(postgres: Postgres) -> None:
    """A run on CP-1 from the second minute on, taken over by another one in the third."""
    with psycopg.connect(postgres.writer_url) as connection, connection.cursor() as cursor:
        for number, (run, phase, minute) in enumerate(
            [("run-1", "started", 1), ("run-2", "started", 2), ("run-1", "ended", 3)]
        ):
            cursor.execute(
                "INSERT INTO truth.labels VALUES (%s, %s, 1, %s, 's', 'a', %s, '{CP-1}', '{}', 7)",
                [START_AT + timedelta(minutes=minute), number, run, phase],
            )


def test_json_holds_everything_but_the_truth(remembering: Postgres, tmp_path: Path) -> None:
    """One JSON object with all tables, as they are stored; nothing else is left in the folder."""
    labelled(remembering)
    file = tmp_path / "memory.json"
    assert export(file, url=remembering.reader_url) == f"240 rows in {file}\n"
    exported = json.loads(file.read_bytes())
    assert set(exported) == {"exported_at", "about", *EVERYTHING}
    assert exported["about"] == {"filters": {}, "pseudonymised": False}
    assert {table: len(exported[table]) for table in ("metrics", "events", "gaps")} == {
        "metrics": 181, "events": 53, "gaps": 0,
    }  # fmt: skip
    assert exported["sessions"][0]["id_tag"] == NASTY
    assert exported["anomalies"][0]["kind"] == "repeated-current-fluctuation"
    first = min(exported["metrics"], key=lambda row: row["seq"])
    assert datetime.fromisoformat(first["at"]) == START_AT
    assert (first["current_a"], first["voltage_v"], first["connector"]) == (0.0, None, 1)
    assert exported["events"][0]["detail"]["id_tag"] == NASTY
    assert list(tmp_path.iterdir()) == [file]


def test_an_export_can_be_narrowed(remembering: Postgres, tmp_path: Path) -> None:
    """By charge point and time where a table has them; by kind, only the tables that have one."""
    file = tmp_path / "memory.json"
    middle = (START_AT + timedelta(seconds=90)).isoformat()
    export(file, "--charge-point", "CP-1", "--since", middle, url=remembering.reader_url)
    exported = json.loads(file.read_bytes())
    assert len(exported["metrics"]) == 90
    assert [event["kind"] for event in exported["events"]] == ["transaction_ended"]
    assert exported["about"]["filters"] == {"charge_point_id": "CP-1", "since": middle.replace("+00:00", "Z")}
    export(file, "--kind", "can_frame_seen", url=remembering.reader_url)
    exported = json.loads(file.read_bytes())
    assert set(exported) == {"exported_at", "about", "anomalies", "patterns", "verdicts", "events"}
    assert len(exported["events"]) == 50
    export(file, "--table", "sessions", url=remembering.reader_url)
    assert set(json.loads(file.read_bytes())) == {"exported_at", "about", "sessions"}


def test_csv(remembering: Postgres, tmp_path: Path) -> None:
    """A heading and the readings; where else there is something, is said."""
    file = tmp_path / "memory.csv"
    said = export(file, url=remembering.reader_url)
    assert said == f"181 rows of metrics in {file}; other tables: --table NAME, or all\n"
    rows = table_in(file)
    assert len(rows) == 181
    assert {row["charge_point_id"] for row in rows} == {"CP-1", "CP-2"}
    assert max(float(row["current_a"]) for row in rows) == 99.0
    export(file, "--table", "events", url=remembering.reader_url)
    details = [json.loads(row["detail"]) for row in table_in(file)]
    assert NASTY in {detail.get("id_tag") for detail in details}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_columns_begin_with_when_and_where(remembering: Postgres, tmp_path: Path, form: str) -> None:
    """And end with who numbered it; the values stand below their headings."""
    where = ["at", "charge_point_id", "connector"]
    file = tmp_path / f"m.{form}"
    for more, first, last in (
        (["--table", "metrics"], [*where, "origin", "transaction_id", "current_a"], ["source_no", "seq"]),
        (["--table", "metrics_1m"], [*where, "origin", "current_sum"], ["soc_max", "energy_max"]),
        (["--table", "events"], [*where, "kind", "detail", "source_no", "seq"], []),
        (["--table", "events", "--pseudonymise"], [*where, "kind", "detail", "source_no", "seq"], []),
    ):
        export(file, *more, url=remembering.reader_url)
        frame = pl.read_csv(file) if form == "csv" else pl.read_parquet(file)
        assert frame.columns[: len(first)] == first
        assert frame.columns[len(frame.columns) - len(last) :] == last
        assert set(frame["charge_point_id"].drop_nulls()) == {"CP-1", "CP-2"}
        assert set(frame["connector"].drop_nulls()) == {1}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_all_tables_a_file_each(remembering: Postgres, tmp_path: Path, form: str) -> None:
    """Named after their table, all of one instant."""
    said = export(tmp_path / f"m.{form}", "--table", "all", url=remembering.reader_url)
    assert {file.name for file in tmp_path.iterdir()} == {f"m-{table}.{form}" for table in EVERYTHING}
    assert len(said.splitlines()) == len(EVERYTHING)


def test_parquet(remembering: Postgres, tmp_path: Path) -> None:
    """Typed columns, instants in UTC, what is missing is null; pyarrow and polars read the same."""
    file = tmp_path / "memory.parquet"
    export(file, url=remembering.reader_url)
    table = pyarrow.parquet.read_table(file)
    assert table.num_rows == 181
    assert str(table.schema.field("at").type) == "timestamp[us, tz=UTC]"
    assert str(table.schema.field("current_a").type) == "double"
    assert str(table.schema.field("connector").type) == "int16"
    assert table["voltage_v"].null_count == 181
    about = json.loads(pyarrow.parquet.read_metadata(file).metadata[b"chargebench"])
    assert (about["table"], about["pseudonymised"]) == ("metrics", False)
    frame = pl.read_parquet(file).sort("seq")
    assert frame["at"][0] == START_AT
    assert frame["current_a"].max() == 99.0
    assert frame["transaction_id"].null_count() == 1


@pytest.mark.parametrize("table", ["events", "sessions", "anomalies", "metrics_10s", "gaps"])
def test_parquet_of_other_tables(remembering: Postgres, tmp_path: Path, table: str) -> None:
    """The same rows as in JSON; JSON in them is text, and a table without rows is one."""
    url = remembering.reader_url
    export(tmp_path / "m.parquet", "--table", table, url=url)
    export(tmp_path / "m.json", "--table", table, url=url)
    typed = pl.read_parquet(tmp_path / "m.parquet").to_dicts()
    plain = json.loads((tmp_path / "m.json").read_bytes())[table]
    assert len(typed) == len(plain)
    for one, other in zip(typed, plain, strict=True):
        for name, value in other.items():
            found = one[name]
            if isinstance(found, datetime):
                assert found == datetime.fromisoformat(value)
            elif isinstance(value, dict):
                assert json.loads(found) == value
            else:
                assert found == (value if value != "" else None)


def test_the_standard_output(remembering: Postgres) -> None:
    """For containers: `-`, in the format that is asked for, and nothing else on it."""
    url = remembering.reader_url
    assert len(json.loads(view("--export", "-", url=url).stdout)["events"]) == 53
    rows = list(csv.DictReader(io.StringIO(view("--export", "-", "--format", "csv", url=url).stdout)))
    assert len(rows) == 181
    typed = subprocess.run(
        [sys.executable, "-m", "memorybank.viewer", "--export", "-", "--format", "parquet"],
        env=environ(url), capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    assert pl.read_parquet(typed.stdout).height == 181


def test_pseudonyms(postgres: Postgres, tmp_path: Path) -> None:
    """No id tag is left, in any table or format; the same tag has the same name, by the same key only."""
    call = OcppMessageSeen(
        at=START_AT, charge_point_id="CP-1", direction="received", message_type="call", action="DataTransfer",
        payload={"idTag": "SECRET1", "data": '{"idTag":"SECRET1"}', "parts": [{"parentIdTag": "SECRET2"}]},
    )  # fmt: skip
    asyncio.run(remember(postgres.writer_url, [*three_minutes(), call]))
    names: dict[str, str] = {}
    for form in ("json", "csv", "parquet"):
        file = tmp_path / f"m.{form}"
        for table in ("sessions", "events"):
            more = ("--table", table, "--pseudonymise", "--key", "k")
            export(file, *more, url=postgres.reader_url)
            text = (
                json.dumps(pl.read_parquet(file).to_dicts(), default=str)
                if form == "parquet"
                else file.read_text()
            )
            assert "SECRET" not in text
            assert "TAG" not in text
            assert "tag-" in text
            if table == "sessions":
                names[form] = text[text.index("tag-") :][:20]
    assert len(set(names.values())) == 1
    export(tmp_path / "n.json", "--pseudonymise", url=postgres.reader_url)
    exported = json.loads((tmp_path / "n.json").read_bytes())
    assert exported["about"]["pseudonymised"] is True
    (own,) = {session["id_tag"] for session in exported["sessions"]}
    assert own.startswith("tag-")
    assert own != names["json"]
    (tmp_path / "key").write_text("k\n")
    export(tmp_path / "n.json", "--pseudonymise", "--key", f"@{tmp_path / 'key'}", url=postgres.reader_url)
    assert json.loads((tmp_path / "n.json").read_bytes())["sessions"][0]["id_tag"] == names["json"]


def test_ground_truth_if_it_is_asked_for(remembering: Postgres, tmp_path: Path) -> None:
    """The labels, the runs, and each row's run: the one that held its charge point then."""
    labelled(remembering)
    file = tmp_path / "memory.json"
    export(file, "--truth", "--database", remembering.writer_url, url=remembering.reader_url)
    exported = json.loads(file.read_bytes())
    assert [label["run_id"] for label in exported["labels"]] == ["run-1", "run-2", "run-1"]
    assert [run["run_id"] for run in exported["about"]["runs"]] == ["run-1", "run-2"]
    assert len(exported["metrics"]) == 181
    runs = [row["run_id"] for row in sorted(exported["metrics"], key=lambda row: row["seq"])]
    assert runs == [None] * 60 + ["run-1"] * 60 + ["run-2"] * 60 + [None]
    assert exported["sessions"][0]["run_id"] is None
    file = tmp_path / "memory.parquet"
    export(file, "--truth", "--database", remembering.writer_url, url=remembering.reader_url)
    frame = pl.read_parquet(file)
    assert frame["run_id"].value_counts(sort=True).height == 3


def test_ground_truth_needs_the_right(remembering: Postgres, tmp_path: Path) -> None:
    """A reader is told whose URL it takes; the writer's is found where it is."""
    labelled(remembering)
    shown = view("--export", str(tmp_path / "m.json"), "--truth", url=remembering.reader_url)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "may not see the truth" in shown.stderr
    assert view("--export", "-", "--table", "labels", url=remembering.reader_url).returncode == 2
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "viewer.url").write_text(remembering.reader_url)
    (tmp_path / "truth.url").write_text(remembering.writer_url)
    assert view("--export", "-", "--truth", "--home", str(tmp_path)).returncode == 0
    both = {"DATABASE_READER_URL": remembering.reader_url, "DATABASE_URL": remembering.writer_url}
    assert "run-1" in view("--export", "-", "--truth", **both).stdout
    assert "run-1" not in view("--export", "-", **both).stdout


def test_a_writers_export_without_truth_has_none(remembering: Postgres) -> None:
    """Not even who numbered it."""
    with psycopg.connect(remembering.writer_url) as connection:
        connection.execute(
            "INSERT INTO memory.sources (source, boot, committed_seq)"
            " VALUES ('csms/truth/00', gen_random_uuid(), 3)"
        )
        connection.execute(
            "INSERT INTO memory.gaps (source_no, first_seq, last_seq)"
            " SELECT source_no, 1, 2 FROM memory.sources WHERE source = 'csms/truth/00'"
        )
    exported = json.loads(view("--export", "-", url=remembering.writer_url).stdout)
    assert [source["source"] for source in exported["sources"]] == ["chargepoint:CP-1/events/10"]
    assert exported["gaps"] == []


@pytest.mark.parametrize("name", ["memory.json", "memory.csv", "memory.parquet"])
def test_a_failed_export_leaves_no_file(remembering: Postgres, tmp_path: Path, name: str) -> None:
    """What is not whole does not appear; what was there stays."""
    (tmp_path / name).write_text("before")
    with psycopg.connect(remembering.superuser_url, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON memory.metrics FROM memorybank_reader")
    shown = view("--export", str(tmp_path / name), url=remembering.reader_url)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [(name, "before")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_is_said_so(remembering: Postgres) -> None:
    """One line."""
    with Path("/dev/full").open("wb") as full:
        for form in ("json", "csv", "parquet"):
            shown = subprocess.run(
                [sys.executable, "-m", "memorybank.viewer", "--export", "-", "--format", form],
                env=environ(remembering.reader_url),
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
            )
            assert (shown.returncode, shown.stderr.count("\n")) == (2, 1), shown.stderr
            assert "No space left" in shown.stderr


@pytest.fixture(scope="module")
def remembering_much(module_postgres: Postgres) -> Postgres:
    """A million readings more, of a charge point of their own; for tests that only export."""
    asyncio.run(remember(module_postgres.writer_url))
    with psycopg.connect(module_postgres.writer_url) as connection:
        connection.execute(
            "INSERT INTO memory.metrics (at, seq, source_no, connector, charge_point_id, origin, current_a)"
            " SELECT %s + n * interval '1 ms', 1000 + n, 1, 1, 'CP-7', 'can', 50 + 49 * sin(n / 30.0)"
            " FROM generate_series(1, 1000000) n",
            [START_AT],
        )
    return module_postgres


MEASURED = """
import atexit, pathlib, sys
from memorybank.viewer.__main__ import main
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr))
main(sys.argv[1:])
"""


def peak_mb(url: str, file: Path) -> float:
    """Return the most memory that an export held, as the kernel counts it."""
    shown = subprocess.run(
        [sys.executable, "-c", MEASURED, "--export", str(file)],
        env=environ(url),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = [line for line in shown.stderr.splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize("name", ["memory.json", "memory.csv", "memory.parquet"])
def test_a_million_rows_need_no_memory(
    remembering: Postgres, remembering_much: Postgres, tmp_path: Path, name: str
) -> None:
    """What a small export takes, and a group of Parquet."""
    small = peak_mb(remembering.reader_url, tmp_path / name)
    large = peak_mb(remembering_much.reader_url, tmp_path / name)
    print(f"{name}: {small:.0f} MB for 181 readings, {large:.0f} MB for 1,000,181")
    assert large - small < (60 if name.endswith("parquet") else 15)
    if name.endswith("parquet"):
        assert pyarrow.parquet.read_metadata(tmp_path / name).num_rows == 1_000_181


@pytest.mark.parametrize("name", ["memory.json", "memory.csv", "memory.parquet"])
def test_progress_at_a_terminal_and_ctrl_c(remembering_much: Postgres, tmp_path: Path, name: str) -> None:
    """How far it is, on one line; Ctrl-C ends it with 130, without a stack or half a file."""
    with at_terminal("--export", str(tmp_path / name), url=remembering_much.reader_url) as terminal:
        terminal.wait_for(" rows of about ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.wait_end() == 130
    assert "Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_of_one_instant(remembering: Postgres, tmp_path: Path) -> None:
    """Its time stands in it, in UTC."""
    before = datetime.now(UTC)
    export(tmp_path / "m.json", url=remembering.reader_url)
    at = datetime.fromisoformat(json.loads((tmp_path / "m.json").read_bytes())["exported_at"])
    assert before <= at <= datetime.now(UTC)


@pytest.mark.parametrize("name", ["memory.json", "memory.csv", "memory.parquet"])
def test_a_database_that_goes_away_meanwhile(remembering_much: Postgres, tmp_path: Path, name: str) -> None:
    """One line and exit status 2; half a file is none."""
    with (
        at_terminal("--export", str(tmp_path / name), url=remembering_much.reader_url) as terminal,
        psycopg.connect(remembering_much.superuser_url, autocommit=True) as connection,
    ):
        terminal.wait_for(" rows of about ")
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'memorybank_reader'"
        )
        assert terminal.wait_end() == 2
    assert "Traceback" not in terminal.shown
    assert terminal.shown.count("memory-viewer: ") == 1
    assert list(tmp_path.iterdir()) == []
