"""Where a publisher keeps its events until the MemoryBank has committed them: one SQLite file.

An event has its number exactly when it is in this file, so a SIGKILL loses no numbered event. A power cut, or
a file put back from a copy, may lose the last numbers; the MemoryBank's word is then ahead of the file, which
numbers on from it (`committed`).
"""

import contextlib
import logging
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from contracts import events
from contracts.errors import ContractError

log = logging.getLogger("outbox")

MAX_BYTES = 256 * 1024 * 1024
"""The bound: at 1 kB/s a charge point, about three days of PostgreSQL being away."""
WAIT_FOR_OWNER_S = 10.0
"""How long opening waits for the process that still has the file, e.g. the one that we replace."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sources (
  source TEXT PRIMARY KEY, boot TEXT NOT NULL, last_seq INTEGER NOT NULL, committed INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS batches (
  source TEXT NOT NULL, last_seq INTEGER NOT NULL, first_seq INTEGER NOT NULL, events BLOB NOT NULL,
  PRIMARY KEY (source, last_seq)) WITHOUT ROWID;
"""


class OutboxUnavailable(ContractError):  # noqa: N818 - named after its state
    """The file cannot be had or written: another process owns it, or the disk is full or broken."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch in the outbox: its last number and its bytes as they are published."""

    last_seq: int
    payload: bytes


class Outbox:
    """The file's one owner; use from one thread. Everything may raise OutboxUnavailable, changing nothing."""

    def __init__(
        self, path: Path, *, max_bytes: int = MAX_BYTES, wait_for_owner_s: float = WAIT_FOR_OWNER_S
    ) -> None:
        """Open or make the file. One that is no database is put aside as `….broken`."""
        self.max_bytes = max_bytes
        self._states: dict[str, tuple[str, int, int]] = {}  # as they are on disk: nobody else writes there
        self.dropped = 0
        """Events refused because the outbox was full; they never had a number."""
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._open(path, wait_for_owner_s)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                log.error("%s: %s; put aside, its events are not sent", path, error)  # noqa: TRY400
                _put_aside(path)
                self._open(path, wait_for_owner_s)

    @property
    def kept_bytes(self) -> int:
        """How many bytes wait to be committed."""
        return self._bytes

    def append(self, source: str, encoded_events: Sequence[bytes]) -> bool:
        """Number events (as `events.encode_event` made them) and keep them; False when there is no room."""
        return self.append_all([(source, encoded_events)])

    def append_all(self, batches: Iterable[tuple[str, Sequence[bytes]]]) -> bool:
        """Do so with a batch of each of several sources, together; False when there was no room for all."""
        added = dropped = 0
        with self._transaction():
            for source, encoded_events in batches:
                if self._bytes + added >= self.max_bytes:
                    dropped += len(encoded_events)
                    continue
                joined = b",".join(encoded_events)
                boot, last_seq, committed = self._state(source)
                first_seq, last_seq = last_seq + 1, last_seq + len(encoded_events)
                self._db.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, ?)", (source, last_seq, first_seq, joined)
                )
                self._db.execute("UPDATE sources SET last_seq = ? WHERE source = ?", (last_seq, source))
                self._states[source] = boot, last_seq, committed
                added += len(joined)
        self._bytes += added
        self.dropped += dropped
        return not dropped

    def committed(self, source: str, boot: uuid.UUID, seq: int) -> bool:
        """Forget what is committed; return False where the word is not about this outbox's numbering.

        A word about numbers that `uncommitted` never showed tells that the disk lost them: what this process
        numbered since is other events, and gets numbers after the word's.
        """
        return source in self.committed_all({source: (boot, seq)})

    def committed_all(self, words: Mapping[str, tuple[uuid.UUID, int]]) -> set[str]:
        """Do so with the words on several sources, together; return those that are about our numbering."""
        freed, ahead, known = 0, {}, set()
        with self._transaction():
            for source, (boot, seq) in words.items():
                state = self._state_if_any(source)
                if state is None or state[0] != str(boot):
                    continue
                known.add(source)
                if seq > self._shown.get(source, 0):
                    ahead[source] = seq
                    freed += self._number_on_after(source, seq)
                freed += self._forget(source, seq)
                self._db.execute(
                    "UPDATE sources SET committed = max(committed, ?) WHERE source = ?", (seq, source)
                )
                if source in ahead:
                    del self._states[source]  # the file's numbers moved
                else:
                    self._note_committed(source, seq)
        self._bytes -= freed
        self._before |= ahead
        self._shown |= ahead
        return known

    def uncommitted(self, source: str, after_seq: int = 0, limit: int = 100) -> list[Kept]:
        """Return the kept batches of a source in order, those after `after_seq`.

        Each says what is committed now, not what was when it was kept: a MemoryBank that lost its memory
        expects the number after that.
        """
        with _translated():
            state = self._state_if_any(source)
            if state is None:
                return []
            batches = self._db.execute(
                "SELECT first_seq, last_seq, events FROM batches WHERE source = ? AND last_seq > ?"
                " ORDER BY last_seq LIMIT ?",
                (source, after_seq, limit),
            ).fetchall()
        boot, committed = uuid.UUID(state[0]), state[2]
        if batches:
            self._shown[source] = max(self._shown.get(source, 0), batches[-1][1])
        return [
            Kept(last_seq, events.encode_batch(source, boot, first_seq, committed, [joined]))
            for first_seq, last_seq, joined in batches
        ]

    def uncommitted_events(self) -> int:
        """Return how many numbered events wait to be committed."""
        with _translated():
            rows = self._db.execute("SELECT coalesce(sum(last_seq - committed), 0) FROM sources")
            return int(rows.fetchone()[0])

    def sources(self) -> list[str]:
        """Return every source that this file numbers."""
        with _translated():
            return [source for (source,) in self._db.execute("SELECT source FROM sources ORDER BY source")]

    def last_seq(self, source: str) -> int:
        """Return the number of the last event of a source (0: none yet)."""
        with _translated():
            row = self._db.execute("SELECT last_seq FROM sources WHERE source = ?", (source,)).fetchone()
            return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the file; what it keeps is sent by the next process that opens it."""
        self._db.close()

    def _open(self, path: Path, wait_s: float) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, timeout=wait_s)
        try:
            # A second process on the same file would number events twice.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            # NORMAL in WAL mode: a killed process loses nothing, a power cut may lose the last instant.
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            # Debian's SQLite overwrites with zeros what is forgotten: every event would be written once more.
            self._db.execute("PRAGMA secure_delete=OFF")
            self._db.executescript(_SCHEMA)
            self._bytes: int
            (self._bytes,) = self._db.execute(
                "SELECT coalesce(sum(length(events)), 0) FROM batches"
            ).fetchone()
            self._before = dict(self._db.execute("SELECT source, last_seq FROM sources"))
            self._shown = dict(self._before)
        except sqlite3.Error:
            self._db.close()
            raise

    def _state(self, source: str) -> tuple[str, int, int]:
        """Return boot, last number and last committed number of a source, which is made where it is new."""
        state = self._state_if_any(source)
        if state is None:
            state = str(uuid.uuid4()), 0, 0
            self._db.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", (source, *state))
        return state

    def _state_if_any(self, source: str) -> tuple[str, int, int] | None:
        state = self._states.get(source)
        if state is None:
            state = self._db.execute(
                "SELECT boot, last_seq, committed FROM sources WHERE source = ?", (source,)
            ).fetchone()
            if state is not None:
                self._states[source] = state
        return state

    def _note_committed(self, source: str, seq: int) -> None:
        boot, last_seq, committed = self._states[source]
        self._states[source] = boot, last_seq, max(committed, seq)

    def _forget(self, source: str, seq: int) -> int:
        rows = self._db.execute(
            "DELETE FROM batches WHERE source = ? AND last_seq <= ? RETURNING length(events)", (source, seq)
        )
        return sum(size for (size,) in rows)

    def _number_on_after(self, source: str, seq: int) -> int:
        known = self._before.get(source, 0)
        log.warning("%s: the disk lost what followed event %d; numbering on after %d", source, known, seq)
        freed = self._forget(source, known)
        # By way of negative numbers: a row's new number may be another's old one.
        shift = seq - known
        self._db.execute(
            "UPDATE batches SET first_seq = first_seq + :shift, last_seq = -(last_seq + :shift)"
            " WHERE source = :source",
            {"shift": shift, "source": source},
        )
        self._db.execute("UPDATE batches SET last_seq = -last_seq WHERE source = ?", (source,))
        self._db.execute("UPDATE sources SET last_seq = last_seq + ? WHERE source = ?", (shift, source))
        return freed

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._states.clear()
                if self._db.in_transaction:  # a full disk may have ended it already
                    self._db.execute("ROLLBACK")
                raise


def _put_aside(path: Path) -> None:
    for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        if part.exists():
            part.replace(f"{part}.broken")


@contextlib.contextmanager
def _translated(path: Path | None = None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise OutboxUnavailable(f"{path or 'outbox'}: {error}") from error
