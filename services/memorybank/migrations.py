"""Bringing a database up to this version: numbered SQL files, each once, in order, in one transaction."""

import hashlib
import logging
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from memorybank.errors import NewerDatabase

log = logging.getLogger("memorybank")

_LEDGER = b"""
CREATE TABLE IF NOT EXISTS memory.schema_migrations (
  version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE memory.schema_migrations IS 'Which migrations this database has had';
COMMENT ON COLUMN memory.schema_migrations.version IS 'The file''s number';
COMMENT ON COLUMN memory.schema_migrations.name IS 'The file''s name';
COMMENT ON COLUMN memory.schema_migrations.checksum IS 'SHA-256 of the file as it was applied';
COMMENT ON COLUMN memory.schema_migrations.applied_at IS 'When it was applied';
"""
_RELATIONS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('dash', 'memory', 'truth') AND c.relkind IN ('v', 'r', 'p') AND NOT c.relispartition
  -- A view is locked with what it reads; this one reads PostgreSQL's own tables.
  AND c.oid IS DISTINCT FROM to_regclass('memory.partitions')
ORDER BY c.relkind = 'v' DESC, c.oid
"""
_LOCK_TIMEOUT = "300ms"
"""Below PostgreSQL's deadlock_timeout: it is we who give way, and no reader's question fails."""
_LOCK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Migration:
    """A file: its number, name, text and the checksum of the text."""

    version: int
    name: str
    text: bytes

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text).hexdigest()


def available() -> list[Migration]:
    """Return the migrations of this version, in order."""
    folder = files(__package__) / "sql" / "migrations"
    found = [file for file in folder.iterdir() if file.name.endswith(".sql")]
    return sorted(
        (Migration(int(file.name[:4]), file.name.removesuffix(".sql"), file.read_bytes()) for file in found),
        key=lambda migration: migration.version,
    )


def apply(connection: psycopg.Connection[Any], migrations: list[Migration]) -> list[Migration]:
    """Apply those that the database has not had, as memorybank_writer; return them.

    Raises NewerDatabase where the database had one that we do not have, or another text of one that we have.
    """
    with connection.transaction():
        # Whoever comes second waits here and then finds nothing to do.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('chargebench migrations'))")
        if connection.execute("SELECT to_regclass('memory.schema_migrations')").fetchone() == (None,):
            connection.execute(_LEDGER)
        rows = connection.execute("SELECT version, checksum FROM memory.schema_migrations").fetchall()
        applied = dict(rows)
        known = {migration.version: migration for migration in migrations}
        for version, checksum in applied.items():
            if version not in known:
                raise NewerDatabase(
                    f"the database has migration {version}, this version ends at {max(known, default=0)}:"
                    " start the newer ChargeBench, or restore a backup of this one"
                )
            if known[version].checksum != checksum:
                raise NewerDatabase(f"migration {known[version].name} is not the one this database has had")
        pending = [migration for migration in migrations if migration.version not in applied]
        if applied and pending:
            _lock_all(connection)
        for migration in pending:
            connection.execute(migration.text)
            connection.execute(
                "INSERT INTO memory.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
                (migration.version, migration.name, migration.checksum),
            )
            log.info("migrated the database to %s", migration.name)
    return pending


def _lock_all(connection: psycopg.Connection[Any]) -> None:
    """Keep readers out before anything is changed, waiting for those who read.

    One by one while it goes on, they could each hold what it needs next and wait for what it has: a
    deadlock, with minutes of work lost, as often as it is tried.
    """
    names = [sql.Identifier(*row) for row in connection.execute(_RELATIONS)]
    statement = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(names))
    told = False
    while True:
        try:
            with connection.transaction():
                connection.execute(f"SET LOCAL lock_timeout TO '{_LOCK_TIMEOUT}'")
                connection.execute(statement)
                connection.execute("SET LOCAL lock_timeout TO DEFAULT")
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
            if not told:
                log.info("the migration waits for who reads")
                told = True
            time.sleep(_LOCK_AGAIN_S)
        else:
            return
