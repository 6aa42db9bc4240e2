"""Orphan transactions: what the central system knows of a connector's transactions is not what happens there.

A start without a stop, a session that goes on after its stop, a stop that fits no start, values of a
transaction that come from another connector. While a connection is down its stops wait, so nothing is judged.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar

from contracts.events import Event, Severity, StatusChanged, SystemEvent, TransactionEnded, TransactionStarted
from memorybank.detector import Layer, Place, Scope, Sign
from memorybank.detectors.telling import Telling

KIND = "orphan-transaction"

_AT_REST = frozenset({"Available", "Preparing", "Finishing", "Reserved", "Unavailable"})
_IN_SESSION = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE"})
_SUPERSEDED = "Superseded"
"""The CSMS's reason for an end that it concluded from the next start."""
CONCLUDED = frozenset({_SUPERSEDED, "Stale"})
"""Its reasons for ends that no charge point told."""
_ODDITIES = {
    "transaction_stopped_twice": "was stopped a second time, otherwise than the first",
    "transaction_unknown": "was stopped, but never started",
    "transaction_of_another_charge_point": "was stopped here, but runs at another charge point",
    "transaction_at_another_connector": "runs here, but its values name connector",
}
_RECENT_S = 3600.0


@dataclass(slots=True)
class State:
    """The connector's transaction and status; changed in place."""

    is_first: bool
    telling: Telling = field(default_factory=Telling)
    transaction_id: int | None = None
    """The last one that the central system knows of here."""
    is_active: bool = False
    was_stopped: bool = False
    """Whether a charge point's own word ended it."""
    status: str = ""
    differs: bool = False
    """Whether status and transaction contradict each other."""
    since_s: float | None = None
    """Since when they do; None: not yet known."""
    counted: Any = None
    """Which orphan was counted last."""
    count: int = 0
    """Orphans, each at most an hour after the one before."""
    last_s: float = float("-inf")


@dataclass(frozen=True, slots=True)
class OrphanTransaction:
    """The detector and its thresholds."""

    hold_s: float = 30.0
    """Seconds for which status and transaction must differ: after an outage a charge point tells its status
    first, and its stop when the values before that are delivered."""
    tell_s: float = 900.0
    """Seconds for which it is told that they differ: a bill may stay open for days."""
    name: ClassVar[str] = "orphan_transaction"
    layer: ClassVar[Layer] = "consistency"
    scope: ClassVar[Scope] = "connector"
    takes: ClassVar[tuple[type[Event], ...]] = (
        TransactionStarted,
        TransactionEnded,
        StatusChanged,
        SystemEvent,
    )

    def start(self, place: Place) -> State:
        """Return the state before the first event."""
        return State(place.connector == 1)

    def step(
        self, state: State, event: TransactionStarted | TransactionEnded | StatusChanged | SystemEvent
    ) -> Sign | None:
        """Take the connector's next event; what names no connector is told at the first one."""
        match event:
            case SystemEvent():
                if event.name in _ODDITIES and (event.connector or state.is_first):
                    return self._odd(state, event)
                return None
            case StatusChanged():
                if not event.connector:
                    return None
                state.status = event.status
            case TransactionStarted():
                state.transaction_id, state.is_active, state.was_stopped = event.transaction_id, True, False
            case TransactionEnded():
                if event.transaction_id != state.transaction_id:
                    return None
                sign = None
                if state.is_active and event.reason == _SUPERSEDED:
                    sign = self._superseded(state, event)
                state.is_active, state.was_stopped = False, event.reason not in CONCLUDED
                self._compare(state)
                return sign
        self._compare(state)
        return None

    def tick(self, state: State, now: datetime) -> Sign | None:
        """Tell of a contradiction that lasts. Charge points' own clocks are not asked: they may be wrong."""
        if not state.differs:
            return None
        now_s = now.timestamp()
        if state.since_s is None or now_s < state.since_s:
            state.since_s = now_s
        lasted_s = now_s - state.since_s
        if not self.hold_s <= lasted_s <= self.tell_s or not state.telling.is_due(now_s, state.since_s):
            return None
        _count(state, state.transaction_id, now_s)
        known = "has no stop" if state.is_active else "was stopped"
        return self._sign(
            state,
            state.telling.since_s,
            f"transaction {state.transaction_id} {known}, but its connector is {state.status} for"
            f" {lasted_s:.0f} s",
            lasted_s=lasted_s,
        )

    def _compare(self, state: State) -> None:
        """Take note whether status and transaction contradict each other now."""
        differs = (state.is_active and state.status in _AT_REST) or (
            state.was_stopped and state.status in _IN_SESSION
        )
        if not (differs and state.differs):
            state.since_s = None
        state.differs = differs

    def _superseded(self, state: State, ended: TransactionEnded) -> Sign:
        at_s = ended.at.timestamp()
        _count(state, ended.transaction_id, at_s)
        return self._sign(
            state, at_s, f"transaction {ended.transaction_id} has no stop, and the next one began here"
        )

    def _odd(self, state: State, event: SystemEvent) -> Sign | None:
        at_s = event.at.timestamp()
        if not state.telling.is_due(at_s, at_s):
            return None
        transaction_id, named = event.detail.get("transaction_id"), event.detail.get("named_connector")
        _count(state, transaction_id, at_s)
        said = _ODDITIES[event.name] + (f" {named}" if named is not None else "")
        return self._sign(state, state.telling.since_s, f"transaction {transaction_id} {said}")

    def _sign(self, state: State, since_s: float, said: str, *, lasted_s: float = 0.0) -> Sign:
        # What flows after a stop is on nobody's bill; a bill that stays open is a matter of records.
        flows = state.was_stopped and state.status in _IN_SESSION
        grade: Severity = "warning" if flows or state.count >= 3 else "info"
        return Sign(
            kind=KIND,
            since=datetime.fromtimestamp(since_s, UTC),
            score=round(max(float(state.count), lasted_s / self.hold_s), 2),
            threshold=1.0,
            deviation=float(state.count),
            severity=grade,
            explanation=said + (f"; {state.count} of them, an hour apart at most" if state.count > 1 else ""),
            pattern={"orphans": float(state.count)},
        )


def _count(state: State, transaction_id: Any, at_s: float) -> None:
    """Count an orphan, once, and those of the last hour with it."""
    is_recent = abs(at_s - state.last_s) <= _RECENT_S
    if not is_recent or transaction_id != state.counted:
        state.count = state.count + 1 if is_recent else 1
    state.counted, state.last_s = transaction_id, at_s


DETECTOR = OrphanTransaction()
