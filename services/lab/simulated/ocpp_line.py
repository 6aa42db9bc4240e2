"""The simulated connection between a charge point and its CSMS: latency, order, one open call a direction."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from contracts.ocpp_messages import Call, Payload
from csms.scenario import Command
from lab.simulated.agenda import Agenda
from lab.simulated.central_system import CentralSystem

Answered: TypeAlias = Callable[[Payload], None]
Commanded: TypeAlias = Callable[[str, Payload], Payload]


@dataclass(frozen=True, slots=True)
class _Waiting:
    action: str
    payload: Payload
    answered: Answered


class OcppLine:
    """`call` is the charge point's, `command` the CSMS's; `commanded` answers the commands."""

    def __init__(self, agenda: Agenda, csms: CentralSystem, commanded: Commanded, latency_s: float) -> None:
        self._agenda = agenda
        self._csms = csms
        self._commanded = commanded
        self._latency_s = latency_s
        self._waiting: deque[_Waiting] = deque()
        self._is_open = False
        self._messages = 0

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way from the charge point."""
        return not self._is_open

    def call(self, action: str, payload: Payload, answered: Answered) -> None:
        """Send a call of the charge point when those before it are answered."""
        self._waiting.append(_Waiting(action, payload, answered))
        if not self._is_open:
            self._send_next()

    def command(self, command: Command, outcome: Callable[[str], None]) -> None:
        """Send a command of the CSMS; `outcome` is given its word."""
        agenda, csms = self._agenda, self._csms
        call, sent_s = Call(self._unique_id(), command.action, command.payload), agenda.now_s
        csms.sent(call)

        def arrived() -> None:
            answer = self._commanded(command.action, command.payload)
            agenda.after(self._latency_s, lambda: answered(answer))

        def answered(answer: Payload) -> None:
            word = csms.answered(call, answer, agenda.now_s - sent_s)
            csms.told(command, sent_s, word)
            outcome(word)
            agenda.look()

        agenda.after(self._latency_s, arrived)

    def _send_next(self) -> None:
        waiting, self._is_open = self._waiting.popleft(), True
        call = Call(self._unique_id(), waiting.action, waiting.payload)
        self._agenda.after(self._latency_s, lambda: self._arrived(call, waiting.answered))

    def _arrived(self, call: Call, answered: Answered) -> None:
        answer = self._csms.answer(call)
        self._agenda.after(self._latency_s, lambda: self._settled(call, answer, answered))

    def _settled(self, call: Call, answer: Payload, answered: Answered) -> None:
        self._is_open = False
        answered(answer)
        if call.action != "MeterValues":  # nobody waits for those
            self._agenda.look()
        if self._waiting and not self._is_open:
            self._send_next()

    def _unique_id(self) -> str:
        self._messages += 1
        return f"{self._csms.charge_point_id}-{self._messages}"
