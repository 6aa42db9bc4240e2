"""Transactions: what a start or a stop makes of what is known. The rules only; `state` keeps them."""

from dataclasses import dataclass, replace
from datetime import datetime

from contracts.events import TransactionEnded, TransactionStarted

SUPERSEDED = "Superseded"
STALE = "Stale"
PROVISIONAL_REASONS = frozenset({SUPERSEDED, STALE})
"""Ends that the CSMS concluded by itself; the charge point's own word on them comes late but counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """A StartTransaction. `timestamp` is the text as sent: with the other fields it tells a retry."""

    charge_point_id: str
    connector: int
    id_tag: str
    timestamp: str
    at: datetime
    meter_start_wh: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A StopTransaction, from the charge point that sent it."""

    charge_point_id: str
    transaction_id: int
    at: datetime
    meter_stop_wh: int
    reason: str = "Local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One billed interval. `run_id`: the scenario run that started it, None for everyone else's."""

    transaction_id: int
    charge_point_id: str
    connector: int
    id_tag: str
    started_at: datetime
    meter_start_wh: int
    ended_at: datetime | None = None
    meter_stop_wh: int | None = None
    reason: str | None = None
    run_id: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None


@dataclass(frozen=True, slots=True)
class Stop:
    """What a StopTransaction came to: the ended transaction (None: not ours to end), what was odd."""

    transaction: Transaction | None
    oddity: str | None = None


def superseded(active: Transaction, request: StartRequest) -> Transaction:
    """Return the end of a transaction whose connector starts another: its stop was lost.

    The new meter start is the best knowledge of the old meter stop.
    """
    return _ended(active, request.at, request.meter_start_wh, SUPERSEDED)


def stale(active: Transaction, now: datetime) -> Transaction:
    """Return the end of a transaction that its charge point says it does not know."""
    return _ended(active, now, active.meter_start_wh, STALE)


def stop(known: Transaction | None, request: StopRequest) -> Stop:
    """Return what a stop comes to; a retry, or a second stop, leaves the first as it is."""
    if known is None:
        return Stop(None, "transaction_unknown")
    if known.charge_point_id != request.charge_point_id:
        return Stop(None, "transaction_of_another_charge_point")
    if not known.is_active and known.reason not in PROVISIONAL_REASONS:
        same = known.meter_stop_wh == request.meter_stop_wh and known.ended_at == request.at
        return Stop(known, None if same else "transaction_stopped_twice")
    ended = _ended(known, request.at, request.meter_stop_wh, request.reason)
    return Stop(ended, "meter_ran_backwards" if request.meter_stop_wh < known.meter_start_wh else None)


def _ended(transaction: Transaction, at: datetime, meter_stop_wh: int, reason: str) -> Transaction:
    return replace(transaction, ended_at=at, meter_stop_wh=meter_stop_wh, reason=reason)


def started_event(transaction: Transaction) -> TransactionStarted:
    """Return the event of a transaction's start."""
    return TransactionStarted(
        at=transaction.started_at,
        charge_point_id=transaction.charge_point_id,
        connector=transaction.connector,
        transaction_id=transaction.transaction_id,
        id_tag=transaction.id_tag,
        meter_start_wh=transaction.meter_start_wh,
    )


def ended_event(transaction: Transaction) -> TransactionEnded:
    """Return the event of an ended transaction's end; ValueError for an active one."""
    if transaction.ended_at is None or transaction.meter_stop_wh is None or transaction.reason is None:
        raise ValueError(f"transaction {transaction.transaction_id} has not ended")
    return TransactionEnded(
        at=transaction.ended_at,
        charge_point_id=transaction.charge_point_id,
        connector=transaction.connector,
        transaction_id=transaction.transaction_id,
        meter_stop_wh=transaction.meter_stop_wh,
        reason=transaction.reason,
    )
