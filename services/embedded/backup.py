"""Backup and restore of the memory: one file in pg_dump's own format, which pg_restore reads anywhere.

It holds the three schemas that memorybank_writer owns, and that role writes and reads it: what stands in
somebody else's file runs with that role's rights, never as the superuser.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import IO

import psycopg
from psycopg import sql

from embedded import postgres
from embedded.bench import BenchError, BenchRuns, load_secrets, locked, postgres_alone
from embedded.postgres import DATABASE, SUPERUSER, PostgresFiles
from embedded.supervisor import Say
from memorybank import migrations
from memorybank.errors import NewerDatabase

OWNER = "memorybank_writer"
SCHEMAS = ("memory", "truth", "dash")
SELECTED = tuple(f"--schema={schema}" for schema in SCHEMAS)
RESTORED = f"{DATABASE}_restored"
"""The new memory until it is whole; the old one keeps its name meanwhile."""
REPLACED = f"{DATABASE}_replaced"
TELL_EVERY_S = 10.0

_TABLES = """
SELECT relnamespace::regnamespace::text, relname FROM pg_class
WHERE relnamespace::regnamespace::text = ANY (%s) AND relkind IN ('r', 'p') AND NOT relispartition
"""
RESTORED_MARK = "restored"
"""A file in the bench's folder: its next run starts from a restored backup."""
_TERMINATE_S = 10.0


class BackupFailed(BenchError):  # noqa: N818 - named after what happened
    """No backup or no restore was made; what was there before is unchanged."""


async def backup(home: Path, file: Path, say: Say) -> str:
    """Write the memory of the bench in `home`, running or not, to `file`; return a line about it.

    The file gets its name when it is whole and was read back. Raises BackupFailed, also where the file is
    there already.
    """
    began_s = time.monotonic()
    _demand_sense(home, file)
    with _translated():
        async with _server(home, say) as server:
            until = await asyncio.to_thread(_latest_event, server)
            with _private(file) as (unfinished, output):
                async with _telling(say, lambda: f"{_megabytes(unfinished)} so far"):
                    # gzip:1 is an eighth larger than the default and twice as quick.
                    arguments = ("--format=custom", "--compress=gzip:1", *SELECTED)
                    await _tool(server, "pg_dump", *arguments, output=output)
                    await _tool(server, "pg_restore", f"--file={os.devnull}", str(unfinished))
    return f"{file}: {_megabytes(file)}, {until}, in {time.monotonic() - began_s:.1f} s"


async def restore(home: Path, file: Path, say: Say) -> str:
    """Put what `file` holds in the place of the memory of the bench in `home`; return a line about it.

    The old memory goes when the new one is whole and brought up to this version. Raises BackupFailed, and
    BenchRuns where the bench runs.
    """
    began_s = time.monotonic()
    with _translated():
        file.open("rb").close()  # what is wrong with it, before anything is started
        async with postgres_alone(home, say) as server:
            try:
                listed = await _tool(server, "pg_restore", "--list", str(file))
            except BackupFailed as error:
                raise BackupFailed(f"{file} is no backup; nothing was changed ({error})") from error
            if " memory schema_migrations " not in listed:
                raise BackupFailed(f"{file} is no backup of a memory; nothing was changed")
            try:
                await asyncio.to_thread(_make_room, server)
                async with _telling(say, lambda: "restoring ..."):
                    arguments = ("--exit-on-error", "--no-owner", f"--jobs={min(4, os.cpu_count() or 1)}")
                    await _tool(
                        server, "pg_restore", f"--dbname={RESTORED}", *arguments, *SELECTED, str(file)
                    )
                    await asyncio.to_thread(_complete, server)
                await asyncio.to_thread(_swap, server)
            finally:
                with contextlib.suppress(psycopg.Error):
                    await asyncio.to_thread(_drop_leftovers, server)
            (home / RESTORED_MARK).touch()
            until = await asyncio.to_thread(_latest_event, server)
    return f"{home} remembers what {file} holds: {until}; {time.monotonic() - began_s:.1f} s"


def _demand_sense(home: Path, file: Path) -> None:
    if file.exists():
        raise BackupFailed(f"{file} is there already: name another file")
    if not file.parent.is_dir():
        raise BackupFailed(f"there is no folder {str(file.parent)!r}")
    if not (home / "postgres" / "data").exists():
        raise BackupFailed(f"no bench has run in {home}: nothing to back up")


@contextlib.asynccontextmanager
async def _server(home: Path, say: Say) -> AsyncIterator[PostgresFiles]:
    try:
        with locked(home):
            pass
    except BenchRuns:
        try:
            described = json.loads((home / "bench.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise BackupFailed(f"a bench, or another backup, is just starting or ending in {home}") from None
        secrets = load_secrets(home)
        yield PostgresFiles(home / "postgres", described["postgres_port"], secrets)
    else:
        async with postgres_alone(home, say) as server:
            yield server


def _latest_event(server: PostgresFiles) -> str:
    with psycopg.connect(server.url(OWNER), connect_timeout=5) as connection:
        if connection.execute("SELECT to_regclass('memory.sources')").fetchone() == (None,):
            raise BackupFailed("nothing is remembered yet")
        row = connection.execute("SELECT max(last_event_at) FROM memory.sources").fetchone()
    return f"everything up to {row[0]:%Y-%m-%d %H:%M:%S} UTC" if row and row[0] else "no event"


def _make_room(server: PostgresFiles) -> None:
    """Make the empty database that the backup goes into."""
    _drop_leftovers(server)
    name = sql.Identifier(RESTORED)
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    with psycopg.connect(server.url(SUPERUSER, RESTORED), connect_timeout=5) as connection:
        # Not by roles.sql yet: its default privileges would give readers what the backup does not take back.
        for schema in SCHEMAS:
            connection.execute(
                sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
                    sql.Identifier(schema), sql.Identifier(OWNER)
                )
            )


def _complete(server: PostgresFiles) -> None:
    """Add what no backup holds: grants of the database and its schemas, later migrations, statistics."""
    postgres.prepare(server, RESTORED)
    with psycopg.connect(server.url(OWNER, RESTORED), connect_timeout=5) as connection:
        migrations.apply(connection, migrations.available())
    with psycopg.connect(server.url(OWNER, RESTORED), autocommit=True, connect_timeout=5) as connection:
        # Of what is partitioned, too: autovacuum never looks at it as a whole.
        for schema, table in connection.execute(_TABLES, (list(SCHEMAS),)).fetchall():
            connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(schema, table)))


def _swap(server: PostgresFiles) -> None:
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    with psycopg.connect(server.url(SUPERUSER, "postgres"), connect_timeout=5) as connection:
        # In one transaction: at every instant one of the two is the memory.
        for old, new in ((DATABASE, REPLACED), (RESTORED, DATABASE)):
            connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))


def _drop_leftovers(server: PostgresFiles) -> None:
    with psycopg.connect(server.url(SUPERUSER, "postgres"), autocommit=True, connect_timeout=5) as connection:
        for name in (RESTORED, REPLACED):
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


async def _tool(
    server: PostgresFiles, tool: str, *arguments: str, output: int | IO[bytes] = asyncio.subprocess.PIPE
) -> str:
    """Run one of PostgreSQL's tools and return what it printed; raises BackupFailed with its complaint."""
    process = await asyncio.create_subprocess_exec(
        str(postgres.BINARIES / tool),
        *arguments,
        env={
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGDATABASE": DATABASE,
            "PGUSER": OWNER,
            "PGPASSWORD": server.passwords[OWNER],
            "PGCONNECT_TIMEOUT": "10",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; we end it below
    )
    try:
        printed, complaint = await process.communicate()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), _TERMINATE_S)
        raise
    if process.returncode:
        lines = complaint.decode("utf-8", "replace").split("\n")
        raise BackupFailed("; ".join(line.strip() for line in lines if line.strip()) or f"{tool} failed")
    return printed.decode("utf-8", "replace") if printed else ""


@contextlib.contextmanager
def _private(file: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    """Give a file readable by us alone that becomes `file` when all went well, and else vanishes."""
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as output:
            yield unfinished, output
            os.fsync(output.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _telling(say: Say, words: Callable[[], str]) -> AsyncIterator[None]:
    """Say every TELL_EVERY_S that something happens."""

    async def tell() -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            say("bench", words())

    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        task.cancel()


def _megabytes(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (psycopg.Error, NewerDatabase) as error:
        raise BackupFailed(" ".join(str(error).split())) from error
    except OSError as error:
        raise BackupFailed(f"{error.filename or 'file'}: {error.strerror}") from error
