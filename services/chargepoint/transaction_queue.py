"""Messages of transactions on their way to the CSMS: on disk, in order, for as long as it takes.

StartTransaction, StopTransaction and a transaction's MeterValues name their transaction by a local id until
they are sent: the CSMS's id comes with its answer to StartTransaction, which is ahead of them in the queue.
Delivery is at least once: a process killed between the answer and its entry here sends the message again.
"""

import json
import sqlite3
from dataclasses import dataclass

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
_OLDEST_METER_VALUES = "SELECT min(id) FROM messages WHERE scope = ? AND action = 'MeterValues'"


def _prepare(db: sqlite3.Connection) -> None:
    db.executescript(_SCHEMA)
    columns = [name for (name,) in db.execute("SELECT name FROM pragma_table_info('messages')")]
    if "scope" not in columns:
        db.execute(_SCOPE_ADDED)
    db.executescript(_INDEXES)


@dataclass(frozen=True, slots=True)
class Queued:
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
        self._db: sqlite3.Connection = store.db
        self._max_messages = max_messages
        _prepare(self._db)
        self._length: int
        (self._length,) = self._db.execute(
            "SELECT count(*) FROM messages WHERE scope = ?", (store.scope,)
        ).fetchone()
        self._filled, self._emptied = Signal(), Signal()
        self.dropped = 0
        """MeterValues that had to make room."""

    def __len__(self) -> int:
        return self._length

    def append(self, action: str, local_id: str, payload: Payload) -> None:
        """Keep a message for its turn."""
        with self._store.atomically():
            self._db.execute(
                "INSERT INTO messages (action, local_id, payload, scope) VALUES (?, ?, ?, ?)",
                (action, local_id, json.dumps(payload), self._store.scope),
            )
            self._length += 1
            if self._length > self._max_messages:
                (oldest,) = self._db.execute(_OLDEST_METER_VALUES, (self._store.scope,)).fetchone()
                if oldest is not None:
                    self._delete(oldest)
                    self.dropped += 1
        self._filled.set()

    def head(self) -> Queued | None:
        """Return the oldest message, its transaction's id put in, or None."""
        row = self._db.execute(
            "SELECT id, action, local_id, payload FROM messages WHERE scope = ? ORDER BY id LIMIT 1",
            (self._store.scope,),
        ).fetchone()
        if row is None:
            return None
        message_id, action, local_id, text = row
        payload: Payload = json.loads(text)
        if action != "StartTransaction":
            transaction_id = self._transaction_id(local_id)
            if transaction_id is not None:
                payload["transactionId"] = transaction_id
            elif action == "StopTransaction":
                payload.setdefault("transactionId", UNKNOWN_TRANSACTION_ID)
        return Queued(message_id, action, local_id, payload)

    async def next(self) -> Queued:
        """Return the oldest message, waiting for one."""
        while (queued := self.head()) is None:
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
        with self._store.atomically():
            if transaction_id is not None:
                self._db.execute(
                    "INSERT OR REPLACE INTO transactions VALUES (?, ?)", (queued.local_id, transaction_id)
                )
            if queued.action == "StopTransaction":
                self._db.execute("DELETE FROM transactions WHERE local_id = ?", (queued.local_id,))
            self._delete(queued.id)

    def refused(self, queued: Queued) -> int:
        """Count one more refusal of a message, and return how many there were."""
        (attempts,) = self._db.execute(
            "UPDATE messages SET attempts = attempts + 1 WHERE id = ? RETURNING attempts", (queued.id,)
        ).fetchone() or (1,)
        return int(attempts)

    def _transaction_id(self, local_id: str) -> int | None:
        row = self._db.execute(
            "SELECT transaction_id FROM transactions WHERE local_id = ?", (local_id,)
        ).fetchone()
        return row[0] if row else None

    def _delete(self, message_id: int) -> None:
        self._length -= self._db.execute("DELETE FROM messages WHERE id = ?", (message_id,)).rowcount
        if not self._length:
            self._emptied.set()
