"""Where a publisher keeps its events until the MemoryBank has committed them: one SQLite file.

An event has its number exactly when it is in this file, so a SIGKILL loses no numbered event. Batches are
kept as the bytes that are published, and sent again as they are.
"""

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts import events
from contracts.events import AnyEvent, Batch

MAX_BYTES = 256 * 1024 * 1024
"""The bound: at 1 kB/s a charge point, about three days of PostgreSQL being away."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
  source TEXT PRIMARY KEY, boot TEXT NOT NULL, last_seq INTEGER NOT NULL, committed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  source TEXT NOT NULL, last_seq INTEGER NOT NULL, payload BLOB NOT NULL,
  PRIMARY KEY (source, last_seq)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch in the outbox: its last number and its bytes as published."""

    last_seq: int
    payload: bytes


class Outbox:
    """The file's one owner; use from one thread."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.max_bytes = max_bytes
        self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
        # NORMAL in WAL mode: a killed process loses nothing, a power cut may lose the last instant.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        # A second process on the same file would number events twice.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.executescript(_SCHEMA)
        self._bytes: int
        (self._bytes,) = self._db.execute("SELECT coalesce(sum(length(payload)), 0) FROM batches").fetchone()
        self.dropped = 0
        """Events refused because the outbox was full; they never had a number."""

    @property
    def kept_bytes(self) -> int:
        """How many bytes wait to be committed."""
        return self._bytes

    def append(self, source: str, batch: Sequence[AnyEvent]) -> Kept | None:
        """Number events, keep them, return them as they are to be published; None when there is no room."""
        if self._bytes >= self.max_bytes:
            self.dropped += len(batch)
            return None
        boot, last_seq, committed = self._state(source)
        message = Batch(
            source=source,
            boot=uuid.UUID(boot),
            first_seq=last_seq + 1,
            committed=committed,
            events=list(batch),
        )
        kept = Kept(message.last_seq, events.encode(message))
        with self._transaction():
            self._db.execute("INSERT INTO batches VALUES (?, ?, ?)", (source, kept.last_seq, kept.payload))
            self._db.execute("UPDATE sources SET last_seq = ? WHERE source = ?", (kept.last_seq, source))
        self._bytes += len(kept.payload)
        return kept

    def committed(self, source: str, boot: uuid.UUID, seq: int) -> bool:
        """Forget what is committed; return False where the word is not about this outbox's numbering."""
        row = self._db.execute("SELECT boot, last_seq FROM sources WHERE source = ?", (source,)).fetchone()
        if row is None or row[0] != str(boot) or seq > row[1]:
            return False
        with self._transaction():
            (freed,) = self._db.execute(
                "SELECT coalesce(sum(length(payload)), 0) FROM batches WHERE source = ? AND last_seq <= ?",
                (source, seq),
            ).fetchone()
            self._db.execute("DELETE FROM batches WHERE source = ? AND last_seq <= ?", (source, seq))
            self._db.execute(
                "UPDATE sources SET committed = max(committed, ?) WHERE source = ?", (seq, source)
            )
        self._bytes -= freed
        return True

    def uncommitted(self, source: str, after_seq: int = 0, limit: int = 100) -> list[Kept]:
        """Return the kept batches of a source in order, those after `after_seq`."""
        rows = self._db.execute(
            "SELECT last_seq, payload FROM batches WHERE source = ? AND last_seq > ?"
            " ORDER BY last_seq LIMIT ?",
            (source, after_seq, limit),
        )
        return [Kept(*row) for row in rows]

    def sources(self) -> list[str]:
        """Return every source that this file numbers."""
        return [source for (source,) in self._db.execute("SELECT source FROM sources ORDER BY source")]

    def last_seq(self, source: str) -> int:
        """Return the number of the last event of a source (0: none yet)."""
        row = self._db.execute("SELECT last_seq FROM sources WHERE source = ?", (source,)).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the file; what it keeps is sent by the next process that opens it."""
        self._db.close()

    def _state(self, source: str) -> tuple[str, int, int]:
        row: tuple[str, int, int] | None = self._db.execute(
            "SELECT boot, last_seq, committed FROM sources WHERE source = ?", (source,)
        ).fetchone()
        if row is None:
            row = (str(uuid.uuid4()), 0, 0)
            self._db.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", (source, *row))
        return row

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._db)


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
