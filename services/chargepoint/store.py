"""What a charge point remembers over a power cut: one SQLite file, values as JSON under names.

The charge points of one process share one file, each under a scope of its own (`scoped`).
Whatever belongs together is saved in one transaction of the file (`atomically`), the queue of transaction
messages included: a transaction that was begun has its StartTransaction queued, always. A charge point that
cannot remember does not charge: the error ends the process.

What comes every second may wait (`atomically(soon=True)`) where somebody calls `commit` every moment
(`gathers`): a transaction of the file costs more than what many charge points write in it.
"""

import copy
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from contracts.errors import ContractError

log = logging.getLogger("chargepoint")

T = TypeVar("T")

WAIT_FOR_OWNER_S = 10.0
"""How long opening waits for the process that still has the file, e.g. the one that we replace."""

_SAVE = "INSERT INTO remembered VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_LOAD = "SELECT value FROM remembered WHERE name = ?"


class StoreUnavailable(ContractError):  # noqa: N818 - named after its state
    """The file cannot be opened: another process owns it, or the disk is full or broken."""


@dataclass(slots=True)
class _Open:
    """What is not committed: whether somebody is inside now, whether it may wait, who asks to be told."""

    is_inside: bool = False
    may_wait: bool = True
    told: list[Callable[[], None]] = field(default_factory=list)


class Store:
    """The file's one owner. Use from one thread; after opening, what SQLite raises is not to be handled."""

    def __init__(self, path: Path, *, wait_s: float = WAIT_FOR_OWNER_S, gathers: bool = False) -> None:
        """Open or make the file, or raise StoreUnavailable. One that is no database is put aside.

        `gathers`: whoever opens it calls `commit` every moment, so what may wait does.
        """
        self._gathers = gathers
        self._open = _Open()
        self.scope = ""
        """Whose names these are: "" for the one whose file it is, else a charge point's identity."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self.db = _opened(path, wait_s)
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                log.error("%s: %s; put aside, everything is forgotten", path, error)  # noqa: TRY400
                for part in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                    if part.exists():
                        part.replace(f"{part}.broken")
                self.db = _opened(path, wait_s)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"{path}: {error}") from error

    def scoped(self, charge_point_id: str) -> "Store":
        """Return the same file for another charge point's names; it is closed by whoever opened it."""
        other = copy.copy(self)
        other.scope = charge_point_id
        return other

    @contextmanager
    def atomically(self, *, soon: bool = False) -> Iterator[None]:
        """Keep all that is saved inside, or nothing; inside another `atomically` it joins that one.

        `soon`: it may wait for the next `commit`, with what others save until then.
        """
        state = self._open
        state.may_wait = state.may_wait and soon
        if state.is_inside:
            yield
            return
        if not self.db.in_transaction:
            self.db.execute("BEGIN IMMEDIATE")
        self.db.execute("SAVEPOINT one")
        state.is_inside = True
        try:
            yield
            self.db.execute("RELEASE one")
        except BaseException:
            if self.db.in_transaction:  # a full disk may have ended it already
                self.db.execute("ROLLBACK TO one")
            raise
        finally:
            state.is_inside = False
        if not (state.may_wait and self._gathers):
            self.commit()

    def commit(self) -> None:
        """Keep what waits."""
        state = self._open
        if self.db.in_transaction:
            self.db.execute("COMMIT")
        state.may_wait = True
        told, state.told = state.told, []
        for each in told:
            each()

    def when_kept(self, tell: Callable[[], None]) -> None:
        """Have `tell` called when what was saved so far is kept."""
        self._open.told.append(tell)

    def save(self, name: str, value: Any) -> None:
        """Keep a value under a name; outside of `atomically` at once."""
        encoded = msgspec.json.encode(value)
        if self._open.is_inside:
            self.db.execute(_SAVE, (self._key(name), encoded))
            return
        with self.atomically():
            self.db.execute(_SAVE, (self._key(name), encoded))

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
            self.db.close()


def _opened(path: Path, wait_s: float) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=wait_s)
    try:
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        db.execute("PRAGMA journal_mode=WAL")
        # NORMAL in WAL mode: a killed process loses nothing, a power cut may lose the last instant.
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("CREATE TABLE IF NOT EXISTS remembered (name TEXT PRIMARY KEY, value BLOB NOT NULL)")
    except sqlite3.Error:
        db.close()
        raise
    return db
