"""What is recorded of messages."""

import json
import uuid
from datetime import UTC, datetime

import pytest

from chassis.ocpp_peer import Exchange
from contracts.events import OcppMessageSeen, SystemEvent, decode_batch, encode_batch, encode_event
from contracts.ocpp_messages import Call, CallError, CallResult, MalformedMessage, parse
from csms.message_events import events_of

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("exchange", "kinds"),
    [
        (Exchange(sent=False, message=Call("1", "Heartbeat", {}), action="Heartbeat"), ["call"]),
        (
            Exchange(sent=True, message=CallResult("1", {}), action="Heartbeat", round_trip_s=0.1),
            ["call_result"],
        ),
        (
            Exchange(sent=True, message=CallError("1", "NotImplemented"), action="X"),
            ["call_error", "message_refused"],
        ),
        (Exchange(sent=False, message=CallError("1", "InternalError"), action="Reset"), ["call_error"]),
        (
            Exchange(sent=False, message=None, action="", refused=MalformedMessage("ProtocolError", "no")),
            ["unreadable"],
        ),
        (
            Exchange(
                sent=False,
                message=None,
                action="",
                refused=MalformedMessage("ProtocolError", "no", answerable=False),
            ),
            ["unreadable", "message_refused"],
        ),
    ],
)
def test_each_message_is_seen_and_each_refusal_told_once(exchange, kinds):
    events = events_of(exchange, "CP-1", NOW)
    assert [
        event.message_type if isinstance(event, OcppMessageSeen) else event.name
        for event in events
        if isinstance(event, (OcppMessageSeen, SystemEvent))
    ] == kinds


def test_the_events_of_the_largest_message_are_published_whole():
    """An event that nobody could decode again would be dropped."""
    deep: dict = {}
    for _ in range(25):
        deep = {"a": deep}
    message = parse(json.dumps([2, "1" * 36, "X" * 255, {"deep": deep, "text": "\x00" * 10_000}]))
    assert isinstance(message, Call)
    (seen,) = events_of(Exchange(sent=False, message=message, action=message.action), "CP-1", NOW)
    batch = decode_batch(encode_batch("s", uuid.uuid4(), 1, 0, [encode_event(seen)]))
    (decoded,) = batch.events
    assert isinstance(decoded, OcppMessageSeen)
    assert decoded.payload["deep"] == deep
