"""The HTTP API and the viewer against a real PostgreSQL with a small memory in it."""

import asyncio
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from contracts import events, topics
from contracts.events import CanFrameSeen, TransactionEnded, TransactionStarted
from memorybank.api import make_app
from memorybank.detectors.reversals import Reversals
from memorybank.errors import StoreUnavailable
from memorybank.intake import take
from memorybank.reader import Reader
from memorybank.records import Poison
from memorybank.store import Store
from memorybank.watch import Watch
from memorybank.work import Work
from memorybank_parts import START_AT, batch, note, reading, source_of
from real_parts import Postgres, free_port

NASTY = "TAG\x1b[31m\r\n<b>"


async def remember(url: str) -> None:
    """Three minutes of the base scenario on CP-1, a session, some frames, one of them now."""
    store = Store(url)
    await store.load()
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    happened = [
        TransactionStarted(
            at=START_AT,
            charge_point_id="CP-1",
            connector=1,
            transaction_id=5,
            id_tag=NASTY,
            meter_start_wh=0.0,
        ),
        *(reading(second, cycle[second % 8], transaction_id=5) for second in range(180)),
        TransactionEnded(
            at=START_AT + timedelta(seconds=180),
            charge_point_id="CP-1",
            connector=1,
            transaction_id=5,
            meter_stop_wh=1234.5,
        ),
        *(
            CanFrameSeen(at=START_AT, charge_point_id="CP-2", connector=1, can_id=0x300, data="6400")
            for _ in range(50)
        ),
        note(1),
        reading(0, 42.0, charge_point_id="CP-2", at=datetime.now(UTC)),
    ]
    taken = take(topics.events_topic(source_of()), events.encode(batch(happened)))
    position = await store.position(taken.source, taken.boot, taken.committed)
    work = Work()
    work.add(position.source_no, position.committed, "t", taken, Watch((Reversals(),)), 0.0)
    work.rows.poison.append(Poison(topic="t", reason="nonsense", payload=b"x"))
    await store.save(work)
    await store.aclose()


@pytest.fixture
def remembering(postgres: Postgres) -> Postgres:
    asyncio.run(remember(postgres.writer_url))
    return postgres


@pytest.fixture
def client(remembering: Postgres) -> Iterator[httpx.Client]:
    with Reader(remembering.reader_url) as reader:
        app = make_app(reader, lambda: {"ok": True, "service": "memorybank"})
        transport = httpx.ASGITransport(app=app)
        yield _Sync(transport)


class _Sync:
    """Asks the application itself; the server in front of it is tested with the process."""

    def __init__(self, transport: httpx.ASGITransport) -> None:
        self._transport = transport

    def get(self, path: str, **parameters: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self._transport, base_url="http://test") as client:
                return await client.get(path, params=parameters or None)  # type: ignore[arg-type]

        return asyncio.run(ask())


def test_summary(client: _Sync) -> None:
    """How much is remembered."""
    summary = client.get("/api/summary").json()
    assert summary.pop("lag_s") >= 0
    assert summary.pop("last_event_at").endswith("Z")
    assert summary == {
        "events": 53,
        "metrics": 181,
        "sessions": 1,
        "anomalies": 1,
        "open_anomalies": 1,
        "charge_points": 2,
        "first_event_at": START_AT.isoformat().replace("+00:00", "Z"),
        "gaps": 0,
        "duplicates": 0,
        "poison": 1,
    }


def test_anomalies(client: _Sync) -> None:
    """Each is what the live topic told of it."""
    answer = client.get("/api/anomalies", charge_point_id="CP-1", open="true")
    (anomaly,) = answer.json()
    assert events.decode_anomaly(json.dumps(anomaly).encode()).kind == "repeated-current-fluctuation"
    assert client.get("/api/anomalies", open="false").json() == []
    assert client.get("/api/anomalies", charge_point_id="CP-2").json() == []


def test_sessions(client: _Sync) -> None:
    """With energy, peak, mean and the number of anomalies."""
    (session,) = client.get("/api/sessions").json()
    assert session["transaction_id"] == "5"
    assert session["id_tag"] == NASTY
    assert (session["energy_wh"], session["peak_a"], session["anomalies"]) == (1234.5, 99.0, 1)


def test_events(client: _Sync) -> None:
    """Newest first, by charge point and kind, bounded."""
    assert [event["kind"] for event in client.get("/api/events", limit=1).json()] == ["transaction_ended"]
    frames = client.get("/api/events", kind="can_frame_seen", charge_point_id="CP-2").json()
    assert len(frames) == 50
    assert frames[0]["summary"] == "0x300 6400 heard"
    assert client.get("/api/events", kind="rumour").json() == []


def test_metrics(client: _Sync) -> None:
    """The last seconds of a connector, oldest first."""
    (metric,) = client.get("/api/metrics", charge_point_id="CP-2", seconds=60).json()
    assert metric["current_a"] == 42.0
    assert client.get("/api/metrics", charge_point_id="CP-2", origin="ocpp").json() == []
    old = client.get("/api/metrics", charge_point_id="CP-1", seconds=3600).json()
    assert [row["at"] for row in old] == sorted(row["at"] for row in old)
    assert len(old) == 180


@pytest.mark.parametrize(
    "question",
    [
        "/api/anomalies?limit=0",
        "/api/anomalies?limit=1001",
        "/api/anomalies?open=perhaps",
        "/api/events?limit=many",
        "/api/metrics",
        "/api/metrics?charge_point_id=CP-1&seconds=-1",
        "/api/metrics?charge_point_id=CP-1&connector=300",
        "/api/metrics?charge_point_id=CP-1&origin=dream",
        "/api/sessions?charge_point_id=",
        "/api/sessions?charge_point_id=a%00b",
    ],
)
def test_bad_questions_are_refused(client: _Sync, question: str) -> None:
    """Out of bounds or no value at all: 422."""
    assert client.get(question).status_code == 422


def test_a_database_that_is_away_is_said_so(client: _Sync) -> None:
    """503 with the reason, and the application lives on."""
    with Reader(f"postgresql://nobody:x@127.0.0.1:{free_port()}/none") as reader:
        app = make_app(reader, lambda: {"ok": False})
        answer = _Sync(httpx.ASGITransport(app=app)).get("/api/summary")
    assert answer.status_code == 503
    assert "the database does not answer" in answer.json()["detail"]


def test_a_slow_question_is_ended(remembering: Postgres) -> None:
    """The reader's own time limit ends it."""
    with Reader(remembering.reader_url, timeout_s=0.2) as reader:
        with pytest.raises(StoreUnavailable, match=r"no answer within 0\.2 s"), reader._connection() as busy:
            busy.execute("SELECT pg_sleep(5)")
        assert reader.summary()["sessions"] == 1


def view(
    *arguments: str, url: str | None = None, cwd: Path | None = None, **environ: str
) -> "subprocess.CompletedProcess[str]":
    inherited = {k: v for k, v in os.environ.items() if "DATABASE" not in k and k != "CHARGEBENCH_HOME"}
    return subprocess.run(
        [sys.executable, "-m", "memorybank.viewer", *arguments],
        env={**inherited, **environ, **({"DATABASE_URL": url} if url else {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_the_viewer_shows_the_summary(remembering: Postgres) -> None:
    """Piped, it is lines with tabs."""
    shown = view("--summary", url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = dict(line.split("\t") for line in shown.stdout.splitlines())
    assert (lines["events"], lines["readings"], lines["anomalies"]) == ("53", "181", "1")


@pytest.mark.parametrize(
    "question", [["--events", "5"], ["--anomalies", "5"], ["--sessions", "5"], ["--stats"]]
)
def test_the_viewer_answers(remembering: Postgres, question: list[str]) -> None:
    """Each question; and nothing from outside reaches the terminal as a control character."""
    shown = view(*question, url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "CP-1" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert "\r" not in shown.stdout


def test_the_viewer_spells_out_control_characters(remembering: Postgres) -> None:
    """An id tag with an escape sequence is shown, not obeyed."""
    assert r"TAG\x1b[31m\r\n<b>" in view("--sessions", "1", url=remembering.reader_url).stdout


def test_the_viewer_finds_the_bench_that_runs_here(remembering: Postgres, tmp_path: Path) -> None:
    """By the file that the embedded bench leaves, here or in CHARGEBENCH_HOME."""
    (tmp_path / ".chargebench").mkdir()
    (tmp_path / ".chargebench" / "viewer.url").write_text(remembering.reader_url + "\n")
    assert view("--summary", cwd=tmp_path).returncode == 0
    assert view("--summary", CHARGEBENCH_HOME=str(tmp_path / ".chargebench")).returncode == 0


def test_the_viewer_exports_everything(remembering: Postgres, tmp_path: Path) -> None:
    """One JSON object with all tables; the truth is not in it."""
    file = tmp_path / "memory.json"
    shown = view("--export", str(file), url=remembering.reader_url)
    assert (shown.returncode, shown.stderr) == (0, "")
    exported = json.loads(file.read_bytes())
    assert len(exported["metrics"]) == 181
    assert len(exported["events"]) == 53
    assert exported["sessions"][0]["id_tag"] == NASTY
    assert exported["anomalies"][0]["kind"] == "repeated-current-fluctuation"
    assert set(exported) == {
        "exported_at", "sources", "charge_points", "sessions", "anomalies", "patterns", "metrics", "events",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupted_export_leaves_no_file(remembering: Postgres, tmp_path: Path) -> None:
    """What is not whole does not appear."""
    with psycopg.connect(remembering.superuser_url, autocommit=True) as connection:
        connection.execute("REVOKE SELECT ON memory.events FROM memorybank_reader")
    shown = view("--export", str(tmp_path / "memory.json"), url=remembering.reader_url)
    assert shown.returncode == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--events", "0"], "'0' is no number from 1 to 100000"),
        (["--events", "ten"], "'ten' is no number"),
        (["--events"], "expected one argument"),
        (["--summary", "--stats"], "not allowed with"),
        (["--what"], "unrecognized arguments: --what"),
        (["--export", "memory.csv"], "does not end in .json"),
        (["--export", "/no/such/folder/memory.json"], "there is no folder"),
        (["--summary"], "no bench runs here"),
        (["--summary", "--database", "hello"], "the database URL is none"),
        (["--summary", "--database", "postgresql://u:secret@127.0.0.1:1/x"], "onnection"),
        (["--database", "postgresql://u:secret@127.0.0.1:1/x"], "no terminal for the menu"),
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


def test_a_database_without_memory_is_said_so(postgres: Postgres) -> None:
    """A database that no MemoryBank has migrated: one line, not a stack."""
    shown = view("--summary", url=postgres.reader_url)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)


def test_help_has_examples() -> None:
    """--help shows how it is used."""
    shown = view("--help")
    assert shown.returncode == 0
    assert "memory-viewer --anomalies 20" in shown.stdout


def test_the_menu_at_a_terminal(remembering: Postgres) -> None:
    """Without arguments: choices by number, tables drawn, an answer to nonsense, q ends it."""
    terminal, its_end = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "memorybank.viewer", "--database", remembering.reader_url],
        stdin=its_end,
        stdout=its_end,
        stderr=its_end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "200"},
    )
    os.close(its_end)
    try:
        os.write(terminal, b"1\n9\n2\nq\n")
        shown = b""
        while True:
            try:
                part = os.read(terminal, 4096)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(30) == 0
    finally:
        process.kill()
        os.close(terminal)
    text = shown.decode()
    assert "The memory" in text
    assert "1 to 6, or q" in text
    assert "repeated-current-fluctuation" in text
