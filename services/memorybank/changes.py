"""What events change in what is known: sessions and the latest of each connector, merged by key.

A transaction stores many events at once; each session and connector they touch is changed once.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias, TypeVar

from msgspec import Struct

from contracts.events import (
    AnyEvent,
    CanFrameSeen,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)

ConnectorKey: TypeAlias = tuple[str, int]

_CONNECTION_WORDS = {"connection_opened": True, "connection_replaced": True, "connection_closed": False}
CHANGE_NOTHING = frozenset({CanFrameSeen, OcppMessageSeen})
"""The most frequent: they need not be given to Changes."""
_BOUND = 1e12
"""No charger reaches it in A or Wh; beyond, sums and differences in the database would overflow."""


class SessionChange(Struct, kw_only=True):
    """What a stretch of events says of a session; the names are the table's."""

    charge_point_id: str
    transaction_id: int
    connector: int | None = None
    id_tag: str | None = None
    started_at: datetime
    ended_at: datetime | None = None
    meter_start_wh: float | None = None
    meter_stop_wh: float | None = None
    reason: str | None = None
    register_wh: float | None = None
    register_at: datetime | None = None
    can_readings: int = 0
    can_sum_a: float = 0.0
    can_peak_a: float | None = None
    ocpp_readings: int = 0
    ocpp_sum_a: float = 0.0
    ocpp_peak_a: float | None = None

    def add_reading(self, reading: Reading) -> None:
        """Take a reading of this transaction."""
        if reading.energy_wh is not None and (self.register_at is None or self.register_at <= reading.at):
            self.register_wh, self.register_at = _bounded(reading.energy_wh), reading.at
        if reading.current_a is None:
            return
        current_a = _bounded(reading.current_a)
        if reading.origin == "can":
            self.can_readings += 1
            self.can_sum_a += current_a
            self.can_peak_a = current_a if self.can_peak_a is None else max(self.can_peak_a, current_a)
        else:
            self.ocpp_readings += 1
            self.ocpp_sum_a += current_a
            self.ocpp_peak_a = current_a if self.ocpp_peak_a is None else max(self.ocpp_peak_a, current_a)


class Connection(Struct, kw_only=True):
    """Whether the CSMS holds a charge point's connection, as of `at`."""

    charge_point_id: str
    connected: bool
    at: datetime


class OpenTransaction(Struct, kw_only=True):
    """Which transaction runs at a connector (None: none), as of `at`."""

    charge_point_id: str
    connector: int
    transaction_id: int | None
    at: datetime


@dataclass(slots=True)
class Changes:
    """The changes of one transaction; `readings` has the latest of each connector and origin."""

    sessions: dict[tuple[str, int], SessionChange] = field(default_factory=dict)
    statuses: dict[ConnectorKey, StatusChanged] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    transactions: dict[ConnectorKey, OpenTransaction] = field(default_factory=dict)
    readings: dict[tuple[str, int, str], Reading] = field(default_factory=dict)

    def add(self, event: AnyEvent) -> None:
        """Take an event; of two about the same thing the later one by event time stands."""
        charge_point_id, connector = event.charge_point_id, event.connector
        if charge_point_id is None:
            return
        match event:
            case Reading():
                self._add_reading(charge_point_id, connector, event)
            case TransactionStarted() | TransactionEnded():
                self._add_transaction(charge_point_id, event)
            case StatusChanged() if connector is not None:
                _keep_latest(self.statuses, (charge_point_id, connector), event)
            case SystemEvent(service="csms", name=name) if name in _CONNECTION_WORDS:
                connection = Connection(
                    charge_point_id=charge_point_id, connected=_CONNECTION_WORDS[name], at=event.at
                )
                _keep_latest(self.connections, charge_point_id, connection)

    def _add_reading(self, charge_point_id: str, connector: int | None, reading: Reading) -> None:
        if connector is not None:
            _keep_latest(self.readings, (charge_point_id, connector, reading.origin), reading)
        if reading.transaction_id is not None:
            self._session(charge_point_id, reading.transaction_id, reading).add_reading(reading)

    def _add_transaction(self, charge_point_id: str, event: TransactionStarted | TransactionEnded) -> None:
        session = self._session(charge_point_id, event.transaction_id, event)
        if isinstance(event, TransactionStarted):
            session.id_tag, session.started_at = event.id_tag, event.at
            session.meter_start_wh = _bounded(event.meter_start_wh)
        else:
            session.reason, session.ended_at = event.reason, event.at
            session.meter_stop_wh = _bounded(event.meter_stop_wh)
        if session.connector is not None:
            runs = event.transaction_id if isinstance(event, TransactionStarted) else None
            transaction = OpenTransaction(
                charge_point_id=charge_point_id,
                connector=session.connector,
                transaction_id=runs,
                at=event.at,
            )
            _keep_latest(self.transactions, (charge_point_id, session.connector), transaction)

    def _session(
        self,
        charge_point_id: str,
        transaction_id: int,
        event: Reading | TransactionStarted | TransactionEnded,
    ) -> SessionChange:
        key = (charge_point_id, transaction_id)
        session = self.sessions.get(key)
        if session is None:
            session = self.sessions[key] = SessionChange(
                charge_point_id=charge_point_id, transaction_id=transaction_id, started_at=event.at
            )
        elif session.meter_start_wh is None:
            session.started_at = min(session.started_at, event.at)
        if event.connector is not None:
            session.connector = event.connector
        return session


class _Dated(Protocol):
    @property
    def at(self) -> datetime: ...


_K = TypeVar("_K")
_D = TypeVar("_D", bound=_Dated)


def _keep_latest(known: dict[_K, _D], key: _K, fact: _D) -> None:
    if key not in known or known[key].at <= fact.at:
        known[key] = fact


def _bounded(value: float) -> float:
    return max(-_BOUND, min(_BOUND, value))
