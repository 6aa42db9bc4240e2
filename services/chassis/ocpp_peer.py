"""One end of an OCPP 1.6J connection: answers calls, makes calls, refuses nonsense and carries on.

Both ends are the same machine: one outstanding call per direction, answers matched by id, every payload
checked against the official schema in both directions.
"""

import asyncio
import inspect
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias

from msgspec import Struct
from websockets.exceptions import ConnectionClosed

from contracts import ocpp_messages
from contracts.errors import ContractError
from contracts.ocpp_messages import Call, CallError, CallResult, MalformedMessage, Message, Payload

log = logging.getLogger("ocpp")

CALL_TIMEOUT_S = 30.0
MAX_GIVEN_UP = 16
"""Calls that nobody waits for any more, whose answers are still known as theirs."""


class Connection(Protocol):
    """What a peer needs of a WebSocket."""

    async def send(self, message: str) -> None: ...
    async def recv(self) -> str | bytes: ...


class CallFailed(ContractError):  # noqa: N818 - three ways to fail follow
    """A call that brought no usable answer; `outcome` is one word for records."""

    outcome = "Failed"


class CallRefused(CallFailed):
    """The other end answered with a CALLERROR."""

    def __init__(self, error: CallError) -> None:
        super().__init__(f"{error.code}: {error.description}")
        self.error = error
        self.outcome = error.code


class CallTimedOut(CallFailed):
    """No answer within the deadline."""

    outcome = "Timeout"


class PeerLost(CallFailed):
    """The connection ended before the answer."""

    outcome = "ConnectionLost"


Handler: TypeAlias = Callable[[Payload], Payload | Awaitable[Payload]]
"""Takes a checked request, returns the answer. It must not call the same peer: the loop waits for it."""


class Exchange(Struct, frozen=True):
    """A message that passed, for records. `message` None: it was unreadable, and `refused` says why.

    An answer has its call's action and round-trip time; one to no call has neither. Where the answer is ours,
    it is the time that we took.
    """

    sent: bool
    message: Message | None
    action: str
    round_trip_s: float | None = None
    refused: MalformedMessage | None = None


Observer: TypeAlias = Callable[[Exchange], None]


class OcppPeer:
    """Drives one connection. `run` receives until the connection ends; `call` may be used meanwhile."""

    def __init__(
        self,
        connection: Connection,
        handlers: Mapping[str, Handler],
        *,
        observe: Observer = lambda _: None,
        call_timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._connection = connection
        self._handlers = handlers
        self._observe = observe
        self._call_timeout_s = call_timeout_s
        self._one_call = asyncio.Lock()
        self._pending: tuple[Call, asyncio.Future[Payload]] | None = None
        self._pending_since_s = 0.0
        self._given_up: dict[str, tuple[str, float]] = {}
        self._ended = False
        # As random as a UUID for each call, at a tenth of its cost.
        self._id_prefix = str(uuid.uuid4())[:24]
        self._calls = 0

    async def run(self) -> None:
        """Receive and answer until the connection raises; open calls then end with PeerLost."""
        try:
            while True:
                await self._received(await self._connection.recv())
        finally:
            self._ended = True
            if self._pending and not self._pending[1].done():
                self._pending[1].set_exception(PeerLost("the connection ended"))

    def take(self, raw: bytes) -> bool:
        """Take a message out of turn where it is the answer that is waited for; else `run` receives it."""
        pending = self._pending
        if pending is None or pending[1].done() or not raw.startswith(b"[3,"):
            return False
        try:
            message = ocpp_messages.parse(raw)
        except MalformedMessage:
            return False
        if not isinstance(message, CallResult) or message.unique_id != pending[0].unique_id:
            return False
        self._settle(message)
        return True

    async def call(self, action: str, payload: Payload, *, timeout_s: float | None = None) -> Payload:
        """Send a call and return the checked answer; raise CallRefused, CallTimedOut or PeerLost.

        A payload of ours that breaks the schema raises MalformedMessage and is not sent.
        """
        self._calls += 1
        call = Call(f"{self._id_prefix}{self._calls:012x}", action, payload)
        ocpp_messages.check_call(call)
        async with self._one_call:
            if self._ended:
                raise PeerLost("the connection has ended")
            future: asyncio.Future[Payload] = asyncio.get_running_loop().create_future()
            self._pending = (call, future)
            self._pending_since_s = time.monotonic()
            limit_s = self._call_timeout_s if timeout_s is None else timeout_s
            try:
                async with asyncio.timeout(limit_s):
                    await self._send(call, action)
                    return await future
            except TimeoutError:
                raise CallTimedOut(f"{action}: no answer within {limit_s:g} s") from None
            except (ConnectionClosed, OSError) as error:
                raise PeerLost(str(error)) from error
            finally:
                self._pending = None
                if not future.done() or future.cancelled():
                    self._give_up(call)
                if future.done() and not future.cancelled():
                    future.exception()  # asked for, or the loop complains that nobody did

    def _give_up(self, call: Call) -> None:
        self._given_up[call.unique_id] = (call.action, self._pending_since_s)
        if len(self._given_up) > MAX_GIVEN_UP:
            del self._given_up[next(iter(self._given_up))]

    async def _send(self, message: Message, action: str, round_trip_s: float | None = None) -> None:
        self._observe(Exchange(sent=True, message=message, action=action, round_trip_s=round_trip_s))
        await self._connection.send(ocpp_messages.encode(message))

    async def _received(self, raw: str | bytes) -> None:
        started_s = time.monotonic()
        try:
            message = ocpp_messages.parse(raw)
            if isinstance(message, Call):
                self._observe(Exchange(sent=False, message=message, action=message.action))
                answer: Message = await self._answer(message)
                await self._send(answer, message.action, time.monotonic() - started_s)
            else:
                self._settle(message)
        except MalformedMessage as refused:
            log.warning("refused a message: %s", refused)
            self._observe(Exchange(sent=False, message=None, action="", refused=refused))
            if refused.answerable:
                await self._send(refused.as_answer(), "", time.monotonic() - started_s)

    async def _answer(self, call: Call) -> CallResult | CallError:
        try:
            ocpp_messages.check_call(call)
            handler = self._handlers.get(call.action)
            if handler is None:
                raise MalformedMessage("NotSupported", f"{call.action} is not supported here", call.unique_id)  # noqa: TRY301
            payload: Any = handler(call.payload)
            if not isinstance(payload, dict) and inspect.isawaitable(payload):
                payload = await payload
            result = CallResult(call.unique_id, payload)
            ocpp_messages.check_result(call.action, result)
        except MalformedMessage as refused:
            if not refused.answerable:  # our own answer broke the schema: our bug, not the caller's
                log.exception("answer to %s", call.action)
                return CallError(call.unique_id, "InternalError", "the answer could not be made")
            log.warning("refused %s: %s", call.action, refused)
            return CallError(call.unique_id, refused.code, refused.description[:255])
        except Exception:
            log.exception("handler of %s", call.action)
            return CallError(call.unique_id, "InternalError", "the request could not be handled")
        return result

    def _settle(self, answer: CallResult | CallError) -> None:
        pending = self._pending
        if pending is None or pending[0].unique_id != answer.unique_id or pending[1].done():
            self._settle_late(answer)
            return
        call, future = pending
        round_trip_s = time.monotonic() - self._pending_since_s
        self._observe(Exchange(sent=False, message=answer, action=call.action, round_trip_s=round_trip_s))
        if isinstance(answer, CallError):
            future.set_exception(CallRefused(answer))
            return
        try:
            ocpp_messages.check_result(call.action, answer)
        except MalformedMessage as refused:
            log.warning("refused the answer to %s: %s", call.action, refused)
            error = CallError(answer.unique_id, refused.code, refused.description)
            future.set_exception(CallRefused(error))
        else:
            future.set_result(answer.payload)

    def _settle_late(self, answer: CallResult | CallError) -> None:
        given_up = self._given_up.pop(answer.unique_id, None)
        if given_up is None:
            self._observe(Exchange(sent=False, message=answer, action=""))
            log.warning("an answer to no call: %s", answer.unique_id)
            return
        action, since_s = given_up
        round_trip_s = time.monotonic() - since_s
        self._observe(Exchange(sent=False, message=answer, action=action, round_trip_s=round_trip_s))
        log.warning("the answer to %s came after %.1f s, too late", action, round_trip_s)
