"""Sending commands to charge points: each with a deadline, each outcome recorded."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.ocpp_peer import CallFailed, CallTimedOut
from contracts import ocpp_messages
from contracts.errors import ContractError
from contracts.events import AnyEvent, CommandSent
from contracts.ocpp_messages import KNOWN_ACTIONS, MAX_MESSAGE_BYTES, Call, MalformedMessage, Payload
from csms.connections import Connection, Connections

MAX_WAITING = 16
"""Commands that may wait for one charge point at the same time (it is asked one thing at a time)."""

_FROM_CHARGE_POINTS = frozenset(
    {
        "Authorize",
        "BootNotification",
        "DiagnosticsStatusNotification",
        "FirmwareStatusNotification",
        "Heartbeat",
        "LogStatusNotification",
        "MeterValues",
        "SecurityEventNotification",
        "SignCertificate",
        "SignedFirmwareStatusNotification",
        "StartTransaction",
        "StatusNotification",
        "StopTransaction",
    }
)
COMMANDS = KNOWN_ACTIONS - _FROM_CHARGE_POINTS
"""What a CSMS may ask of a charge point."""


class NotConnected(ContractError):  # noqa: N818 - named after what is the matter
    """The charge point is not there to be commanded."""


class TooManyCommands(ContractError):  # noqa: N818
    """MAX_WAITING commands wait for this charge point already."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """OCPP's status word (`Answered`: it has none), `Timeout`, `ConnectionLost` or an error code."""

    word: str
    response: Payload | None = None


class Commander:
    """Sends commands over whatever connection a charge point has at that moment."""

    def __init__(
        self, connections: Connections, publish: Callable[[AnyEvent], None], timeout_s: float = 10.0
    ) -> None:
        self._connections = connections
        self._publish = publish
        self._timeout_s = timeout_s
        self._waiting: dict[Connection, int] = {}

    async def send(self, charge_point_id: str, action: str, payload: Payload) -> Outcome:
        """Send a command and return what came of it, within the deadline.

        Raises NotConnected, TooManyCommands, or MalformedMessage for a payload against the official schema or
        beyond the bounds of a message.
        """
        connection = self._connections.get(charge_point_id)
        if connection is None:
            raise NotConnected(f"{charge_point_id} is not connected")
        if action not in COMMANDS:
            raise MalformedMessage("NotImplemented", f"{action[:50]!r} is no command to a charge point")
        _demand_bounds(action, payload)
        if self._waiting.get(connection, 0) >= MAX_WAITING:
            raise TooManyCommands(f"{MAX_WAITING} commands wait for {charge_point_id} already")
        self._waiting[connection] = self._waiting.get(connection, 0) + 1
        at = datetime.now(UTC)
        try:
            outcome = await self._outcome(connection, action, payload)
        finally:
            self._waiting[connection] -= 1
            if not self._waiting[connection]:
                del self._waiting[connection]
        connector = payload.get("connectorId")
        self._publish(
            CommandSent(
                at=at,
                charge_point_id=charge_point_id,
                connector=connector if isinstance(connector, int) and 0 <= connector <= 255 else None,
                command=action,
                parameters=payload,
                outcome=outcome.word,
            )
        )
        return outcome

    async def _outcome(self, connection: Connection, action: str, payload: Payload) -> Outcome:
        try:
            # The peer's own deadline starts when it is this command's turn; this one counts the waiting too.
            async with asyncio.timeout(self._timeout_s):
                response = await connection.peer.call(action, payload, timeout_s=self._timeout_s)
        except TimeoutError:
            return Outcome(CallTimedOut.outcome)
        except CallFailed as failed:
            return Outcome(failed.outcome[:255] or "Failed")
        return Outcome(str(response.get("status", "Answered")), response)


def _demand_bounds(action: str, payload: Payload) -> None:
    # What we would refuse to read, others do too; of a message that is too long they close the connection.
    try:
        text = ocpp_messages.encode(Call("0" * 36, action, payload))
    except (UnicodeEncodeError, OverflowError) as error:
        raise MalformedMessage("FormationViolation", f"cannot be sent: {error}") from error
    if len(text.encode()) > MAX_MESSAGE_BYTES:
        raise MalformedMessage("FormationViolation", f"longer than {MAX_MESSAGE_BYTES} bytes")
    ocpp_messages.parse(text)
