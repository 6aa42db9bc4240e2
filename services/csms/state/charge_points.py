"""The charge points that ever connected, and the last status of their connectors."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from csms.state.instants import from_text, to_text

KEPT = 10_000
"""Foreign charge points beyond so many are forgotten, the longest unseen first."""

_COLUMNS = "charge_point_id, enrolled, last_seen_at, vendor, model, firmware, serial_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorStatus:
    """What a connector last said of itself."""

    connector: int
    status: str
    error_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownChargePoint:
    """What is remembered of a charge point; the boot's words are None before the first."""

    charge_point_id: str
    enrolled: bool
    last_seen_at: datetime
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial_number: str | None = None
    connectors: tuple[ConnectorStatus, ...] = ()


class ChargePointStore:
    """Tables charge_points and connectors."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def connected(self, charge_point_id: str, now: datetime, *, enrolled: bool) -> None:
        """Remember that a charge point connected, and as what."""
        is_new = self.get(charge_point_id) is None
        self._db.execute(
            "INSERT INTO charge_points (charge_point_id, enrolled, connected, last_seen_at) "
            "VALUES (?, ?, 1, ?) ON CONFLICT DO UPDATE SET enrolled = excluded.enrolled, connected = 1, "
            "last_seen_at = excluded.last_seen_at",
            (charge_point_id, enrolled, to_text(now)),
        )
        if is_new:
            self._prune()

    def disconnected(self, charge_point_id: str, last_seen_at: datetime) -> None:
        """Remember that it went, and when it was last heard."""
        self._db.execute(
            "UPDATE charge_points SET connected = 0, last_seen_at = ? WHERE charge_point_id = ?",
            (to_text(last_seen_at), charge_point_id),
        )

    def take_cut_off(self) -> list[str]:
        """Return, once, those that were connected when the last CSMS process died."""
        rows = self._db.execute(
            "UPDATE charge_points SET connected = 0 WHERE connected RETURNING charge_point_id"
        )
        return [charge_point_id for (charge_point_id,) in rows.fetchall()]

    def booted(
        self, charge_point_id: str, vendor: str, model: str, firmware: str | None, serial_number: str | None
    ) -> None:
        """Remember what a charge point said of itself when it booted."""
        self._db.execute(
            "UPDATE charge_points SET vendor = ?, model = ?, firmware = ?, serial_number = ? "
            "WHERE charge_point_id = ?",
            (vendor, model, firmware, serial_number, charge_point_id),
        )

    def status_changed(self, charge_point_id: str, status: ConnectorStatus) -> None:
        """Remember a connector's status (0: the whole station)."""
        self._db.execute(
            "INSERT OR REPLACE INTO connectors VALUES (?, ?, ?, ?)",
            (charge_point_id, status.connector, status.status, status.error_code),
        )

    def connectors(self, charge_point_id: str) -> tuple[ConnectorStatus, ...]:
        """Return the connectors that a charge point has told of, in order."""
        rows = self._db.execute(
            "SELECT connector, status, error_code FROM connectors WHERE charge_point_id = ? "
            "ORDER BY connector",
            (charge_point_id,),
        )
        return tuple(ConnectorStatus(connector=row[0], status=row[1], error_code=row[2]) for row in rows)

    def is_enrolled(self, charge_point_id: str) -> bool:
        """Return whether it last connected as one of the bench's own."""
        row = self._db.execute(
            "SELECT enrolled FROM charge_points WHERE charge_point_id = ?", (charge_point_id,)
        ).fetchone()
        return bool(row and row[0])

    def get(self, charge_point_id: str) -> KnownChargePoint | None:
        """Return what is known of a charge point, or None."""
        return next(iter(self._select("WHERE charge_point_id = ?", charge_point_id)), None)

    def all(self) -> list[KnownChargePoint]:
        """Return every known charge point, by identity."""
        return self._select("ORDER BY charge_point_id")

    def _prune(self) -> None:
        forgotten = self._db.execute(
            "DELETE FROM charge_points WHERE charge_point_id IN (SELECT charge_point_id FROM charge_points "
            "WHERE NOT enrolled AND NOT connected ORDER BY last_seen_at DESC LIMIT -1 OFFSET ?)",
            (KEPT,),
        )
        if forgotten.rowcount:
            self._db.execute(
                "DELETE FROM connectors WHERE charge_point_id NOT IN "
                "(SELECT charge_point_id FROM charge_points)"
            )

    def _select(self, where: str, *values: str) -> list[KnownChargePoint]:
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM charge_points {where}",  # noqa: S608 - constants of this class
            values,
        )
        return [
            KnownChargePoint(
                charge_point_id=row[0],
                enrolled=bool(row[1]),
                last_seen_at=from_text(row[2]),
                vendor=row[3],
                model=row[4],
                firmware=row[5],
                serial_number=row[6],
                connectors=self.connectors(row[0]),
            )
            for row in rows.fetchall()
        ]
