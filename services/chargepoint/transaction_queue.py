"""Messages of transactions on their way to the CSMS: on disk, in order, for as long as it takes.

StartTransaction, StopTransaction and a transaction's MeterValues name their transaction by a local id until
they are sent: the CSMS's id comes with its answer to StartTransaction, which is ahead of them in the queue.
Delivery is at least once: a process killed between the answer and its entry here sends the message again.
MeterValues come and go every second, so their entries may wait for the store's next `commit`; they are told
once they are kept. One that comes while none waits is delivered as it is, without a look at the disk.
"""

import sqlite3

import msgspec
from msgspec import Struct

from chargepoint.store import Store
from chassis.waiting import Signal
from contracts.ocpp_messages import Payload

UNKNOWN_TRANSACTION_ID = -1
"""In the StopTransaction of a transaction whose start the CSMS would not take, whatever was tried."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, local_id TEXT NOT NULL, payload TEXT NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0, scope TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS transactions (local_id TEXT PRIMARY KEY, transaction_id INTEGER NOT NULL);
"""
_SCOPE_ADDED = "ALTER TABLE messages ADD COLUMN scope TEXT NOT NULL DEFAULT ''"  # to an older version's file
_INDEXES = """
DROP INDEX IF EXISTS droppable;
CREATE INDEX IF NOT EXISTS in_order ON messages (scope, id);
CREATE INDEX IF NOT EXISTS meter_values ON messages (scope, id) WHERE action = 'MeterValues';
"""
_LAST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'messages'"
_APPEND = "INSERT INTO messages (id, action, local_id, payload, scope) VALUES (?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM messages WHERE id = ?"
_OLDEST_METER_VALUES = "SELECT min(id) FROM messages WHERE scope = ? AND action = 'MeterValues'"


def _prepare(db: sqlite3.Connection) -> None:
    db.executescript(_SCHEMA)
    columns = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('messages')")]
    if "scope" not in columns:
        db.execute(_SCOPE_ADDED)
    db.executescript(_INDEXES)


class Queued(Struct, frozen=True):
    """The message whose turn it is, as it is to be sent."""

    id: int
    action: str
    local_id: str
    payload: Payload


class TransactionQueue:
    """Those of the store's scope, at most `max_messages`.

    Beyond that the oldest MeterValues go (counted), never a start or a stop.
    """

    def __init__(self, store: Store, max_messages: int) -> None:
        self._store = store
        self._max_messages = max_messages
        _prepare(store.db)
        store.ids_after(*(store.db.execute(_LAST_ID).fetchone() or (0,)))
        self._length: int
        (self._length,) = store.db.execute(
            "SELECT count(*) FROM messages WHERE scope = ?", (store.scope,)
        ).fetchone()
        self._newest: Queued | None = None
        self._numbered: tuple[str, int] | None = None
        self._is_kept = True
        self._dropped_to = 0  # the last of the MeterValues that had to make room
        self._filled, self._emptied = Signal(), Signal()
        self.dropped = 0
        """MeterValues that had to make room."""

    def __len__(self) -> int:
        return self._length

    def append(self, action: str, local_id: str, payload: Payload) -> None:
        """Keep a message for its turn."""
        with self._store.atomically(soon=action == "MeterValues"):
            message_id, text = self._store.next_id(), msgspec.json.encode(payload).decode()
            self._store.write(_APPEND, (message_id, action, local_id, text, self._store.scope))
            self._newest = None if self._length else Queued(message_id, action, local_id, payload)
            self._length += 1
            if self._length > self._max_messages:
                self._make_room()
            self._is_kept = False
            self._store.when_kept(self._kept)

    def _make_room(self) -> None:
        (oldest,) = self._store.db.execute(_OLDEST_METER_VALUES, (self._store.scope,)).fetchone()
        if oldest is not None:
            self._delete(oldest)
            self._dropped_to = oldest
            self.dropped += 1

    def _kept(self) -> None:
        self._is_kept = True
        self._filled.set()

    def head(self) -> Queued | None:
        """Return the oldest message, its transaction's id put in, or None."""
        queued, self._newest = self._newest or self._oldest(), None
        if queued is None or queued.action == "StartTransaction":
            return queued
        transaction_id = self._transaction_id(queued.local_id)
        if transaction_id is not None:
            queued.payload["transactionId"] = transaction_id
        elif queued.action == "StopTransaction":
            queued.payload.setdefault("transactionId", UNKNOWN_TRANSACTION_ID)
        return queued

    def _oldest(self) -> Queued | None:
        if not self._length:
            return None
        row = self._store.db.execute(
            "SELECT id, action, local_id, payload FROM messages WHERE scope = ? ORDER BY id LIMIT 1",
            (self._store.scope,),
        ).fetchone()
        if row is None:
            return None
        message_id, action, local_id, text = row
        return Queued(message_id, action, local_id, msgspec.json.decode(text))

    async def next(self) -> Queued:
        """Return the oldest message, waiting for one that is kept."""
        while not self._is_kept or (queued := self.head()) is None:
            self._filled.clear()
            await self._filled.wait()
        return queued

    async def emptied(self) -> None:
        """Wait until everything is delivered."""
        while self._length:
            self._emptied.clear()
            await self._emptied.wait()

    def delivered(self, queued: Queued, transaction_id: int | None = None) -> None:
        """Take a message out that the CSMS accepted, or that is given up; remember its transaction's id."""
        with self._store.atomically(soon=queued.action == "MeterValues"):
            if transaction_id is not None:
                self._store.db.execute(
                    "INSERT OR REPLACE INTO transactions VALUES (?, ?)", (queued.local_id, transaction_id)
                )
            if queued.action == "StopTransaction":
                self._store.db.execute("DELETE FROM transactions WHERE local_id = ?", (queued.local_id,))
            # MeterValues on their way may have had to make room.
            if queued.action != "MeterValues" or queued.id > self._dropped_to:
                self._delete(queued.id)

    def refused(self, queued: Queued) -> int:
        """Count one more refusal of a message, and return how many there were."""
        with self._store.atomically():
            (attempts,) = self._store.db.execute(
                "UPDATE messages SET attempts = attempts + 1 WHERE id = ? RETURNING attempts", (queued.id,)
            ).fetchone() or (1,)
        return int(attempts)

    def _transaction_id(self, local_id: str) -> int | None:
        if self._numbered is None or self._numbered[0] != local_id:
            row = self._store.db.execute(
                "SELECT transaction_id FROM transactions WHERE local_id = ?", (local_id,)
            ).fetchone()
            if row is None:
                return None
            self._numbered = local_id, int(row[0])
        return self._numbered[1]

    def _delete(self, message_id: int) -> None:
        self._store.write(_DELETE, (message_id,))
        self._length -= 1
        if not self._length:
            self._emptied.set()
