"""Real parts for tests: processes that start, stop and die, a PostgreSQL server, an MQTT broker."""

import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from chassis.can_bus import GROUP
from embedded import postgres as embedded_postgres
from embedded.ports import GUARD_PORT
from embedded.postgres import DATABASE, ROLES, SUPERUSER, PostgresFiles

PASSWORD = "test-only"

COUNTED_BY_SOURCE = """
SELECT s.source, s.committed_seq, count(*) AS rows, count(DISTINCT e.seq) AS numbers,
       min(e.seq) AS first, max(e.seq) AS last
FROM memory.sources s
JOIN (
  SELECT source, boot, seq FROM memory.numbered_events
  UNION ALL SELECT source, boot, seq FROM truth.labels JOIN memory.sources USING (source_no)
) AS e USING (source, boot)
GROUP BY 1, 2
"""
"""What is stored of each source, wherever it is kept: exactly once is first 1, and all else committed_seq."""

COUNTED_WITH_GAPS = f"""
SELECT c.*, coalesce(g.lost, 0)::bigint AS lost, g.first_lost
FROM ({COUNTED_BY_SOURCE}) AS c
LEFT JOIN (
  SELECT source, sum(last_seq - first_seq + 1) AS lost, min(first_seq) AS first_lost
  FROM memory.gaps JOIN memory.sources USING (source_no) GROUP BY source
) AS g USING (source)
"""
"""The same, with what memory.gaps names: whole is rows and numbers committed_seq less `lost`."""


def wait_until(
    condition: Callable[[], bool], *, timeout_s: float = 60.0, what: str = "the condition"
) -> None:
    """Wait for a condition with a deadline; fail naming what was waited for."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            pytest.fail(f"waited {timeout_s:g} s in vain for {what}")
        time.sleep(0.02)


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """Return a port that nobody uses now, below the CAN ranges of benches and the kernel's own ports."""
    for _ in range(200):
        port = 10_000 + secrets.randbelow(GUARD_PORT - 10_000)
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1" if kind == socket.SOCK_STREAM else GROUP, port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def accepts(port: int) -> bool:
    """Return whether something accepts TCP connections on a loopback port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class ServerProcess:
    """A real part as a process of the test: start, stop, kill, start again."""

    command: list[str]
    port: int
    user: str | None = None
    log: Path | None = None
    stop_signal: int = signal.SIGTERM
    process: "subprocess.Popen[bytes] | None" = field(default=None)

    def start(self) -> None:
        """Start and wait until the port accepts."""
        output = self.log.open("ab") if self.log else subprocess.DEVNULL
        try:
            self.process = subprocess.Popen(
                self.command, user=self.user, cwd="/", stdout=output, stderr=subprocess.STDOUT
            )
        finally:
            if self.log:
                output.close()
        wait_until(lambda: accepts(self.port), what=f"port {self.port} of {self.command[0]}")

    def kill(self) -> None:
        """End it as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def stop(self) -> None:
        """End it as an operator would; kill what does not end."""
        if self.process is None:
            return
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
        self.process = None


@dataclass
class Postgres:
    """A running server and one database in it, roles and grants applied, no migration yet."""

    server: ServerProcess
    files: PostgresFiles
    database: str

    @property
    def superuser_url(self) -> str:
        return self.files.url(SUPERUSER, self.database)

    @property
    def writer_url(self) -> str:
        return self.files.url("memorybank_writer", self.database)

    @property
    def reader_url(self) -> str:
        return self.files.url("memorybank_reader", self.database)

    @property
    def grafana_url(self) -> str:
        return self.files.url("grafana_reader", self.database)

    def wait_ready(self) -> None:
        """Wait until the server takes connections (after a restart)."""

        def ready() -> bool:
            try:
                with psycopg.connect(self.superuser_url, connect_timeout=2):
                    return True
            except psycopg.OperationalError:
                return False

        wait_until(ready, timeout_s=30, what="PostgreSQL")


def start_postgres(directory: Path) -> tuple[ServerProcess, PostgresFiles]:
    passwords = dict.fromkeys((SUPERUSER, *ROLES), PASSWORD)
    files = PostgresFiles(directory, free_port(), passwords)
    embedded_postgres.initialise(files)
    command = [*embedded_postgres.command(files), "-c", "fsync=off"]
    server = ServerProcess(
        command, files.port, user=embedded_postgres.system_user(), stop_signal=signal.SIGINT
    )
    server.start()
    Postgres(server, files, "postgres").wait_ready()
    return server, files


@contextmanager
def directory_open_to_postgres() -> Iterator[Path]:
    """Give a folder that the server's own account can reach, and remove it afterwards.

    Not pytest's: its folders are closed to other accounts, and every new session closes them again.
    """
    with tempfile.TemporaryDirectory(prefix="chargebench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


@dataclass
class Broker:
    """A running MQTT broker; every account of the bench has PASSWORD."""

    server: ServerProcess
    host: str
    port: int
    password: str = PASSWORD

    def environ(self, user: str) -> dict[str, str]:
        """Return the settings with which a service reaches it."""
        return {
            "MQTT_HOST": self.host,
            "MQTT_PORT": str(self.port),
            "MQTT_USER": user,
            "MQTT_PASSWORD": self.password,
        }


@contextmanager
def database(server: ServerProcess, files: PostgresFiles) -> Iterator[Postgres]:
    """A database of its own on a server that others use too; dropped afterwards."""
    name = f"{DATABASE}_{secrets.token_hex(4)}"
    embedded_postgres.prepare(files, name)
    yield Postgres(server, files, name)
    with psycopg.connect(files.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
