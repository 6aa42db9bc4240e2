"""The viewer against a real PostgreSQL with a small memory in it: piped, as JSON, at a terminal."""

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from memorybank.filters import EVENT_KINDS
from memorybank_parts import START_AT
from real_parts import Postgres, free_port
from remembered import NASTY, remember
from viewer_parts import at_terminal, environ, view

WHOLE_TIME = re.compile(r"\d\d-\d\d \d\d:\d\d:\d\d")


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    return postgres


def facts(*arguments: str, url: str) -> list[dict[str, object]]:
    shown = view(*arguments, "--json", url=url)
    assert (shown.returncode, shown.stderr) == (0, "")
    return [json.loads(line) for line in shown.stdout.splitlines()]


def test_summary(remembering: Postgres) -> None:
    """Piped, it is lines with tabs."""
    shown = view("--summary", url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = dict(line.split("\t") for line in shown.stdout.splitlines())
    assert (lines["events"], lines["readings"], lines["anomalies"]) == ("53", "181", "1")


def test_large_numbers_are_grouped_for_people(remembering: Postgres) -> None:
    """And for nobody else."""
    with psycopg.connect(remembering.writer_url) as connection:
        connection.execute("UPDATE memory.sources SET events = 1234567")
    with at_terminal("--summary", url=remembering.reader_url) as terminal:
        assert terminal.wait_end() == 0
    assert "1,234,567" in terminal.shown
    assert "events\t1234567\n" in view("--summary", url=remembering.reader_url).stdout
    assert facts("--summary", url=remembering.reader_url)[0]["events"] == 1234567


@pytest.mark.parametrize(
    "question", [["--events", "5"], ["--anomalies", "5"], ["--sessions", "5"], ["--stats"], ["--check"]]
)
def test_every_question_is_answered(remembering: Postgres, question: list[str]) -> None:
    """And nothing from outside reaches the terminal as a control character."""
    shown = view(*question, url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "CP-1" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\r" not in shown.stdout


def test_control_characters_are_spelled_out(remembering: Postgres) -> None:
    """An id tag with an escape sequence is shown, not obeyed."""
    assert r"TAG\x1b[31m\r\n<b>" in view("--sessions", "1", url=remembering.reader_url).stdout


def test_json_is_an_object_a_line(remembering: Postgres) -> None:
    """With every field as it is stored, instants in UTC; the pages of --stats say which they are."""
    url = remembering.reader_url
    (summary,) = facts("--summary", url=url)
    assert (summary["events"], summary["poison"]) == (53, 1)
    (session,) = facts("--sessions", "5", url=url)
    assert (session["id_tag"], session["energy_wh"]) == (NASTY, 1234.5)
    assert str(session["ended_at"]).endswith("Z")
    assert len(facts("--events", "60", url=url)) == 53
    pages = facts("--stats", url=url)
    assert {page["page"] for page in pages} >= {"charge_points", "patterns", "sources", "poison", "sizes"}
    currents = next(page["currents_a"] for page in pages if page.get("charge_point_id") == "CP-1")
    assert len(currents) == 20
    assert max(currents) > 50 > min(currents)


def test_a_plain_locale_is_no_hindrance(remembering: Postgres) -> None:
    """Piped it is UTF-8 wherever it runs."""
    with psycopg.connect(remembering.writer_url) as connection:
        connection.execute("UPDATE memory.sessions SET id_tag = 'Größe ▁'")
    shown = view("--sessions", "1", "--json", url=remembering.reader_url, PYTHONIOENCODING="ascii")
    assert json.loads(shown.stdout)["id_tag"] == "Größe ▁"
    assert "Größe" in view("--sessions", "1", url=remembering.reader_url, PYTHONIOENCODING="ascii").stdout


def test_many_rows_come_page_by_page(remembering: Postgres) -> None:
    """More than the reader gives at once, each once, in order."""
    with psycopg.connect(remembering.writer_url) as connection:
        connection.execute(
            "INSERT INTO memory.events (at, seq, source_no, kind, detail)"
            " SELECT %s, 1000 + n, 1, 'system_event', '{}' FROM generate_series(1, 2500) n",
            [START_AT],
        )
    found = facts("--events", "2400", "--kind", "system_event", url=remembering.reader_url)
    numbers = [event["seq"] for event in found if event["seq"] != 233]
    assert numbers == sorted(set(numbers), reverse=True)
    assert len(found) == 2400


@pytest.mark.parametrize(
    ("question", "count"),
    [
        (["--events", "100", "--charge-point", "CP-2"], 50),
        (["--events", "100", "--kind", "system_event"], 1),
        (["--events", "100", "--since", (START_AT + timedelta(minutes=2)).isoformat()], 1),
        (["--events", "100", "--until", (START_AT + timedelta(minutes=2)).isoformat()], 52),
        (["--events", "100", "--since", "3d", "--until", "2d"], 0),
        (["--events", "100", "--since", START_AT.isoformat()], 53),
        (["--anomalies", "5", "--severity", "critical"], 0),
        (["--anomalies", "5", "--charge-point", "CP-1", "--kind", "repeated-current-fluctuation"], 1),
        (["--sessions", "5", "--charge-point", "CP-9"], 0),
        (["--sessions", "5", "--since", "2099-01-01"], 0),
    ],
)
def test_filters(remembering: Postgres, question: list[str], count: int) -> None:
    """By charge point, time, kind and severity, together."""
    assert len(facts(*question, url=remembering.reader_url)) == count


def test_it_finds_the_bench_that_runs_here(remembering: Postgres, tmp_path: Path) -> None:
    """By the file that the embedded bench leaves: here, in CHARGEBENCH_HOME, in the folder given."""
    home = tmp_path / ".chargebench"
    home.mkdir()
    (home / "viewer.url").write_text(remembering.reader_url + "\n")
    assert view("--summary", cwd=tmp_path).returncode == 0
    assert view("--summary", CHARGEBENCH_HOME=str(home)).returncode == 0
    elsewhere = "postgresql://u:x@127.0.0.1:1/x"
    assert view("--summary", "--home", str(home), url=elsewhere).returncode == 0


def test_a_bench_that_does_not_run_is_said_so(tmp_path: Path) -> None:
    """Its folder is there, its database is not: one line, for the menu too."""
    url = f"postgresql://memorybank_reader:secret@127.0.0.1:{free_port()}/chargebench"
    (tmp_path / "viewer.url").write_text(url)
    for question in (["--summary"], []):
        shown = view(*question, "--home", str(tmp_path))
        assert (shown.returncode, shown.stdout) == (2, "")
        assert shown.stderr.startswith(f"memory-viewer: no bench runs in {tmp_path}")
        assert shown.stderr.count("\n") == 1
        assert "secret" not in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--events", "0"], "'0' is no number from 1 to 100000"),
        (["--events", "ten"], "'ten' is no number"),
        (["--events"], "expected one argument"),
        (["--summary", "--stats"], "not allowed with"),
        (["--what"], "unrecognized arguments: --what"),
        (["--export", "memory.txt"], "'memory.txt' does not end in .json, .csv, .parquet"),
        (["--can-log", "bus.trc"], "'bus.trc' does not end in .asc, .blf, .log"),
        (["--export", "/no/such/folder/memory.json"], "there is no folder"),
        (["--export", "memory.json", "--format", "csv"], "--format goes with --export - or"),
        (["--export", "memory.json", "--table", "dreams"], "invalid choice: 'dreams'"),
        (["--events", "5", "--table", "metrics"], "--table goes with --export"),
        (["--events", "5", "--pseudonymise"], "--pseudonymise goes with --export"),
        (["--export", "m.json", "--key", "k"], "--key goes with --pseudonymise"),
        (["--summary", "--truth"], "--truth goes with --export"),
        (["--follow", "--summary"], "--follow goes alone"),
        (["--summary", "--kind", "x"], "the summary cannot be filtered by kind"),
        (["--since", "soon", "--events", "1"], "'soon' is no time"),
        (["--since", "999999w", "--events", "1"], "'999999w' is no time"),
        (["--since", "1h", "--until", "2h", "--events", "1"], "`since` is not before `until`"),
        (["--severity", "dire", "--anomalies", "1"], "invalid choice: 'dire'"),
        (["--charge-point", "", "--events", "1"], "'' is no name"),
        (["--charge-point", "\udcff", "--events", "1"], "is no name"),
        (["--events", "9" * 5000], "is no number from 1 to 100000"),
        (["--export", "m.json", "--pseudonymise", "--key", ""], "--key: it is empty"),
        (["--export", "m.json", "--pseudonymise", "--key", "@"], "--key: it is empty"),
        (["--home", "x", "--database", "postgresql://h/d"], "name two memories"),
        (["--summary"], "no bench runs here"),
        (["--summary", "--home", "nowhere"], "no bench runs here"),
        (["--summary", "--database", "hello"], "the database URL is none"),
        (["--summary", "--database", "postgresql://u:secret@127.0.0.1:1/x"], "onnection"),
        (["--database", "postgresql://u:secret@127.0.0.1:1/x"], "onnection"),
    ],
)
def test_wrong_input_gets_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    """Exit status 2, one line on stderr, no password in it."""
    shown = view(*arguments, cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (2, "")
    assert said in shown.stderr
    assert shown.stderr.startswith("memory-viewer: ")
    assert shown.stderr.count("\n") == 1
    assert "secret" not in shown.stderr


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (["--events", "1", "--severity", "info"], "events cannot be filtered by severity"),
        (["--sessions", "1", "--kind", "x"], "sessions cannot be filtered by kind"),
        (["--follow", "--since", "1h"], "followed events cannot be filtered by time"),
        (["--events", "2", "--kind", "bogus"], "there is no kind 'bogus' of events: can_frame_seen, ocpp_"),
        (["--events", "2", "--kind", "bogus", "--json"], "there is no kind 'bogus' of events"),
        (["--follow", "--kind", "bogus"], "there is no kind 'bogus' of events"),
        (["--export", "e.csv", "--table", "events", "--kind", "bogus"], "there is no kind 'bogus' of events"),
        (["--export", "m.csv", "--severity", "info"], "metrics cannot be filtered by severity"),
        (
            ["--export", "m.csv", "--table", "gaps", "--charge-point", "CP-1"],
            "gaps cannot be filtered by charge p",
        ),
        (
            ["--export", "m.csv", "--table", "patterns", "--since", "1h"],
            "patterns cannot be filtered by time",
        ),
        (["--export", "m.json", "--pseudonymise", "--key", "@/dev/null"], "/dev/null holds no key"),
        (["--can-log", "c.log", "--kind", "x"], "CAN logs cannot be filtered by kind"),
        (["--can-log", "c.log", "--charge-point", "CP-9"], "no CAN frame is remembered there"),
        ([], "no terminal for the menu"),
    ],
)
def test_what_has_no_answer_gets_one_line(
    remembering: Postgres, tmp_path: Path, question: list[str], said: str
) -> None:
    """Rather than the answer to another question; and no file."""
    shown = view(*question, url=remembering.reader_url, cwd=tmp_path)
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (2, "", 1)
    assert said in shown.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_memory_is_said_so(postgres: Postgres) -> None:
    """A database that no MemoryBank has migrated: one line, not a stack."""
    shown = view("--summary", url=postgres.reader_url)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("question", [["--summary"], ["--check", "--json"], ["--follow"]])
def test_a_full_disk_is_said_so(remembering: Postgres, question: list[str]) -> None:
    """One line, and not the exit status of an unsound memory."""
    with Path("/dev/full").open("wb") as full:
        shown = subprocess.run(
            [sys.executable, "-m", "memorybank.viewer", *question],
            env=environ(remembering.reader_url),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1), shown.stderr
    assert "No space left" in shown.stderr


def test_help_has_examples() -> None:
    """--help shows how it is used."""
    shown = view("--help")
    assert shown.returncode == 0
    assert "memory-viewer --anomalies 20" in shown.stdout
    assert all(kind in shown.stdout for kind in EVENT_KINDS)
    page = Path(__file__).parents[2] / "docs" / "viewer.md"
    assert all(f"`{kind}`" in page.read_text() for kind in EVENT_KINDS)


@pytest.mark.parametrize("columns", [80, 100, 110])
def test_tables_fit_a_terminal(remembering: Postgres, columns: int) -> None:
    """No line is longer, no time broken; what is left out is named."""
    for question in (["--anomalies", "5"], ["--sessions", "5"], ["--events", "60"], ["--stats"], ["--check"]):
        with at_terminal(*question, url=remembering.reader_url, columns=columns) as terminal:
            assert terminal.wait_end() == 0
        assert max(map(len, terminal.shown.splitlines())) <= columns
        assert WHOLE_TIME.search(terminal.shown) or question in (["--stats"], ["--check"])
    with at_terminal("--sessions", "5", url=remembering.reader_url, columns=columns) as terminal:
        terminal.wait_end()
    assert "left out in this width: " in terminal.shown


@pytest.mark.parametrize("columns", [60, 40, 20])
def test_where_no_table_fits_fields_stand_below_each_other(remembering: Postgres, columns: int) -> None:
    """Whole, and all of them."""
    with at_terminal("--sessions", "1", url=remembering.reader_url, columns=columns) as terminal:
        assert terminal.wait_end() == 0
    lines = terminal.shown.splitlines()
    assert max(map(len, lines)) <= columns
    shown = "".join(line.strip() for line in lines)
    assert "1,234.5" in shown
    assert "reason:" in shown


@pytest.mark.parametrize("columns", [20, 50, 80, 100, 140])
def test_anomalies_are_blocks_where_the_explanation_would_be_narrow(
    remembering: Postgres, columns: int
) -> None:
    """A line of facts, the explanation below, no word broken that need not be."""
    (anomaly,) = facts("--anomalies", "1", url=remembering.reader_url)
    with at_terminal("--anomalies", "1", url=remembering.reader_url, columns=columns) as terminal:
        assert terminal.wait_end() == 0
    lines = terminal.shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert "│" not in terminal.shown
    told = " ".join(" ".join(lines).split())
    if columns >= 50:
        assert str(anomaly["explanation"]) in told
        assert all(line.startswith("  ") for line in lines[2:])
    if columns >= 80:
        assert WHOLE_TIME.match(lines[1])
        told = f"{anomaly['severity']}  score {anomaly['score']:.1f}  open"
        assert lines[1].endswith(f"  CP-1/1  repeated-current-fluctuation  {told}")


def test_an_anomaly_that_ended_says_when(remembering: Postgres) -> None:
    """With the day only where it is another one; in a wide terminal it is a row of a table."""
    for later, told in (("0 s", r"ended \d\d:\d\d:\d\d$"), ("1 day", r"ended [\d-]+ \d\d:\d\d:\d\d$")):
        with psycopg.connect(remembering.writer_url) as connection:
            connection.execute(
                "UPDATE memory.anomalies SET phase = 'closed', ended_at = started_at + %s::interval", [later]
            )
        with at_terminal("--anomalies", "1", url=remembering.reader_url, columns=110) as terminal:
            terminal.wait_end()
        (line,) = [line for line in terminal.shown.splitlines() if "repeated" in line]
        assert re.search(f"  {told}", line)
    with at_terminal("--anomalies", "1", url=remembering.reader_url, columns=200) as terminal:
        terminal.wait_end()
    assert "┃ deviation ┃" in terminal.shown


def test_a_status_is_whole_in_80_columns(remembering: Postgres) -> None:
    """What a terminal has by default is enough for the state of the fleet."""
    with psycopg.connect(remembering.writer_url) as connection:
        connection.execute(
            "UPDATE memory.charge_points SET status = 'SuspendedEVSE' WHERE charge_point_id = 'CP-1'"
        )
    with at_terminal("--stats", url=remembering.reader_url, columns=80) as terminal:
        assert terminal.wait_end() == 0
    assert "SuspendedEVSE" in terminal.shown


def test_charge_points_have_the_course_of_their_current(remembering: Postgres) -> None:
    """The last minute as a sparkline, on a scale from 0 that all share."""
    with at_terminal("--stats", url=remembering.reader_url, columns=110) as terminal:
        assert terminal.wait_end() == 0
    (line,) = [line for line in terminal.shown.splitlines() if line.startswith("│ CP-1") and "▁" in line]
    course = line.split("│")[5].strip()
    assert len(course) == 20
    assert {"▁", "█"} <= set(course)


def test_the_menu(remembering: Postgres, tmp_path: Path) -> None:
    """Choices by number, tables drawn, an answer to nonsense, filters that stay, q ends it."""
    with at_terminal(url=remembering.reader_url, cwd=tmp_path) as terminal:
        terminal.wait_for("? ")
        terminal.type("1\n")
        terminal.wait_for("The memory")
        terminal.type("x\n")
        terminal.wait_for("1 to 9, or q")
        terminal.type("2\n")
        terminal.wait_for("repeated-current-fluctuation")
        terminal.type("6\n")
        terminal.wait_for("memory.json: everything\n")
        assert json.loads((tmp_path / "memory.json").read_bytes())["events"]
        terminal.type("8\nCP-2\nnever\n")
        terminal.wait_for("that is no time")
        terminal.type("8\nCP-2\n999999w\n")
        terminal.wait_for("that is no time", times=2)
        terminal.type("8\n\n\n\n\ndire\n")
        terminal.wait_for("there is no severity 'dire'")
        terminal.type("8\nCP-2\n1h\n\n\ninfo\n")
        terminal.wait_for("only CP-2, info, since ")
        terminal.type("4\n")
        terminal.wait_for("events cannot be filtered by severity")
        terminal.type("8\nCP-2\n\n\n\n\n")
        terminal.wait_for("only CP-2\n")
        terminal.type("4\n")
        terminal.wait_for("0x300 6400 heard")
        terminal.type("6\n")
        terminal.wait_for("memory.json: only CP-2\n")
        exported = json.loads((tmp_path / "memory.json").read_bytes())
        assert exported["about"]["filters"] == {"charge_point_id": "CP-2"}
        assert {row["charge_point_id"] for row in exported["metrics"]} == {"CP-2"}
        terminal.type("9\n")
        terminal.wait_for("each is there once")
        terminal.type("q\n")
        assert terminal.wait_end() == 0


def test_the_menu_moves_no_cursor_where_its_output_is_no_terminal(
    remembering: Postgres, tmp_path: Path
) -> None:
    """As `make viewer | tee log` does; an export tells no progress there."""
    terminal, its_end = pty.openpty()
    try:
        os.write(terminal, b"1\n6\nq\n")
        done = subprocess.run(
            [sys.executable, "-m", "memorybank.viewer", "--database", remembering.reader_url],
            stdin=its_end,
            capture_output=True,
            env=environ(TERM="xterm"),
            cwd=tmp_path,
            timeout=60,
            check=True,
        )
    finally:
        os.close(terminal)
        os.close(its_end)
    assert b"memory.json: everything\n" in done.stdout
    assert b"\x1b" not in done.stdout
    assert b"\r" not in done.stdout


def test_the_menus_filter_narrows_the_statistics_too(remembering: Postgres) -> None:
    """As it says below the choices."""
    with at_terminal("--charge-point", "CP-2", url=remembering.reader_url) as terminal:
        terminal.wait_for("only CP-2")
        terminal.type("5\n")
        terminal.wait_for("Learned patterns")
        terminal.type("q\n")
        assert terminal.wait_end() == 0
    assert "CP-1" not in terminal.shown


def test_the_menu_follows_and_comes_back(remembering: Postgres) -> None:
    """Ctrl-C ends what is followed, not the menu."""
    with at_terminal(url=remembering.reader_url) as terminal:
        terminal.wait_for("q  Quit")
        terminal.type("7\n")
        terminal.wait_for("transaction 5 ended")
        terminal.type("\x03")
        terminal.wait_for("q  Quit", times=2)
        terminal.type("q\n")
        assert terminal.wait_end() == 0
    assert "Traceback" not in terminal.shown


def test_the_menu_outlives_the_database(own_postgres: Postgres) -> None:
    """While it is away a choice says so; afterwards it is answered again."""
    asyncio.run(remember(own_postgres.writer_url))
    with at_terminal(url=own_postgres.reader_url) as terminal:
        terminal.wait_for("q  Quit")
        own_postgres.server.kill()
        terminal.type("1\n")
        terminal.wait_for("the database does not answer")
        own_postgres.server.start()
        own_postgres.wait_ready()
        terminal.type("1\n")
        terminal.wait_for("The memory")
