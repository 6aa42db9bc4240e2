"""The transactions: their ids are given once and for all."""

import sqlite3

from csms.state.instants import from_text, to_text
from csms.transaction import PROVISIONAL_REASONS, StartRequest, Transaction

IDS_PER_REPLICA = 100_000_000
KEPT_ENDED = 100_000
"""Ended transactions beyond so many are forgotten, the oldest first; the MemoryBank keeps them all."""

KNOWN = 10_000
"""So many transactions are held beside the file: every MeterValues asks for its own."""

_PRUNE_EVERY = 1000
_PROVISIONAL = ", ".join(f"'{reason}'" for reason in sorted(PROVISIONAL_REASONS))
_COLUMNS = (
    "transaction_id, charge_point_id, connector, id_tag, started_at, meter_start_wh, "
    "ended_at, meter_stop_wh, reason, run_id"
)


class TransactionStore:
    """Table transactions; the ids of replica r start at r * 100,000,000 + 1."""

    def __init__(self, db: sqlite3.Connection, replica: int = 0) -> None:
        self._db = db
        self._known: dict[int, Transaction] = {}
        first, last = replica * IDS_PER_REPLICA, (replica + 1) * IDS_PER_REPLICA - 1
        row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'transactions'").fetchone()
        if row is None:
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('transactions', ?)", (first,))
        elif not first <= row[0] < last:
            raise ValueError(
                f"the state file's transaction ids are at {row[0]}, outside those of CSMS_REPLICA={replica}"
            )

    def started(self, request: StartRequest, run_id: str | None = None) -> Transaction:
        """Give a transaction its id."""
        cursor = self._db.execute(
            "INSERT INTO transactions (charge_point_id, connector, id_tag, sent_timestamp, started_at, "
            "meter_start_wh, run_id) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                request.charge_point_id,
                request.connector,
                request.id_tag,
                request.timestamp,
                to_text(request.at),
                request.meter_start_wh,
                run_id,
            ),
        )
        transaction_id = cursor.lastrowid
        assert transaction_id is not None  # noqa: S101 - sqlite3 says None only before an INSERT
        if transaction_id % _PRUNE_EVERY == 0:
            self._prune()
        return Transaction(
            transaction_id=transaction_id,
            charge_point_id=request.charge_point_id,
            connector=request.connector,
            id_tag=request.id_tag,
            started_at=request.at,
            meter_start_wh=request.meter_start_wh,
            run_id=run_id,
        )

    def started_before(self, request: StartRequest) -> Transaction | None:
        """Return the transaction that the same request started when it was sent before.

        One that its charge point stopped is none: it has its id, and starts another by a clock that stands.
        """
        return self._first(
            "WHERE charge_point_id = ? AND sent_timestamp = ? AND connector = ? AND id_tag = ? "
            f"AND meter_start_wh = ? AND (ended_at IS NULL OR reason IN ({_PROVISIONAL}))",
            request.charge_point_id,
            request.timestamp,
            request.connector,
            request.id_tag,
            request.meter_start_wh,
        )

    def ended(self, transaction: Transaction) -> None:
        """Keep a transaction's end."""
        self._known.pop(transaction.transaction_id, None)
        self._db.execute(
            "UPDATE transactions SET ended_at = ?, meter_stop_wh = ?, reason = ? WHERE transaction_id = ?",
            (
                to_text(transaction.ended_at),
                transaction.meter_stop_wh,
                transaction.reason,
                transaction.transaction_id,
            ),
        )

    def get(self, transaction_id: int) -> Transaction | None:
        """Return a transaction, or None."""
        known = self._known.get(transaction_id)
        if known is None:
            known = self._first("WHERE transaction_id = ?", transaction_id)
            if known is not None:
                if len(self._known) >= KNOWN:
                    self._known.clear()
                self._known[transaction_id] = known
        return known

    def active(self, charge_point_id: str, connector: int | None = None) -> list[Transaction]:
        """Return the transactions that have not ended, the newest last; of one connector or of all."""
        if connector is None:
            return self._select(
                "WHERE charge_point_id = ? AND ended_at IS NULL ORDER BY transaction_id", charge_point_id
            )
        return self._select(
            "WHERE charge_point_id = ? AND connector = ? AND ended_at IS NULL ORDER BY transaction_id",
            charge_point_id,
            connector,
        )

    def is_charging(self, id_tag: str) -> bool:
        """Return whether a tag has an active transaction anywhere."""
        return self._first("WHERE id_tag = ? AND ended_at IS NULL", id_tag) is not None

    def newest(
        self, charge_point_id: str | None = None, *, active: bool | None = None, limit: int = 100
    ) -> list[Transaction]:
        """Return transactions, the newest first; of one charge point, active ones or ended ones."""
        conditions = ["1"] if charge_point_id is None else ["charge_point_id = ?"]
        if active is not None:
            conditions.append("ended_at IS NULL" if active else "ended_at IS NOT NULL")
        values = () if charge_point_id is None else (charge_point_id,)
        return self._select(
            f"WHERE {' AND '.join(conditions)} ORDER BY transaction_id DESC LIMIT ?", *values, limit
        )

    def _prune(self) -> None:
        self._known.clear()
        self._db.execute(
            "DELETE FROM transactions WHERE transaction_id IN (SELECT transaction_id FROM transactions "
            "WHERE ended_at IS NOT NULL ORDER BY transaction_id DESC LIMIT -1 OFFSET ?)",
            (KEPT_ENDED,),
        )

    def _first(self, where: str, *values: str | int) -> Transaction | None:
        return next(iter(self._select(f"{where} ORDER BY transaction_id DESC LIMIT 1", *values)), None)

    def _select(self, where: str, *values: str | int) -> list[Transaction]:
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM transactions {where}", values)  # noqa: S608 - constants
        return [
            Transaction(
                transaction_id=row[0],
                charge_point_id=row[1],
                connector=row[2],
                id_tag=row[3],
                started_at=from_text(row[4]),
                meter_start_wh=row[5],
                ended_at=from_text(row[6]),
                meter_stop_wh=row[7],
                reason=row[8],
                run_id=row[9],
            )
            for row in rows
        ]
