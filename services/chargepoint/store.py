"""What a charge point remembers over a power cut: one SQLite file, values as JSON under names.

The charge points of one process share one file, each under a scope of its own (`scoped`).
Whatever belongs together is saved in one transaction of the file (`atomically`), the queue of transaction
messages included: a transaction that was begun has its StartTransaction queued, always. A charge point that
cannot remember does not charge: the error ends the process.

What comes every second may wait (`atomically(soon=True)`) where somebody calls `commit` every moment
(`gathers`): a transaction of the file costs more than what many charge points write in it. Until then it
waits in memory, so that one statement writes what many saved.
"""

import copy
import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from contracts.errors import ContractError

log = logging.getLogger("chargepoint")

T = TypeVar("T")

WAIT_FOR_OWNER_S = 10.0
"""How long opening waits for the process that still has the file, e.g. the one that we replace."""

Row: TypeAlias = tuple[Any, ...]

_SAVE = "INSERT INTO remembered VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_LOAD = "SELECT value FROM remembered WHERE name = ?"


class StoreUnavailable(ContractError):  # noqa: N818 - named after its state
    """The file cannot be opened: another process owns it, or the disk is full or broken."""


@dataclass(slots=True)
class _File:
    """The open file and what is not kept in it: whether somebody is inside, whether it may wait, who asks."""

    db: sqlite3.Connection
    gathers: bool
    last_id: int = 0
    depth: int = 0
    may_wait: bool = True
    has_savepoint: bool = False
    waiting: dict[str, dict[Any, Row]] = field(default_factory=dict)
    """By statement and first parameter: of two the later one counts."""
    inside: list[tuple[str, Row]] = field(default_factory=list)
    """What whoever is inside saved so far."""
    told: list[Callable[[], None]] = field(default_factory=list)

    def write(self) -> None:
        """Write what waits and what was saved inside; the latter can be undone."""
        if not (self.waiting or self.depth):
            return
        if not self.db.in_transaction:
            self.db.execute("BEGIN IMMEDIATE")
        for statement, rows in self.waiting.items():
            self.db.executemany(statement, rows.values())
        self.waiting.clear()
        if self.depth and not self.has_savepoint:
            self.db.execute("SAVEPOINT one")
            self.has_savepoint = True
        for statement, row in self.inside:
            self.db.execute(statement, row)
        self.inside.clear()

    def end(self, *, is_whole: bool) -> None:
        """Have what was saved inside wait with the rest or, where it broke off, undo it."""
        had_savepoint, self.has_savepoint = self.has_savepoint, False
        if is_whole:
            if had_savepoint:
                self.db.execute("RELEASE one")
            for statement, row in self.inside:
                self.waiting.setdefault(statement, {})[row[0]] = row
        elif had_savepoint and self.db.in_transaction:  # a full disk may have ended it already
            self.db.execute("ROLLBACK TO one")
        self.inside.clear()
        if is_whole and not (self.may_wait and self.gathers):
            self.commit()

    def commit(self) -> None:
        """Write and keep everything."""
        self.write()
        if self.db.in_transaction:
            self.db.execute("COMMIT")
        self.may_wait = True
        told, self.told = self.told, []
        for each in told:
            each()


class _Atomically:
    """What `Store.atomically` returns; it keeps nothing of its own, so one serves all."""

    __slots__ = ("_file", "_soon")

    def __init__(self, file: _File, *, soon: bool) -> None:
        self._file, self._soon = file, soon

    def __enter__(self) -> None:
        file = self._file
        file.depth += 1
        file.may_wait = file.may_wait and self._soon

    def __exit__(self, kind: object, *_: object) -> None:
        file = self._file
        file.depth -= 1
        if not file.depth:
            file.end(is_whole=kind is None)


class Store:
    """The file's one owner. Use from one thread; after opening, what SQLite raises is not to be handled."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_FOR_OWNER_S, gathers: bool = False) -> None:
        """Open or make the file, or raise StoreUnavailable. One that is no database is put aside.

        `gathers`: whoever opens it calls `commit` every moment, so what may wait does.
        """
        self.scope = ""
        """Whose names these are: "" for the one whose file it is, else a charge point's identity."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                db = _opened(path, wait_s)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                log.error("%s: %s; put aside, everything is forgotten", path, error)  # noqa: TRY400
                for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                    if part.exists():
                        part.replace(f"{part}.broken")
                db = _opened(path, wait_s)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{path}: {error}") from error
        self._file = _File(db, gathers)
        self._soon, self._at_once = _Atomically(self._file, soon=True), _Atomically(self._file, soon=False)

    @property
    def db(self) -> sqlite3.Connection:
        """The file with everything in it that was saved so far, kept or not."""
        self._file.write()
        return self._file.db

    def scoped(self, charge_point_id: str) -> "Store":
        """Return the same file for another charge point's names; it is closed by whoever opened it."""
        other = copy.copy(self)
        other.scope = charge_point_id
        return other

    def atomically(self, *, soon: bool = False) -> AbstractContextManager[None]:
        """Keep all that is saved inside, or nothing; inside another `atomically` it joins that one.

        `soon`: it may wait for the next `commit`, with what others save until then.
        """
        return self._soon if soon else self._at_once

    def commit(self) -> None:
        """Keep what waits."""
        self._file.commit()

    def when_kept(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when what was saved so far is kept."""
        self._file.told.append(tell)

    def save(self, name: str, value: Any) -> None:
        """Keep a value under a name; outside of `atomically` at once."""
        row = (self._key(name), msgspec.json.encode(value))
        if self._file.depth:
            self.write(_SAVE, row)
            return
        with self.atomically():
            self.write(_SAVE, row)

    def write(self, statement: str, row: Row) -> None:
        """Inside of `atomically`: have a statement run with these parameters before anything is kept.

        What waits is written statement by statement, and once for each first parameter, with its latest row.
        So no statement may need another one to have come before; what does is run by `db`.
        """
        self._file.inside.append((statement, row))

    def ids_after(self, last_id: int) -> None:
        """Have `next_id` be above an id."""
        self._file.last_id = max(self._file.last_id, last_id)

    def next_id(self) -> int:
        """Return the next id of a row, since one that waits is not numbered by the file."""
        self._file.last_id += 1
        return self._file.last_id

    def load(self, name: str, kind: type[T], default: T) -> T:
        """Return the value under a name; the default when there is none or an older version wrote another."""
        row = self.db.execute(_LOAD, (self._key(name),)).fetchone()
        if row is None:
            return default
        try:
            return msgspec.json.decode(row[0], type=kind)
        except msgspec.MsgspecError as error:
            log.warning("what was remembered as %s is not readable: %s", name, error)
            return default

    def _key(self, name: str) -> str:
        # No identity holds a colon.
        return f"{self.scope}:{name}" if self.scope else name

    def close(self) -> None:
        """Keep what waits, and close the file."""
        try:
            self.commit()
        finally:
            self._file.db.close()


def _opened(path: Path, wait_s: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=wait_s)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        # NORMAL in WAL mode: a killed process loses nothing, a power cut may lose the last instant.
        db.execute("PRAGMA synchronous=NORMAL")
        # Debian's SQLite overwrites with zeros what is forgotten: every message would be written once more.
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("CREATE TABLE IF NOT EXISTS remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
    except sqlite3.Error:
        db.close()
        raise
    return db
