"""The real parts as users run them: unlike the tests' PostgreSQL, this one waits for its disk."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg

from embedded import broker as embedded_broker
from embedded import postgres as embedded_postgres
from embedded.postgres import DATABASE, ROLES, SUPERUSER, PostgresFiles
from memorybank import migrations
from real_parts import (
    PASSWORD,
    Broker,
    Postgres,
    ServerProcess,
    directory_open_to_postgres,
    free_port,
)


@contextmanager
def started_postgres() -> Iterator[Postgres]:
    """Give a server with the embedded bench's own command line and a migrated database; end and remove it."""
    with directory_open_to_postgres() as directory:
        passwords = dict.fromkeys((SUPERUSER, *ROLES), PASSWORD)
        files = PostgresFiles(directory, free_port(), passwords)
        embedded_postgres.initialise(files)
        server = ServerProcess(
            embedded_postgres.command(files), files.port, user=embedded_postgres.system_user()
        )
        server.stop_signal = 2  # SIGINT: without waiting for clients
        server.start()
        try:
            Postgres(server, files, "postgres").wait_ready()
            yield new_database(Postgres(server, files, DATABASE), DATABASE)
        finally:
            server.stop()


def new_database(postgres: Postgres, name: str) -> Postgres:
    """Return another database on the same server, roles, grants and migrations applied."""
    embedded_postgres.prepare(postgres.files, name)
    made = Postgres(postgres.server, postgres.files, name)
    with psycopg.connect(made.writer_url, autocommit=True) as connection:
        migrations.apply(connection, migrations.available())
    return made


def drop_database(postgres: Postgres) -> None:
    """Remove a database and its files."""
    with psycopg.connect(postgres.files.url(SUPERUSER, "postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE "{postgres.database}" WITH (FORCE)')


@contextmanager
def started_broker() -> Iterator[Broker]:
    """Give the embedded bench's broker on a port of its own; end it."""
    with tempfile.TemporaryDirectory(prefix="chargebench-") as folder:
        port = free_port()
        configuration = Path(folder) / "broker.toml"
        accounts = dict.fromkeys(embedded_broker.ACCOUNTS, PASSWORD)
        embedded_broker.write_configuration(configuration, port, accounts)
        server = ServerProcess([sys.executable, "-m", "embedded.broker", str(configuration)], port)
        server.start()
        try:
            yield Broker(server, "127.0.0.1", port)
        finally:
            server.stop()


def cpu_s(*pids: int) -> float:
    """Return the processor seconds that these processes and all their children have used."""
    used_s = 0.0
    for pid in pids:
        parent = psutil.Process(pid)
        times = parent.cpu_times()
        used_s += times.user + times.system + times.children_user + times.children_system
        for child in parent.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:  # its time stands with its parent now
                continue
            used_s += times.user + times.system
    return used_s
