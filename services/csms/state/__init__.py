"""What the CSMS must still know after a restart: one SQLite file, so it charges on without PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from csms.state.charge_points import ChargePointStore
from csms.state.id_tags import IdTagStore
from csms.state.limits import LimitStore
from csms.state.mixes import MixStore
from csms.state.runs import RunStore
from csms.state.transactions import TransactionStore

BUSY_TIMEOUT_S = 5.0
"""How long to wait for a predecessor that is still closing the file."""
_SCRIPTS = ("schema.sql", "schema_2.sql", "schema_3.sql")
"""Each leads from one version of the file to the next."""


class StateError(Exception):
    """The state file is not one that this version and replica can use."""


class State:
    """The file's one owner; use from one thread. Each method is one committed transaction."""

    def __init__(self, db: sqlite3.Connection, replica: int = 0) -> None:
        _prepare(db)
        try:
            self.transactions = TransactionStore(db, replica)
        except ValueError as error:
            raise StateError(str(error)) from error
        self.id_tags = IdTagStore(db)
        self.charge_points = ChargePointStore(db)
        self.limits = LimitStore(db)
        self.runs = RunStore(db)
        self.mixes = MixStore(db)

    @classmethod
    @contextmanager
    def opened(cls, path: Path | str, replica: int = 0) -> Iterator["State"]:
        """Open or create the file (":memory:" for none); raise StateError where it is not usable."""
        if isinstance(path, Path):
            path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_S)
        try:
            yield cls(db, replica)
        finally:
            db.close()


def _prepare(db: sqlite3.Connection) -> None:
    try:
        # A second CSMS on the same file would give ids twice.
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # NORMAL in WAL mode: a killed process loses nothing, a power cut may lose the last instant. Waiting
        # for the disk at every transaction would hold up every other charge point.
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        for number, name in enumerate(_SCRIPTS[version:], version + 1):
            script = (files("csms.state") / name).read_text(encoding="utf-8")
            db.executescript(f"BEGIN EXCLUSIVE; {script} PRAGMA user_version = {number}; COMMIT;")
    except sqlite3.Error as error:
        raise StateError(f"the state file cannot be used: {error}") from error
    if not 0 <= version <= len(_SCRIPTS):
        raise StateError(f"the state file has version {version}, this CSMS knows {len(_SCRIPTS)}")
