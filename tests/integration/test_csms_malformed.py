"""Malformed OCPP messages: each gets the error that is due, and the connection goes on."""

import asyncio
import json

import pytest

from contracts.events import OcppMessageSeen, SystemEvent
from csms_parts import csms, websocket

AT = "2026-06-01T12:00:00Z"
START = {"connectorId": 1, "idTag": "BENCH", "meterStart": 0, "timestamp": AT}
STOP = {"transactionId": 1, "meterStop": 0, "timestamp": AT}
STATUS = {"connectorId": 1, "status": "Available", "errorCode": "NoError"}


def call(action, payload, unique_id="7"):
    return json.dumps([2, unique_id, action, payload])


def meter_values(**changes):
    sample = {"value": "1", **changes.pop("sample", {})}
    value = {"timestamp": AT, "sampledValue": [sample], **changes.pop("value", {})}
    return call("MeterValues", {"connectorId": 1, "meterValue": [value], **changes})


ANSWERED = {
    "no JSON": ("hello", "FormationViolation"),
    "nothing": ("", "FormationViolation"),
    "half a message": ('[2,"7","Heartbeat",{}', "FormationViolation"),
    "NaN": ('[2,"7","Heartbeat",{"a":NaN}]', "FormationViolation"),
    "5,000 brackets": ("[" * 5000, "FormationViolation"),
    "nested too deeply": ('[2,"7","Heartbeat",' + '{"a":' * 60 + "1" + "}" * 61 + "]", "FormationViolation"),
    "an object": ('{"a":1}', "ProtocolError"),
    "a number": ("7", "ProtocolError"),
    "an empty array": ("[]", "ProtocolError"),
    "message type 5": ('[5,"7","Heartbeat",{}]', "ProtocolError"),
    "message type in words": ('["2","7","Heartbeat",{}]', "ProtocolError"),
    "no id": ("[2]", "ProtocolError"),
    "an id of 37 characters": (call("Heartbeat", {}, "x" * 37), "ProtocolError"),
    "no action": ('[2,"7"]', "FormationViolation"),
    "a payload that is a list": (call("Heartbeat", [1]), "FormationViolation"),
    "an unknown action": (call("MakeCoffee", {}), "NotImplemented"),
    "an action of OCPP 2": (call("TransactionEvent", {}), "NotImplemented"),
    "an action with a path": (call("../../etc/passwd", {}), "NotImplemented"),
    "an action that only charge points serve": (
        call("RemoteStopTransaction", {"transactionId": 1}),
        "NotSupported",
    ),
    "a field missing": (call("BootNotification", {"chargePointVendor": "v"}), "ProtocolError"),
    "a field too many": (call("Heartbeat", {"a": 1}), "FormationViolation"),
    "a text for a number": (
        call("StartTransaction", {**START, "meterStart": "0"}),
        "TypeConstraintViolation",
    ),
    "a fraction for a whole number": (
        call("StartTransaction", {**START, "meterStart": 0.5}),
        "TypeConstraintViolation",
    ),
    "true for a number": (
        call("StartTransaction", {**START, "connectorId": True}),
        "TypeConstraintViolation",
    ),
    "null for a text": (call("Authorize", {"idTag": None}), "TypeConstraintViolation"),
    "a tag of 21 characters": (call("Authorize", {"idTag": "x" * 21}), "TypeConstraintViolation"),
    "an unknown status": (
        call("StatusNotification", {**STATUS, "status": "Melting"}),
        "PropertyConstraintViolation",
    ),
    "an unknown reason": (
        call("StopTransaction", {**STOP, "reason": "Boredom"}),
        "PropertyConstraintViolation",
    ),
    "no meter values": (
        call("MeterValues", {"connectorId": 1, "meterValue": []}),
        "OccurenceConstraintViolation",
    ),
    "an unknown measurand": (meter_values(sample={"measurand": "Luck"}), "PropertyConstraintViolation"),
    "a number for a value": (meter_values(sample={"value": 1}), "TypeConstraintViolation"),
    "a time that is none": (meter_values(value={"timestamp": "noon"}), "PropertyConstraintViolation"),
    "connector -1": (
        call("StatusNotification", {**STATUS, "connectorId": -1}),
        "PropertyConstraintViolation",
    ),
    "connector 256": (meter_values(connectorId=256), "PropertyConstraintViolation"),
    "a transaction at connector 0": (
        call("StartTransaction", {**START, "connectorId": 0}),
        "PropertyConstraintViolation",
    ),
    "a meter beyond 32 bits": (
        call("StartTransaction", {**START, "meterStart": 2**31}),
        "PropertyConstraintViolation",
    ),
    "an id beyond 64 bits": (call("StopTransaction", {**STOP, "transactionId": 2**63}), "FormationViolation"),
    "half a surrogate pair": ('[2,"7","Authorize",{"idTag":"\\ud800"}]', "FormationViolation"),
}
UNANSWERED = {
    "an answer to nothing": '[3,"7",{}]',
    "an error to nothing": '[4,"7","InternalError","",{}]',
    "a broken answer": '[3,"7"]',
    "a broken error": '[4,"7",5]',
    "an answer without id": "[3]",
}


@pytest.fixture
async def bench(tmp_path):
    async with csms(tmp_path) as running:
        yield running


async def ask(opened, message):
    await opened.send(message)
    return json.loads(await asyncio.wait_for(opened.recv(), 10))


async def test_each_malformed_call_is_answered_with_its_error_and_the_connection_goes_on(bench):
    async with websocket(bench, "CP-1") as opened:
        answers = {name: await ask(opened, message) for name, (message, _) in ANSWERED.items()}
        assert (await ask(opened, call("Heartbeat", {}, "alive")))[:2] == [3, "alive"]
    assert {name: (answer[0], answer[2]) for name, answer in answers.items()} == {
        name: (4, code) for name, (_, code) in ANSWERED.items()
    }
    refused = [event for event in bench.events(SystemEvent) if event.name == "message_refused"]
    assert len(refused) == len(ANSWERED)


async def test_a_malformed_answer_is_not_answered_and_the_connection_goes_on(bench):
    async with websocket(bench, "CP-1") as opened:
        for message in UNANSWERED.values():
            await opened.send(message)
        assert (await ask(opened, call("Heartbeat", {}, "alive")))[:2] == [3, "alive"]
    seen = [event.message_type for event in bench.events(OcppMessageSeen) if event.direction == "received"]
    assert seen == ["call_result", "call_error", "unreadable", "unreadable", "unreadable", "call"]


async def test_binary_frames_are_read_like_text(bench):
    async with websocket(bench, "CP-1") as opened:
        assert (await ask(opened, call("Heartbeat", {}).encode()))[0] == 3


async def test_a_refused_message_changes_nothing(bench):
    async with websocket(bench, "CP-1") as opened:
        await ask(opened, call("StartTransaction", {**START, "connectorId": 0}))
        await ask(opened, call("StartTransaction", {**START, "timestamp": "noon"}))
    assert bench.csms.state.transactions.newest() == []
