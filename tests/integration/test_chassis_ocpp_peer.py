"""Both ends of an OCPP connection over a real WebSocket, and one end against somebody who talks nonsense."""

import asyncio
import contextlib
import gc
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from chassis.ocpp_peer import (
    MAX_GIVEN_UP,
    CallRefused,
    CallTimedOut,
    Exchange,
    Handler,
    OcppPeer,
    PeerLost,
)
from chassis.quick_connection import QuickConnection
from contracts.ocpp_messages import SUBPROTOCOL, Call, CallError, CallResult, MalformedMessage, Payload

OCPP = Subprotocol(SUBPROTOCOL)
HEARTBEAT = {"currentTime": "2026-03-01T12:30:00Z"}
AUTHORIZED = {"idTagInfo": {"status": "Accepted"}}


class Quick(QuickConnection, ServerConnection):
    """The central system's end takes answers as they arrive; the charge point's receives all in turn."""


@dataclass
class End:
    """One end: its peer and what passed it."""

    peer: OcppPeer
    exchanges: list[Exchange] = field(default_factory=list)

    def refused(self) -> list[str]:
        return [exchange.refused.code for exchange in self.exchanges if exchange.refused]


def heartbeat(_: Payload) -> Payload:
    return HEARTBEAT


HANDLERS: dict[str, Handler] = {"Heartbeat": heartbeat}


async def run(peer: OcppPeer) -> None:
    with contextlib.suppress(ConnectionClosed):
        await peer.run()


@contextlib.asynccontextmanager
async def central(
    handlers: Mapping[str, Handler] = HANDLERS, **options: Any
) -> AsyncIterator[tuple[str, "asyncio.Future[End]"]]:
    """Serve one connection; give its URL, and its end once somebody connected."""
    arrived: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    async def accept(connection: ServerConnection) -> None:
        exchanges: list[Exchange] = []
        peer = OcppPeer(connection, handlers, observe=exchanges.append, **options)
        assert isinstance(connection, Quick)
        connection.take = peer.take
        arrived.set_result(End(peer, exchanges))
        await run(peer)

    async with serve(accept, "127.0.0.1", 0, subprotocols=[OCPP], create_connection=Quick) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/CP-1", arrived


@contextlib.asynccontextmanager
async def pair(
    central_handlers: Mapping[str, Handler] = HANDLERS,
    station_handlers: Mapping[str, Handler] = HANDLERS,
    **options: Any,
) -> AsyncIterator[tuple[End, End]]:
    """Give both ends of a connection: the central system's and the charge point's."""
    async with (
        central(central_handlers, **options) as (url, arrived),
        connect(url, subprotocols=[OCPP]) as connection,
    ):
        exchanges: list[Exchange] = []
        station = OcppPeer(connection, station_handlers, observe=exchanges.append, **options)
        running = asyncio.create_task(run(station))
        yield await arrived, End(station, exchanges)
        await connection.close()
        await running


@contextlib.asynccontextmanager
async def stranger(
    handlers: Mapping[str, Handler] = HANDLERS, **options: Any
) -> AsyncIterator[tuple[ClientConnection, End]]:
    """Give a bare connection to an end of ours: it may send what it likes."""
    async with (
        central(handlers, **options) as (url, arrived),
        connect(url, subprotocols=[OCPP]) as connection,
    ):
        yield connection, await arrived


async def received(connection: ClientConnection) -> Any:
    async with asyncio.timeout(5):
        return json.loads(await connection.recv())


async def sent_call(connection: ClientConnection) -> tuple[str, str]:
    """Return id and action of the call that our end makes."""
    kind, unique_id, action, _ = await received(connection)
    assert kind == 2
    return unique_id, action


# Calls that work.


async def test_both_ends_call_and_answer() -> None:
    async with pair({"Authorize": lambda _: AUTHORIZED}, {"Reset": lambda _: {"status": "Accepted"}}) as (
        csms,
        station,
    ):
        assert await station.peer.call("Authorize", {"idTag": "TAG-1"}) == AUTHORIZED
        assert await csms.peer.call("Reset", {"type": "Soft"}) == {"status": "Accepted"}


async def test_handler_may_wait_and_gets_the_payload() -> None:
    seen = []

    async def authorize(payload: Payload) -> Payload:
        await asyncio.sleep(0)
        seen.append(payload)
        return AUTHORIZED

    async with pair({"Authorize": authorize}) as (_, station):
        assert await station.peer.call("Authorize", {"idTag": "TAG-1"}) == AUTHORIZED
    assert seen == [{"idTag": "TAG-1"}]


async def test_both_ends_may_call_at_once() -> None:
    async with pair() as (csms, station):
        calls = [end.peer.call("Heartbeat", {}) for end in (csms, station) for _ in range(20)]
        assert await asyncio.gather(*calls) == [HEARTBEAT] * 40


async def test_calls_go_out_one_after_the_other() -> None:
    """OCPP-J 1.6, 4.1.1: no new call before the answer to the last one."""
    async with stranger() as (connection, csms):
        first = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        second = asyncio.create_task(csms.peer.call("ClearCache", {}))
        unique_id, action = await sent_call(connection)
        assert action == "Heartbeat"
        # What comes next is the answer to this, not the second call.
        await connection.send('[2,"1","Heartbeat",{}]')
        assert await received(connection) == [3, "1", HEARTBEAT]
        await connection.send(json.dumps([3, unique_id, HEARTBEAT]))
        assert await first == HEARTBEAT
        unique_id, action = await sent_call(connection)
        assert action == "ClearCache"
        await connection.send(json.dumps([3, unique_id, {"status": "Accepted"}]))
        assert await second == {"status": "Accepted"}


async def test_call_waiting_for_the_other_end_can_be_given_up() -> None:
    """Also one that still waits for its turn; the next one gets it."""
    async with stranger() as (connection, csms):
        first = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        second = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        third = asyncio.create_task(csms.peer.call("ClearCache", {}))
        await sent_call(connection)
        second.cancel()
        first.cancel()
        unique_id, action = await sent_call(connection)
        assert action == "ClearCache"
        await connection.send(json.dumps([3, unique_id, {"status": "Accepted"}]))
        assert await third == {"status": "Accepted"}


async def test_exchanges_are_told_to_the_observer() -> None:
    async with pair() as (csms, station):
        await station.peer.call("Heartbeat", {})
        for end, our_call in ((station, True), (csms, False)):
            asked, answered = end.exchanges
            assert (asked.sent, asked.action) == (our_call, "Heartbeat")
            assert (answered.sent, answered.action) == (not our_call, "Heartbeat")
            assert isinstance(asked.message, Call)
            assert isinstance(answered.message, CallResult)
            assert asked.message.unique_id == answered.message.unique_id
            assert answered.round_trip_s is not None
            assert 0 <= answered.round_trip_s < 5


# Calls that fail.


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("Authorize", {"idTag": "TAG-1"}, "NotSupported"),
        ("Reset", {"type": "Soft"}, "InternalError"),
        ("ClearCache", {}, "InternalError"),
        ("GetConfiguration", {}, "InternalError"),
        ("UnlockConnector", {"connectorId": 1}, "InternalError"),
        ("TriggerMessage", {"requestedMessage": "Heartbeat"}, "InternalError"),
        ("DataTransfer", {"vendorId": "v"}, "SecurityError"),
    ],
)
async def test_refusal_reaches_the_caller(action: str, payload: Payload, code: str) -> None:
    def broken(_: Payload) -> Payload:
        raise KeyError("a bug")

    async def broken_later(_: Payload) -> Payload:
        raise TimeoutError

    def refusing(_: Payload) -> Payload:
        raise MalformedMessage("SecurityError", "not you")

    handlers: dict[str, Any] = {
        "Reset": broken,
        "ClearCache": broken_later,
        "GetConfiguration": lambda _: {"unknown": 1},
        "UnlockConnector": lambda _: None,
        "TriggerMessage": lambda _: {"status": datetime.now(UTC)},
        "DataTransfer": refusing,
        "Heartbeat": heartbeat,
    }
    async with pair(handlers) as (_, station):
        with pytest.raises(CallRefused) as refused:
            await station.peer.call(action, payload)
        assert (refused.value.outcome, refused.value.error.code) == (code, code)
        assert await station.peer.call("Heartbeat", {}) == HEARTBEAT


async def test_bug_of_ours_is_not_told_to_the_other_end() -> None:
    def broken(_: Payload) -> Payload:
        raise ValueError("password of the database")

    async with pair({"Heartbeat": broken}) as (_, station):
        with pytest.raises(CallRefused, match="InternalError") as refused:
            await station.peer.call("Heartbeat", {})
        assert "password" not in str(refused.value)


async def test_call_that_breaks_the_schema_is_not_sent() -> None:
    async with pair() as (csms, station):
        with pytest.raises(MalformedMessage, match="ProtocolError"):
            await station.peer.call("Reset", {})
        with pytest.raises(MalformedMessage, match="NotImplemented"):
            await station.peer.call("Flight", {})
        await station.peer.call("Heartbeat", {})
        assert len(csms.exchanges) == 2


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"status": "Perhaps"}, "PropertyConstraintViolation"),
        ({}, "ProtocolError"),
        ({"status": "Accepted", "why": "so"}, "FormationViolation"),
        ({"status": 1}, "TypeConstraintViolation"),
    ],
)
async def test_wrong_answer_is_a_refusal(payload: Payload, code: str) -> None:
    async with stranger() as (connection, csms):
        call = asyncio.create_task(csms.peer.call("Reset", {"type": "Soft"}))
        unique_id, _ = await sent_call(connection)
        await connection.send(json.dumps([3, unique_id, payload]))
        with pytest.raises(CallRefused, match=code):
            await call


async def test_silent_peer_is_timed_out_and_its_late_answer_ignored() -> None:
    async with stranger(call_timeout_s=0.1) as (connection, csms):
        with pytest.raises(CallTimedOut, match=r"Heartbeat: no answer within 0\.1 s"):
            await csms.peer.call("Heartbeat", {})
        late, _ = await sent_call(connection)
        await connection.send(json.dumps([3, late, HEARTBEAT]))
        call = asyncio.create_task(csms.peer.call("ClearCache", {}, timeout_s=5))
        unique_id, _ = await sent_call(connection)
        await connection.send(json.dumps([3, unique_id, {"status": "Accepted"}]))
        assert await call == {"status": "Accepted"}


async def test_a_late_answer_is_told_with_its_action_and_the_time_it_took() -> None:
    async with stranger() as (connection, csms):
        with pytest.raises(CallTimedOut):
            await csms.peer.call("Heartbeat", {}, timeout_s=0.1)
        late, _ = await sent_call(connection)
        for _ in range(2):
            await connection.send(json.dumps([3, late, HEARTBEAT]))
        await connection.send('[2,"8","Heartbeat",{}]')
        await received(connection)
        call, answer, again, *_ = csms.exchanges
        assert (call.action, answer.action, again.action) == ("Heartbeat", "Heartbeat", "")
        assert answer.round_trip_s is not None
        assert answer.round_trip_s >= 0.1
        assert again.round_trip_s is None


async def test_of_calls_given_up_only_so_many_are_remembered() -> None:
    async with stranger() as (connection, csms):
        for _ in range(MAX_GIVEN_UP + 1):
            with pytest.raises(CallTimedOut):
                await csms.peer.call("Heartbeat", {}, timeout_s=0.001)
        ids = [(await sent_call(connection))[0] for _ in range(MAX_GIVEN_UP + 1)]
        for unique_id in ids:
            await connection.send(json.dumps([3, unique_id, HEARTBEAT]))
        await connection.send('[2,"8","Heartbeat",{}]')
        await received(connection)
        answers = [exchange for exchange in csms.exchanges if isinstance(exchange.message, CallResult)]
        assert [answer.action for answer in answers] == ["", *["Heartbeat"] * (MAX_GIVEN_UP + 1)]


async def test_each_call_may_have_its_own_deadline() -> None:
    async with stranger(call_timeout_s=60) as (_, csms):
        with pytest.raises(CallTimedOut):
            await csms.peer.call("Heartbeat", {}, timeout_s=0.05)
        with pytest.raises(CallTimedOut):
            await csms.peer.call("Heartbeat", {}, timeout_s=0)


async def test_lost_peer_ends_the_open_call_and_those_that_wait() -> None:
    async with stranger() as (connection, csms):
        calls = [asyncio.create_task(csms.peer.call("Heartbeat", {})) for _ in range(3)]
        await sent_call(connection)
        connection.transport.abort()
        async with asyncio.timeout(5):
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [PeerLost] * 3
        with pytest.raises(PeerLost):
            await csms.peer.call("Heartbeat", {})


async def test_lost_peer_leaves_no_error_that_nobody_asks_for(caplog: pytest.LogCaptureFixture) -> None:
    """The connection may be lost while the call is still being sent."""

    class Losing:
        async def send(self, message: str) -> None:
            lost.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            raise ConnectionResetError("gone")

        async def recv(self) -> str:
            await lost.wait()
            raise ConnectionResetError("gone")

    lost = asyncio.Event()
    peer = OcppPeer(Losing(), {})
    running = asyncio.create_task(peer.run())
    with pytest.raises(PeerLost):
        await peer.call("Heartbeat", {})
    with pytest.raises(ConnectionResetError):
        await running
    del peer, running
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_call_before_anybody_receives_times_out() -> None:
    async with central() as (url, _), connect(url, subprotocols=[OCPP]) as connection:
        with pytest.raises(CallTimedOut):
            await OcppPeer(connection, {}).call("Heartbeat", {}, timeout_s=0.05)


# A peer that talks nonsense.

NONSENSE = {
    "no JSON": ("hello", [4, "-1", "FormationViolation"]),
    "no message": ("{}", [4, "-1", "ProtocolError"]),
    "no text": (b"\xff\xfe", [4, "-1", "FormationViolation"]),
    "a call without an id": ('[2,5,"Heartbeat",{}]', [4, "-1", "ProtocolError"]),
    "a call without a payload": ('[2,"7","Heartbeat"]', [4, "7", "FormationViolation"]),
    "an unknown action": ('[2,"7","Flight",{}]', [4, "7", "NotImplemented"]),
    "an action that is not handled": ('[2,"7","ClearCache",{}]', [4, "7", "NotSupported"]),
    "a payload against the schema": ('[2,"7","Reset",{"type":5}]', [4, "7", "TypeConstraintViolation"]),
    "brackets": ("[" * 60_000, [4, "-1", "FormationViolation"]),
    "half a surrogate pair": ('[2,"\\ud800","Heartbeat",{}]', [4, "-1", "FormationViolation"]),
    "a huge integer": ('[2,"7","Reset",{"type":' + "9" * 60_000 + "}]", [4, "-1", "FormationViolation"]),
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_nonsense_is_refused_and_the_connection_goes_on(case: str) -> None:
    raw, expected = NONSENSE[case]
    async with stranger() as (connection, _):
        await connection.send(raw)
        answer = await received(connection)
        assert answer[:3] == expected
        assert len(answer) == 5
        await connection.send('[2,"8","Heartbeat",{}]')
        assert await received(connection) == [3, "8", HEARTBEAT]


@pytest.mark.parametrize(
    "raw",
    [
        '[3,"7",{}]',
        '[4,"7","GenericError","",{}]',
        '[4,"-1","GenericError","",{}]',
        '[3,"7",[]]',
        "[3]",
        '[4,"7"]',
        '[3,"' + "7" * 37 + '",{}]',
    ],
)
async def test_answers_to_no_call_are_not_answered(raw: str) -> None:
    """Two peers that answer each other's answers would never end."""
    async with stranger() as (connection, csms):
        await connection.send(raw)
        await connection.send('[2,"8","Heartbeat",{}]')
        assert await received(connection) == [3, "8", HEARTBEAT]
        assert csms.exchanges[0].sent is False


async def test_answer_with_another_id_does_not_end_a_call() -> None:
    async with stranger() as (connection, csms):
        call = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        unique_id, _ = await sent_call(connection)
        for other in (unique_id.upper() + "x", "7", "-1"):
            await connection.send(json.dumps([3, other[:36], {}]))
        await connection.send(json.dumps([3, unique_id, HEARTBEAT]))
        assert await call == HEARTBEAT
        assert [exchange.action for exchange in csms.exchanges] == ["Heartbeat", "", "", "", "Heartbeat"]


async def test_second_answer_changes_nothing() -> None:
    async with stranger() as (connection, csms):
        call = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        unique_id, _ = await sent_call(connection)
        answer = json.dumps([3, unique_id, HEARTBEAT])
        await connection.send(answer)
        await connection.send(json.dumps([4, unique_id, "GenericError", "", {}]))
        assert await call == HEARTBEAT


async def test_refused_messages_are_told_to_the_observer() -> None:
    async with stranger() as (connection, csms):
        await connection.send("hello")
        await received(connection)
        await connection.send('[2,"7","Reset",{"type":5}]')
        await received(connection)
        assert csms.refused() == ["FormationViolation"]
        unreadable, answer, call, refusal = csms.exchanges
        assert unreadable.message is None
        assert isinstance(answer.message, CallError)
        assert isinstance(call.message, Call)
        assert isinstance(refusal.message, CallError)
        assert (call.action, refusal.action) == ("Reset", "Reset")
        assert all(told.round_trip_s is not None for told in (answer, refusal))


async def test_peer_that_answers_nonsense_is_timed_out() -> None:
    async with stranger(call_timeout_s=0.3) as (connection, csms):
        call = asyncio.create_task(csms.peer.call("Heartbeat", {}))
        unique_id, _ = await sent_call(connection)
        for answer in ("hello", "[3]", json.dumps([3, unique_id, "now"]), json.dumps([4, unique_id, 5])):
            await connection.send(answer)
        with pytest.raises(CallTimedOut):
            await call
        await connection.send('[2,"8","Heartbeat",{}]')
        answers = [await received(connection), await received(connection)]
        assert answers[0][:3] == [4, "-1", "FormationViolation"]
        assert answers[1] == [3, "8", HEARTBEAT]
