"""The charge points that scenarios may run against: commanding them, and undoing what was done."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from contracts.errors import ContractError
from contracts.events import AnyEvent
from csms import limits, scenario, transaction
from csms.commander import Commander, NotConnected, Outcome, TooManyCommands
from csms.connections import Connection, Connections
from csms.scenario import Command, Situation
from csms.state import State
from csms.transaction import Transaction

SETTLE_S = 1.0
"""After a charge point connected it boots; a command before that is answered badly by many."""
START_DEADLINE_S = 5.0
"""How long a transaction may take to start when the next step needs it."""
STOP_DEADLINE_S = 5.0
RATE_UNIT_KEY = "ChargingScheduleAllowedChargingRateUnit"
"""The configuration key that says in which unit a charge point takes limits."""


class StepFailed(ContractError):  # noqa: N818 - named after what happened
    """A step that did not come to what the scenario needs; the message says how."""


class Targets:
    """Nothing reaches a charge point from here that is neither enrolled nor on the allow-list."""

    def __init__(
        self,
        state: State,
        connections: Connections,
        commander: Commander,
        publish: Callable[[AnyEvent], None],
        *,
        allow_list: tuple[str, ...] = (),
        voltage_v: float = 400.0,
    ) -> None:
        self._state = state
        self._connections = connections
        self._commander = commander
        self._publish = publish
        self._allow_list = frozenset(allow_list)
        self._voltage_v = voltage_v
        self._sending: set[asyncio.Task[Outcome]] = set()

    def is_allowed(self, charge_point_id: str) -> bool:
        """Return whether scenarios may run against a charge point, as it is connected or last was."""
        connection = self._connections.get(charge_point_id)
        enrolled = (
            self._state.charge_points.is_enrolled(charge_point_id)
            if connection is None
            else connection.enrolled
        )
        return enrolled or charge_point_id in self._allow_list

    def is_there(self, charge_point_id: str) -> bool:
        """Return whether a charge point is connected and may be commanded."""
        return self._connections.get(charge_point_id) is not None and self.is_allowed(charge_point_id)

    async def until_there(self, charge_point_id: str) -> None:
        """Wait, for as long as it takes, until a charge point is connected and settled."""
        while True:
            await self._connections.until(charge_point_id, lambda: self.is_there(charge_point_id))
            connection = self._connections.get(charge_point_id)
            if connection is None:
                continue
            age_s = asyncio.get_running_loop().time() - connection.connected_s
            if age_s >= SETTLE_S:
                return
            await asyncio.sleep(SETTLE_S - age_s)

    def transactions(self, charge_point_id: str, connector: int | None = None) -> list[Transaction]:
        """Return the active transactions that scenarios started, the newest last; no driver's among them."""
        active = self._state.transactions.active(charge_point_id, connector)
        return [candidate for candidate in active if candidate.run_id is not None]

    async def until(self, charge_point_id: str, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until the condition holds at a charge point; False when it did not in time."""
        return await self._connections.until(charge_point_id, condition, timeout_s)

    async def situation(self, charge_point_id: str, connector: int, *, with_transaction: bool) -> Situation:
        """Return what the next command depends on; StepFailed where its transaction does not start."""
        connection = self._connection(charge_point_id)
        if connection.rate_unit is None:
            await self._ask_rate_unit(connection)
        transaction_id = None
        if with_transaction:
            await self.until(
                charge_point_id,
                lambda: bool(self.transactions(charge_point_id, connector)),
                START_DEADLINE_S,
            )
            active = self.transactions(charge_point_id, connector)
            if not active:
                raise StepFailed(f"no transaction at connector {connector} within {START_DEADLINE_S:g} s")
            transaction_id = active[-1].transaction_id
        return Situation(transaction_id, connection.rate_unit or "A", self._voltage_v)

    async def send(self, charge_point_id: str, command: Command) -> None:
        """Send a command; raise StepFailed unless its outcome is welcome."""
        outcome = await self._outcome(charge_point_id, command)
        if outcome.word not in command.welcome:
            raise StepFailed(f"{command.action}: {outcome.word}")

    async def stop_transactions(self, charge_point_id: str) -> int:
        """Stop what scenarios started at a charge point and return how many; raise StepFailed.

        One that the charge point says it does not have is ended here: it died without a word.
        """
        active = self.transactions(charge_point_id)
        for ours in active:
            outcome = await self._outcome(charge_point_id, scenario.stopping(ours.transaction_id))
            if outcome.word == "Rejected":
                self._end_stale(ours.transaction_id)
            elif outcome.word != "Accepted" or not await self._has_ended(ours):
                raise StepFailed(f"transaction {ours.transaction_id} does not stop: {outcome.word}")
        return len(active)

    async def restore(self, charge_point_id: str, *, expects_start: bool = False) -> int:
        """Undo what a scenario did; return how many transactions were stopped; raise StepFailed.

        What cannot be undone now stays on record for the charge point's return. `expects_start`: a remote
        start went out whose transaction may still come.
        """
        intervention = self._state.runs.intervention(charge_point_id)
        if intervention is None:
            return 0
        if expects_start:
            await self.until(
                charge_point_id, lambda: bool(self.transactions(charge_point_id)), START_DEADLINE_S
            )
        stopped = await self.stop_transactions(charge_point_id)
        for profile in sorted(intervention.profile_ids):
            await self.send(charge_point_id, scenario.clearing(profile))
        if self._state.runs.intervention(charge_point_id) == intervention:  # else a newer run has begun
            self._state.runs.undone(charge_point_id)
        return stopped

    def _connection(self, charge_point_id: str) -> Connection:
        connection = self._connections.get(charge_point_id)
        if connection is None or not self.is_allowed(charge_point_id):
            raise StepFailed(f"{charge_point_id} is not connected")
        return connection

    async def _outcome(self, charge_point_id: str, command: Command) -> Outcome:
        self._connection(charge_point_id)
        # Whoever is cancelled leaves a command on its way; its outcome is still waited for and recorded.
        sending = asyncio.create_task(
            self._commander.send(charge_point_id, command.action, command.payload), name="command"
        )
        self._sending.add(sending)
        sending.add_done_callback(self._sent)
        try:
            return await asyncio.shield(sending)
        except (NotConnected, TooManyCommands) as error:
            raise StepFailed(str(error)) from error

    def _sent(self, sending: "asyncio.Task[Outcome]") -> None:
        self._sending.discard(sending)
        if not sending.cancelled():
            sending.exception()

    async def _ask_rate_unit(self, connection: Connection) -> None:
        connection.rate_unit = "A"
        asking = Command("GetConfiguration", {"key": [RATE_UNIT_KEY]})
        outcome = await self._outcome(connection.charge_point_id, asking)
        for entry in (outcome.response or {}).get("configurationKey", []):
            units = {word.strip().lower() for word in entry.get("value", "").split(",")}
            if entry.get("key") == RATE_UNIT_KEY and units <= {"power", "w"}:
                connection.rate_unit = "W"

    async def _has_ended(self, ours: Transaction) -> bool:
        def ended() -> bool:
            known = self._state.transactions.get(ours.transaction_id)
            return known is None or not known.is_active

        return await self.until(ours.charge_point_id, ended, STOP_DEADLINE_S)

    def _end_stale(self, transaction_id: int) -> None:
        known = self._state.transactions.get(transaction_id)
        if known is not None and known.is_active:
            now = datetime.now(UTC)
            ended = transaction.stale(known, now)
            self._state.transactions.ended(ended)
            kept = limits.ended(self._state.limits.get(known.charge_point_id), ended, now)
            self._state.limits.put(known.charge_point_id, kept)
            self._publish(transaction.ended_event(ended))
