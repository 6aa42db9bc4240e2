"""The CSMS beside a plain central system on the `ocpp` package, over real WebSockets: what is answered alike.

Every action that a charge point may ask gets its valid payload and each single fault of each of its fields.
Where the two differ it stands here by name; docs/decisions.md says why. Answers to calls, the other way,
and payloads of all 39 actions drawn at random: tests/unit/contracts/test_contracts_ocpp_messages.py.
"""

import asyncio
import copy
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from csms_parts import csms, websocket
from ocpp_calls import VALID

OUR_CODES = {
    "ProtocolError": {"ProtocolError"},
    "TypeConstraintViolation": {"TypeConstraintViolation"},
    # 2.0.1's word, which the package says for everything else; 1.6 has three.
    "FormatViolation": {
        "FormationViolation",
        "PropertyConstraintViolation",
        "OccurenceConstraintViolation",
    },
}
OTHERS = {  # message, our code and id, the package's (None: it says nothing)
    "an action of nobody": ('[2,"7","MakeCoffee",{}]', ("NotImplemented", "7"), ("NotSupported", "7")),
    "an action without a handler": (
        '[2,"7","RemoteStopTransaction",{"transactionId":1}]',
        ("NotSupported", "7"),
        ("NotImplemented", "7"),
    ),
    "a payload that is a list": (
        '[2,"7","Heartbeat",[1]]',
        ("FormationViolation", "7"),
        ("TypeConstraintViolation", "7"),
    ),
    "no JSON": ("hello", ("FormationViolation", "-1"), None),
    "half a message": ('[2,"7","Heartbeat",{}', ("FormationViolation", "-1"), None),
    "an object": ('{"a":1}', ("ProtocolError", "-1"), None),
    "an empty array": ("[]", ("ProtocolError", "-1"), None),
    "message type 5": ('[5,"7","Heartbeat",{}]', ("ProtocolError", "-1"), None),
    "no payload": ('[2,"7","Heartbeat"]', ("FormationViolation", "7"), None),
    "an answer to nothing": ('[3,"7",{}]', None, None),
    "a broken answer": ('[3,"7"]', None, None),
    "an error to nothing": ('[4,"7","InternalError","",{}]', None, None),
}
_QUIET = logging.getLogger("quiet")
_QUIET.disabled = True


class Plain(ChargePoint):  # type: ignore[misc]
    """The package's central system; it answers what ours does."""

    @on(Action.authorize)
    def _authorize(self, **_: Any) -> Any:
        return call_result.Authorize({"status": "Accepted"})

    @on(Action.boot_notification)
    def _booted(self, **_: Any) -> Any:
        return call_result.BootNotification(datetime.now(UTC).isoformat(), 60, "Accepted")

    @on(Action.data_transfer)
    def _data(self, **_: Any) -> Any:
        return call_result.DataTransfer("UnknownVendorId")

    @on(Action.diagnostics_status_notification)
    def _diagnostics(self, **_: Any) -> Any:
        return call_result.DiagnosticsStatusNotification()

    @on(Action.firmware_status_notification)
    def _firmware(self, **_: Any) -> Any:
        return call_result.FirmwareStatusNotification()

    @on(Action.heartbeat)
    def _heartbeat(self, **_: Any) -> Any:
        return call_result.Heartbeat(datetime.now(UTC).isoformat())

    @on(Action.meter_values)
    def _measured(self, **_: Any) -> Any:
        return call_result.MeterValues()

    @on(Action.start_transaction)
    def _started(self, **_: Any) -> Any:
        return call_result.StartTransaction(1, {"status": "Accepted"})

    @on(Action.status_notification)
    def _status(self, **_: Any) -> Any:
        return call_result.StatusNotification()

    @on(Action.stop_transaction)
    def _stopped(self, id_tag: str | None = None, **_: Any) -> Any:
        return call_result.StopTransaction({"status": "Accepted"} if id_tag is not None else None)


@asynccontextmanager
async def plain() -> AsyncIterator[ClientConnection]:
    """Connect to the package's central system."""

    async def serving(opened: ServerConnection) -> None:
        await Plain("CP-1", opened, logger=_QUIET).start()

    async with (
        serve(serving, "127.0.0.1", 0) as server,
        connect(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", proxy=None) as opened,
    ):
        yield opened


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield (*path, key)
        yield from places(part, (*path, key))


def replacements(value: Any) -> list[Any]:
    """Return what does not fit in place of a value, and some that does."""
    match value:
        case str():
            return [None, 5, ["x"], "Nonsense", "x" * 600]
        case int():
            return [None, True, 0.5, "1", {}]
        case list():
            return [None, {}, [], "x"]
        case dict():
            return [None, [], 1, {**value, "extra": 1}]
    raise AssertionError(value)


def faults(valid: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what was changed, and the payload."""
    yield "nothing", valid
    yield "extra", {**valid, "extra": 1}
    for path in places(valid):
        where = "/".join(map(str, path))
        for change in ("removed", *replacements(_at(valid, path))):
            payload = copy.deepcopy(valid)
            parent = _at(payload, path[:-1])
            if change == "removed":
                del parent[path[-1]]
            else:
                parent[path[-1]] = change
            yield f"{where}: {change!r:.20}", payload


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


async def answers(opened: ClientConnection, action: str, payloads: list[Any]) -> list[Any]:
    for number, payload in enumerate(payloads):
        await opened.send(json.dumps([2, str(number), action, payload]))
    found = [json.loads(await asyncio.wait_for(opened.recv(), 30)) for _ in payloads]
    assert [answer[1] for answer in found] == [str(number) for number in range(len(payloads))]
    return found


def shape(payload: Any) -> Any:
    """Return names and types: times, ids and whether a tag may charge are each system's own."""
    if isinstance(payload, dict):
        return {name: shape(part) for name, part in payload.items()}
    return type(payload).__name__


def differs(change: str, ours: list[Any], theirs: list[Any]) -> bool:
    if ours[0] == theirs[0] == 3:
        return shape(ours[2]) != shape(theirs[2])
    if ours[0] == theirs[0] == 4:
        return ours[2] not in OUR_CODES[theirs[2]]
    # The package looks at no format: a time that is none reaches its handlers.
    is_no_time = "timestamp: 'Nonsense'" in change or "timestamp: 'xxx" in change
    return not (is_no_time and theirs[0] == 3 and ours[2] == "PropertyConstraintViolation")


async def test_each_action_with_each_fault_is_answered_as_by_the_package(tmp_path):
    different = []
    async with csms(tmp_path) as bench:
        for action, valid in VALID.items():
            changes, payloads = zip(*faults(valid), strict=True)
            async with websocket(bench, f"FOR-{action}") as to_ours, plain() as to_plain:
                ours, theirs = await asyncio.gather(
                    answers(to_ours, action, list(payloads)), answers(to_plain, action, list(payloads))
                )
            assert ours[0][0] == theirs[0][0] == 3
            different += [
                (action, *each) for each in zip(changes, ours, theirs, strict=True) if differs(*each)
            ]
    assert different == []


async def test_what_is_no_call_of_a_charge_point_is_answered_as_said_here(tmp_path):
    found: dict[str, list[Any]] = {name: [] for name in OTHERS}
    async with csms(tmp_path) as bench, websocket(bench, "CP-1") as to_ours, plain() as to_plain:
        for opened in (to_ours, to_plain):
            for number, (name, (message, *_)) in enumerate(OTHERS.items()):
                after = f"after-{number}"
                await opened.send(message)
                await opened.send(json.dumps([2, after, "Heartbeat", {}]))
                answer = json.loads(await asyncio.wait_for(opened.recv(), 10))
                found[name].append(None if answer[1] == after else (answer[2], answer[1]))
                if answer[1] != after:
                    assert json.loads(await asyncio.wait_for(opened.recv(), 10))[:2] == [3, after]
    assert found == {name: expected for name, (_, *expected) in OTHERS.items()}
