"""Backup and restore of an embedded bench's memory: the same to the byte, or nothing changed."""

import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from embedded import backup as backups
from embedded import postgres
from embedded.__main__ import main
from embedded.backup import OWNER
from embedded.bench import load_secrets, locked
from embedded.postgres import SUPERUSER, PostgresFiles
from memorybank import migrations
from real_parts import Postgres, ServerProcess, directory_open_to_postgres, free_port, wait_until

READINGS = 200
SLOW_READINGS = 300_000
"""So many that a restore of them can be met half-way."""


@pytest.fixture
def home() -> Iterator[Path]:
    with directory_open_to_postgres() as directory:
        yield directory / "bench"


@pytest.fixture(scope="module")
def filled() -> Iterator[Path]:
    """A bench with a memory, for tests that change nothing in it."""
    with directory_open_to_postgres() as directory:
        remember(directory / "bench")
        yield directory / "bench"


@pytest.fixture
def file(home: Path) -> Path:
    return home.parent / "memory.backup"


@pytest.fixture
def chargebench(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Return the command line: its exit status, and what it printed."""

    def run(command: str, file: Path, at: Path = home) -> tuple[int, str]:
        status = main([command, "--home", str(at), str(file)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


Run = Callable[..., tuple[int, str]]


@contextmanager
def database(home: Path) -> Iterator[PostgresFiles]:
    """Run PostgreSQL of a bench alone, in the test's own hands."""
    home.mkdir(exist_ok=True)
    files = PostgresFiles(home / "postgres", free_port(), load_secrets(home))
    postgres.initialise(files)
    server = ServerProcess(
        postgres.command(files), files.port, user=postgres.system_user(), stop_signal=signal.SIGINT
    )
    server.start()
    try:
        Postgres(server, files, "postgres").wait_ready()
        postgres.prepare(files)
        yield files
    finally:
        server.stop()


def remember(home: Path, *, readings: int = READINGS, versions: int | None = None) -> None:
    """Fill a memory with a source, its readings, a session and a message that nobody could read."""
    with database(home) as server:
        with psycopg.connect(server.url(OWNER)) as connection:
            migrations.apply(connection, migrations.available()[:versions])
        with psycopg.connect(server.url(OWNER)) as connection:
            connection.execute(
                "INSERT INTO memory.sources (source, boot, committed_seq, metrics, last_event_at)"
                " VALUES ('chargepoint:CP-1/events/03', %s, %s, %s, '2026-01-02 03:04:05+00')",
                (uuid.uuid4(), readings, readings),
            )
            connection.execute("SELECT memory.make_partition('metrics', '2026-01-02')")
            connection.execute(
                "INSERT INTO memory.metrics"
                " (at, seq, source_no, connector, charge_point_id, origin, current_a)"
                " SELECT timestamptz '2026-01-02 03:00:00+00' + n * interval '1 ms',"
                " n, 1, 1, 'CP-1', 'can', n FROM generate_series(1, %s) AS n",
                (readings,),
            )
            connection.execute(
                "INSERT INTO memory.sessions (charge_point_id, transaction_id, started_at, meter_start_wh)"
                " VALUES ('CP-1', 1, '2026-01-02 03:00:00+00', 0)"
            )
            connection.execute(
                "INSERT INTO memory.poison (topic, reason, payload, digest)"
                " VALUES ('t', 'unreadable', 'bytes', sha256('bytes'))"
            )


def forget(home: Path) -> None:
    with database(home) as server, psycopg.connect(server.url(OWNER)) as connection:
        connection.execute("DELETE FROM memory.sessions")
        connection.execute("DELETE FROM memory.metrics WHERE seq > 50")


def memory_of(home: Path) -> tuple[list[str], str]:
    """Return the names of all memories, whole or not, and the bench's own as text."""
    with database(home) as server:
        return databases(server), dumped(server)


def dumped(server: PostgresFiles) -> str:
    """Return the whole memory as text: tables, comments, grants, policies, rows."""
    command = [
        *(postgres.BINARIES / "pg_dump", "--restrict-key=same", "--dbname", server.url(SUPERUSER)),
        *backups.SELECTED,
    ]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # What PostgreSQL calls a column without a name, it writes out when it writes the view a second time.
    return text.replace("::text AS text", "::text")


def archive(server: PostgresFiles, file: Path, name: str = postgres.DATABASE) -> None:
    """Write what is no backup of ours, with a superuser's rights."""
    url = server.url(SUPERUSER, name)
    subprocess.run([postgres.BINARIES / "pg_dump", "-Fc", "-f", file, "-d", url], check=True)


def databases(server: PostgresFiles) -> list[str]:
    with psycopg.connect(server.url(SUPERUSER)) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname ~ 'chargebench'").fetchall()
    return [name for (name,) in rows]


def test_what_is_restored_is_the_same_to_the_byte(home: Path, file: Path, chargebench: Run) -> None:
    """On the bench itself, changed meanwhile, and on a new one; grants and policies are part of it."""
    remember(home)
    before = memory_of(home)
    assert before[0] == ["chargebench"]
    status, said = chargebench("backup", file)
    assert status == 0
    assert "everything up to 2026-01-02 03:04:05 UTC" in said
    assert file.stat().st_mode & 0o777 == 0o600
    forget(home)
    assert memory_of(home) != before
    for place in (home, home.parent / "another"):
        status, said = chargebench("restore", file, place)
        assert status == 0, said
        assert "everything up to 2026-01-02 03:04:05 UTC" in said
        assert memory_of(place) == before


def test_who_may_read_what_is_as_before(home: Path, file: Path, chargebench: Run) -> None:
    """Also where a migration took back what roles.sql gives by default."""
    remember(home)
    chargebench("backup", file)
    assert chargebench("restore", file)[0] == 0
    with database(home) as server:
        for role, readings, refused in (
            (
                "memorybank_reader",
                "memory.metrics",
                ("payload FROM memory.poison", "1 FROM truth.labels", "1 FROM dash.truth_runs"),
            ),
            ("grafana_reader", "dash.metrics", ("1 FROM memory.metrics", "1 FROM truth.labels")),
        ):
            with psycopg.connect(server.url(role), autocommit=True) as reader:
                assert reader.execute(f"SELECT count(*) FROM {readings}").fetchone() == (READINGS,)
                if role == "grafana_reader":
                    reader.execute("SELECT run_id FROM dash.truth_runs")
                for query in refused:
                    with pytest.raises(psycopg.errors.InsufficientPrivilege):
                        reader.execute(f"SELECT {query}")


def test_a_backup_of_an_older_version_is_brought_up_to_this_one(
    home: Path, file: Path, chargebench: Run
) -> None:
    remember(home, versions=1)
    chargebench("backup", file)
    assert chargebench("restore", file)[0] == 0
    with database(home) as server, psycopg.connect(server.url(OWNER)) as connection:
        versions = connection.execute("SELECT version FROM memory.schema_migrations ORDER BY 1").fetchall()
        assert [version for (version,) in versions] == [each.version for each in migrations.available()]
        assert connection.execute("SELECT count(*) FROM memory.metrics").fetchone() == (READINGS,)


def _cut_short(server: PostgresFiles, file: Path) -> None:
    archive(server, file)
    file.write_bytes(file.read_bytes()[:-2000])


def _no_archive(server: PostgresFiles, file: Path) -> None:
    file.write_text("no archive\n" * 100)


def _of_something_else(server: PostgresFiles, file: Path) -> None:
    archive(server, file, "postgres")


def _of_a_newer_version(server: PostgresFiles, file: Path) -> None:
    with psycopg.connect(server.url(OWNER), autocommit=True) as connection:
        connection.execute("INSERT INTO memory.schema_migrations VALUES (9999, 'from the future', 'x')")
        archive(server, file)
        connection.execute("DELETE FROM memory.schema_migrations WHERE version = 9999")


def _wanting_to_be_superuser(server: PostgresFiles, file: Path) -> None:
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as connection:
        connection.execute("CREATE MATERIALIZED VIEW memory.listed AS SELECT pg_ls_dir('.') AS name")
        archive(server, file)
        connection.execute("DROP MATERIALIZED VIEW memory.listed")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(_cut_short, "pg_restore: error: could not", id="cut short"),
        pytest.param(_no_archive, "archive", id="no archive"),
        pytest.param(_of_something_else, "is no backup of a memory", id="of something else"),
        pytest.param(_of_a_newer_version, "has migration 9999", id="of a newer version"),
        pytest.param(_wanting_to_be_superuser, "permission denied for function pg_ls_dir", id="hostile"),
    ],
)
def test_a_restore_that_fails_changes_nothing(
    filled: Path, file: Path, chargebench: Run, make: Callable[[PostgresFiles, Path], None], words: str
) -> None:
    """One line says why."""
    with database(filled) as server:
        make(server, file)
        before = dumped(server)
    status, said = chargebench("restore", file, filled)
    assert status == 2
    assert words in said
    assert said.count("\n") == 1
    assert memory_of(filled) == (["chargebench"], before)


def test_what_makes_no_sense_is_refused_in_words(home: Path, file: Path, chargebench: Run) -> None:
    def refusal(command: str, named: Path = file) -> str:
        status, said = chargebench(command, named)
        assert status == 2
        assert said.count("\n") == 1
        return said

    assert "no bench has run in" in refusal("backup")
    assert "memory.backup: No such file" in refusal("restore")
    with database(home):
        pass
    assert "nothing is remembered yet" in refusal("backup")
    assert "there is no folder" in refusal("backup", file.parent / "nowhere" / file.name)
    file.write_text("precious")
    assert "is there already" in refusal("backup")
    with locked(home):
        assert "already running" in refusal("restore")
    assert file.read_text() == "precious"


def _has_child(process: "subprocess.Popen[bytes]", name: str, argument: str) -> bool:
    assert process.poll() is None, "it ended before the test could meet it half-way"
    for child in psutil.Process(process.pid).children():
        try:
            command = child.cmdline()
        except psutil.Error:
            continue
        if command and command[0].endswith(name) and any(part.startswith(argument) for part in command):
            return True
    return False


def _started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "embedded", *arguments])


def test_a_restore_killed_half_way_leaves_the_old_memory(home: Path, file: Path, chargebench: Run) -> None:
    """And what it left is not in the way of the next one."""
    remember(home, readings=SLOW_READINGS)
    chargebench("backup", file)
    forget(home)
    before = memory_of(home)
    process = _started("restore", "--home", str(home), str(file))
    try:
        wait_until(lambda: _has_child(process, "pg_restore", "--dbname"), what="the restore to be at work")
    finally:
        orphans = psutil.Process(process.pid).children()
        process.kill()
        process.wait(10)
    psutil.wait_procs(orphans, timeout=15)
    names, memory = memory_of(home)
    assert "chargebench_restored" in names
    assert memory == before[1]
    assert chargebench("restore", file)[0] == 0
    names, memory = memory_of(home)
    assert names == ["chargebench"]
    assert memory != before[1]


def test_an_interrupted_backup_leaves_no_file(home: Path, file: Path) -> None:
    remember(home, readings=SLOW_READINGS)
    process = _started("backup", "--home", str(home), str(file))
    try:
        wait_until(lambda: _has_child(process, "pg_dump", "--format"), what="the backup to be at work")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    finally:
        process.kill()
        process.wait(10)
    assert [path.name for path in home.parent.iterdir()] == ["bench"]
