"""The limits of each charge point's connectors; those in force outlive the process."""

import contextlib
import sqlite3

import msgspec

from csms.limits import Limits

KEPT = 10_000
"""Charge points beyond so many are forgotten, the first first."""

_NONE = Limits()


class LimitStore:
    """Table limits."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._by_id: dict[str, Limits] = {}
        for charge_point_id, text in db.execute("SELECT charge_point_id, limits FROM limits"):
            # Not knowing a limit is provided for; not starting because of one is not.
            with contextlib.suppress(msgspec.MsgspecError):
                self._by_id[charge_point_id] = msgspec.json.decode(text, type=Limits)

    def get(self, charge_point_id: str) -> Limits:
        """Return what is known of a charge point's limits."""
        return self._by_id.get(charge_point_id, _NONE)

    def put(self, charge_point_id: str, limits: Limits) -> None:
        """Keep them; on disk what lasts."""
        before, lasting = self.get(charge_point_id), limits.lasting()
        if limits == before:
            return
        self._by_id[charge_point_id] = limits
        if lasting == before.lasting():
            return
        self._db.execute(
            "INSERT OR REPLACE INTO limits VALUES (?, ?)",
            (charge_point_id, msgspec.json.encode(lasting).decode()),
        )
        if len(self._by_id) > KEPT:
            forgotten = next(iter(self._by_id))
            del self._by_id[forgotten]
            self._db.execute("DELETE FROM limits WHERE charge_point_id = ?", (forgotten,))
