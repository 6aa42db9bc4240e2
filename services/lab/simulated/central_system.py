"""The CSMS as one simulated charge point knows it: the real actions and limits, on a state of its own."""

import sqlite3
from collections.abc import Callable
from typing import Any

from chassis.ocpp_peer import Exchange
from contracts.events import AnyEvent, CommandSent, ScenarioLabel, StatusChanged, SystemEvent
from contracts.ocpp_messages import Call, CallResult, Payload
from csms import limits, message_events, transaction
from csms.actions import ACTIONS, Context
from csms.authorisation import IdTag
from csms.scenario import Command
from csms.state import State
from csms.transaction import Transaction
from lab.simulated.agenda import Agenda

TRANSACTIONS_EACH = 1_000_000
"""So many ids has each charge point; OCPP's have 32 bits, which is enough for 2147 charge points."""
_ROUTINE = frozenset({"MeterValues", "Heartbeat"})
"""Messages whose content other events tell as well."""


class CentralSystem:
    """Answers one charge point and commands it; `number` keeps its transactions' ids from others'."""

    def __init__(
        self,
        charge_point_id: str,
        number: int,
        agenda: Agenda,
        emit: Callable[[AnyEvent], None],
        *,
        shows_wire: bool = True,
    ) -> None:
        self.charge_point_id = charge_point_id
        self._agenda = agenda
        self._emit = emit
        self._shows_wire = shows_wire
        db = sqlite3.connect(":memory:", isolation_level=None)
        self.state = State(db)
        first = number * TRANSACTIONS_EACH
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'transactions'", (first,))

    def knows(self, id_tag: str) -> None:
        """Take an id tag on the list."""
        if self.state.id_tags.get(id_tag) is None:
            self.state.id_tags.put(IdTag(id_tag=id_tag))

    def opened(self) -> None:
        """Take note that the charge point connected."""
        self.state.charge_points.connected(self.charge_point_id, self._agenda.now, enrolled=True)
        self.note("connection_opened", {"enrolled": True})

    def closed(self, code: int, reason: str) -> None:
        """Take note that its connection went."""
        now = self._agenda.now
        self.state.charge_points.disconnected(self.charge_point_id, now)
        self.note("connection_closed", {"code": code, "reason": reason})
        for connector in self.state.charge_points.connectors(self.charge_point_id):
            self._emit(
                StatusChanged(
                    at=now,
                    charge_point_id=self.charge_point_id,
                    connector=connector.connector,
                    status="Offline",
                )
            )

    def answer(self, call: Call) -> Payload:
        """Answer a call of the charge point."""
        now, is_shown = self._agenda.now, self._shows_wire or call.action not in _ROUTINE
        if is_shown:
            self._observe(Exchange(sent=False, message=call, action=call.action))
        answer = ACTIONS[call.action](call.payload, Context(self.charge_point_id, now, self.state))
        for event in answer.events:
            self._emit(event)
        if is_shown:
            result = CallResult(call.unique_id, answer.payload)
            self._observe(Exchange(sent=True, message=result, action=call.action, round_trip_s=0.0))
        return answer.payload

    def sent(self, call: Call) -> None:
        """Take note that a command goes out."""
        self._observe(Exchange(sent=True, message=call, action=call.action))
        known = limits.sent(self.state.limits.get(self.charge_point_id), call, self._agenda.now)
        self.state.limits.put(self.charge_point_id, known)

    def answered(self, call: Call, payload: Payload, round_trip_s: float) -> str:
        """Take note of a command's answer and return its outcome's word."""
        result = CallResult(call.unique_id, payload)
        known = limits.answered(self.state.limits.get(self.charge_point_id), result, self._agenda.now)
        self.state.limits.put(self.charge_point_id, known)
        self._observe(Exchange(sent=False, message=result, action=call.action, round_trip_s=round_trip_s))
        return str(payload.get("status", "Answered"))

    def told(self, command: Command, sent_s: float, outcome: str) -> None:
        """Record what came of a command."""
        connector = command.payload.get("connectorId")
        self._emit(
            CommandSent(
                at=self._agenda.instant(sent_s),
                charge_point_id=self.charge_point_id,
                connector=connector if isinstance(connector, int) else None,
                command=command.action,
                parameters=command.payload,
                outcome=outcome,
            )
        )

    def tell(self, label: ScenarioLabel) -> None:
        """Record ground truth."""
        self._emit(label)

    def transactions_of_runs(self, connector: int | None = None) -> list[Transaction]:
        """Return the active transactions that scenarios started, the newest last."""
        active = self.state.transactions.active(self.charge_point_id, connector)
        return [candidate for candidate in active if candidate.run_id is not None]

    def end_stale(self, transaction_id: int) -> None:
        """End a transaction that the charge point says it does not have."""
        known = self.state.transactions.get(transaction_id)
        if known is not None and known.is_active:
            now = self._agenda.now
            ended = transaction.stale(known, now)
            self.state.transactions.ended(ended)
            kept = limits.ended(self.state.limits.get(self.charge_point_id), ended, now)
            self.state.limits.put(self.charge_point_id, kept)
            self._emit(transaction.ended_event(ended))

    def note(self, name: str, detail: dict[str, Any]) -> None:
        """Record a fact about the charge point's connection."""
        self._emit(
            SystemEvent(
                at=self._agenda.now,
                charge_point_id=self.charge_point_id,
                service="csms",
                name=name,
                detail=detail,
            )
        )

    def _observe(self, exchange: Exchange) -> None:
        for event in message_events.events_of(exchange, self.charge_point_id, self._agenda.now):
            self._emit(event)
