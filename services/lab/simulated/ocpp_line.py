"""The simulated connection between a charge point and its CSMS: latency, order, one open call a direction."""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from contracts.injections import Network
from contracts.ocpp_messages import Call, Payload
from csms.scenario import Command
from lab.simulated.agenda import Agenda
from lab.simulated.central_system import CentralSystem

CALL_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 10.0
"""The defaults of the real charge point and CSMS."""

Answered: TypeAlias = Callable[[Payload | None], None]
"""Is given the answer, or None where there was none: no connection, or no answer in time."""
Commanded: TypeAlias = Callable[[str, Payload], Payload]


@dataclass(slots=True, eq=False)
class _Asked:
    """A call of the charge point's that waits for its turn or its answer."""

    action: str
    payload: Payload
    answered: Answered


@dataclass(slots=True, eq=False)
class _Ordered:
    """A command of the CSMS's that waits for its answer."""

    command: Command
    sent_s: float
    outcome: Callable[[str], None]


class OcppLine:
    """`call` is the charge point's, `command` the CSMS's; `commanded` answers the commands."""

    def __init__(self, agenda: Agenda, csms: CentralSystem, commanded: Commanded, latency_s: float) -> None:
        self.network: Network | None = None
        """What an injection does to messages, by `draws`."""
        self.draws = random.Random(0)
        self.is_up = False
        self.connected_s = 0.0
        self.is_asked = False
        """Whether the CSMS knows of this connection in which unit limits are understood."""
        self._agenda = agenda
        self._csms = csms
        self._commanded = commanded
        self._latency_s = latency_s
        self._waiting: deque[_Asked] = deque()
        self._open: _Asked | None = None
        self._orders: list[_Ordered] = []
        self._connection = 0
        self._messages = 0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing but MeterValues, which never end, is on its way from the charge point."""
        return self._open is None or self._open.action == "MeterValues"

    def connect(self) -> None:
        """Make the connection."""
        self.is_up, self.is_asked, self.connected_s = True, False, self._agenda.now_s
        self._csms.opened()
        self._agenda.look()

    def cut(self, code: int = 1006, reason: str = "") -> None:
        """Break the connection: what was open stays without an answer."""
        self._dropped()
        self._csms.closed(code, reason)

    def replace(self) -> None:
        """Break the connection because another took its place, which the CSMS tells in other words."""
        self._dropped()

    def _dropped(self) -> None:
        self.is_up = False
        self._connection += 1
        asked = [*([self._open] if self._open else []), *self._waiting]
        self._open = None
        self._waiting.clear()
        orders, self._orders = self._orders, []
        for one in asked:
            one.answered(None)
        for order in orders:
            self._end(order, "ConnectionLost")

    def call(self, action: str, payload: Payload, answered: Answered) -> None:
        """Send a call of the charge point when those before it are answered."""
        if not self.is_up:
            answered(None)
            return
        self._waiting.append(_Asked(action, payload, answered))
        if self._open is None:
            self._send_next()

    def command(self, command: Command, outcome: Callable[[str], None]) -> None:
        """Send a command of the CSMS; `outcome` is given its word."""
        if not self.is_up:
            outcome("NotConnected")
            return
        order = _Ordered(command, self._agenda.now_s, outcome)
        self._orders.append(order)
        call = Call(self._unique_id(), command.action, command.payload)
        self._csms.sent(call)

        def arrived() -> None:
            answer = self._commanded(command.action, command.payload)
            self._travel(lambda: answered(answer))

        def answered(answer: Payload) -> None:
            if order in self._orders:
                self._orders.remove(order)
                self._end(order, self._csms.answered(call, answer, self._agenda.now_s - order.sent_s))

        self._travel(arrived)
        if self.network is not None:
            self._agenda.after(COMMAND_TIMEOUT_S, lambda: self._give_up_order(order))

    def _give_up_order(self, order: _Ordered) -> None:
        if order in self._orders:
            self._orders.remove(order)
            self._end(order, "Timeout")

    def _end(self, order: _Ordered, word: str) -> None:
        self._csms.told(order.command, order.sent_s, word)
        order.outcome(word)
        self._agenda.look()

    def _send_next(self) -> None:
        asked = self._open = self._waiting.popleft()
        call = Call(self._unique_id(), asked.action, asked.payload)
        self._travel(lambda: self._arrived(call, asked))
        if self.network is not None:
            self._agenda.after(CALL_TIMEOUT_S, lambda: self._settled(asked, None))

    def _arrived(self, call: Call, asked: _Asked) -> None:
        answer = self._csms.answer(call)
        self._travel(lambda: self._settled(asked, answer))

    def _settled(self, asked: _Asked, answer: Payload | None) -> None:
        if self._open is not asked:  # it was given up, or this is its second answer
            return
        self._open = None
        asked.answered(answer)
        if asked.action != "MeterValues":  # nobody waits for those
            self._agenda.look()
        if self._waiting and self._open is None:
            self._send_next()

    def _travel(self, arrive: Callable[[], None]) -> None:
        """Let a message arrive at the other end: late, never or twice where an injection says so."""
        connection, network, late_s, times = self._connection, self.network, self._latency_s, 1
        if network is not None:
            late_s += network.delay_s
            if self.draws.random() < network.drop_share:
                times = 0
            elif self.draws.random() < network.duplicate_share:
                times = 2

        def arrived() -> None:
            if connection == self._connection:
                arrive()

        for _ in range(times):
            self._agenda.after(late_s, arrived)

    def _unique_id(self) -> str:
        self._messages += 1
        return f"{self._csms.charge_point_id}-{self._messages}"
