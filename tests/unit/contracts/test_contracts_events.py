"""Events: what is sent is what is read; what is malformed is refused naming the place."""

import contextlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events
from contracts.errors import MalformedEvent
from contracts.events import (
    AnyEvent,
    Batch,
    CanFrameSeen,
    CommandSent,
    OcppMessageSeen,
    Reading,
    ScenarioLabel,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from contracts.ocpp_messages import MAX_DEPTH

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
BOOT = uuid.UUID(int=7)

# Everything that JSON and UTF-8 can carry; NUL is what PostgreSQL cannot.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=255)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=255)
instants = st.timedeltas(timedelta(0), events.LATEST_AT - events.EARLIEST_AT - timedelta(microseconds=1)).map(
    lambda since: events.EARLIEST_AT + since
)
numbers = st.floats(allow_nan=False, allow_infinity=False)
maybe_numbers = st.none() | numbers
identifiers = st.integers(-(2**63), 2**63 - 1)
payloads = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | identifiers | numbers | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=5,
    ),
    max_size=3,
)
where = {
    "at": instants,
    "charge_point_id": st.none() | names,
    "connector": st.none() | st.integers(0, 255),
}
any_event: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        CanFrameSeen,
        **where,
        can_id=st.integers(0, 0x1FFFFFFF),
        data=st.binary(max_size=8).map(bytes.hex),
        sent=st.booleans(),
    ),
    st.builds(
        OcppMessageSeen,
        **where,
        direction=st.sampled_from(["received", "sent"]),
        message_type=st.sampled_from(["call", "call_result", "call_error", "unreadable"]),
        unique_id=words,
        action=words,
        payload=payloads,
        error_code=st.none() | texts,
        round_trip_s=maybe_numbers,
    ),
    st.builds(
        Reading,
        **where,
        origin=st.sampled_from(["can", "ocpp"]),
        transaction_id=st.none() | identifiers,
        current_a=maybe_numbers,
        energy_wh=maybe_numbers,
        commanded_a=maybe_numbers,
    ),
    st.builds(StatusChanged, **where, status=names, error_code=texts),
    st.builds(TransactionStarted, **where, transaction_id=identifiers, id_tag=words, meter_start_wh=numbers),
    st.builds(TransactionEnded, **where, transaction_id=identifiers, meter_stop_wh=numbers, reason=texts),
    st.builds(CommandSent, **where, command=names, parameters=payloads, outcome=texts),
    st.builds(SystemEvent, **where, service=names, name=names, detail=payloads),
    st.builds(
        ScenarioLabel,
        **where,
        run_id=names,
        scenario=names,
        anomaly=st.none() | texts,
        phase=st.sampled_from(["started", "ended"]),
        charge_point_ids=st.lists(texts, max_size=3),
        parameters=payloads,
        seed=identifiers,
    ),
)

READING: dict[str, Any] = {"kind": "reading", "at": "2026-03-01T12:30:00Z", "origin": "can"}


def batch(*parts: dict[str, Any], **changes: Any) -> bytes:
    whole = {
        "source": "csms/events/00",
        "boot": str(BOOT),
        "first_seq": 1,
        "committed": 0,
        "events": list(parts) or [READING],
        "schema": 1,
    } | changes
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


@given(st.lists(any_event, min_size=1, max_size=3))
def test_events_come_back_as_they_went(some: list[AnyEvent]) -> None:
    encoded = [events.encode_event(event) for event in some]
    decoded = events.decode_batch(events.encode_batch("csms/events/00", BOOT, 41, 40, encoded))
    assert decoded == Batch(source="csms/events/00", boot=BOOT, first_seq=41, committed=40, events=some)
    assert decoded.last_seq == 40 + len(some)


MALFORMED = {
    "no bytes": (b"", "truncated"),
    "no JSON": (b"hello", "malformed"),
    "no UTF-8": (b'{"source": "\xff"}', "utf-8"),
    "JSON that ends early": (batch()[:-5], "truncated"),
    "JSON with something after it": (batch() + b"{}", "trailing characters"),
    "NaN": (batch(READING | {"current_a": 1.5}).replace(b"1.5", b"NaN"), "malformed"),
    "Infinity": (batch(READING | {"current_a": 1.5}).replace(b"1.5", b"Infinity"), "malformed"),
    "a number beyond float": (
        batch(READING | {"current_a": 1.5}).replace(b"1.5", b"1e999"),
        "out of range - at `$.events[0].current_a`",
    ),
    "deep nesting": (
        batch(
            {"kind": "system_event", "at": READING["at"], "service": "a", "name": "b", "detail": {"c": 0.5}}
        ).replace(b"0.5", b"[" * 100_000),
        "recursion",
    ),
    "an array": (b"[]", "Expected `object`, got `array`"),
    "no source": (batch(source=...), "missing required field `source`"),
    "an empty source": (batch(source=""), "length >= 1 - at `$.source`"),
    "a boot that is no UUID": (batch(boot="yesterday"), "Invalid UUID - at `$.boot`"),
    "number 0": (batch(first_seq=0), ">= 1 - at `$.first_seq`"),
    "a number in words": (batch(first_seq="one"), "Expected `int`, got `str` - at `$.first_seq`"),
    "a number beyond 2**62": (batch(first_seq=2**62 + 1), "- at `$.first_seq`"),
    "committed below 0": (batch(committed=-1), ">= 0 - at `$.committed`"),
    "no events": (batch(events=[]), "length >= 1 - at `$.events`"),
    "too many events": (batch(*[READING] * 10_001), "length <= 10000 - at `$.events`"),
    "events that are no list": (batch(events={}), "Expected `array`, got `object` - at `$.events`"),
    "an unknown field of a batch": (batch(signature="x"), "unknown field `signature`"),
    "another schema": (batch(schema=2), "schema 2 instead of 1 - at `$.schema`"),
    "an event without a kind": (
        batch({"at": "2026-03-01T12:30:00Z"}),
        "missing required field `kind` - at `$.events[0]`",
    ),
    "an unknown kind": (batch(READING | {"kind": "wish"}), "Invalid value 'wish' - at `$.events[0].kind`"),
    "an unknown field of an event": (
        batch(READING, READING | {"current": 1}),
        "unknown field `current` - at `$.events[1]`",
    ),
    "no instant": (batch({"kind": "reading", "origin": "can"}), "missing required field `at`"),
    "an instant without its zone": (
        batch(READING | {"at": "2026-03-01T12:30:00"}),
        "timezone component - at `$.events[0].at`",
    ),
    "an instant in seconds": (batch(READING | {"at": 1772368200}), "got `int` - at `$.events[0].at`"),
    "an instant of a reset clock": (
        batch(READING | {"at": "1970-01-01T00:00:10Z"}),
        "1970-01-01T00:00:10+00:00 is out of range - at `$.events[0].at`",
    ),
    "an instant far ahead": (
        batch(READING, READING | {"at": "9999-12-31T23:59:59-14:00"}),
        "is out of range - at `$.events[1].at`",
    ),
    "the earliest instant of all": (
        batch(READING | {"at": "0001-01-01T00:00:00+14:00"}),
        "is out of range - at `$.events[0].at`",
    ),
    "an unknown origin": (batch(READING | {"origin": "air"}), "'air' - at `$.events[0].origin`"),
    "a measurand in words": (
        batch(READING | {"current_a": "99"}),
        "Expected `float | null`, got `str` - at `$.events[0].current_a`",
    ),
    "a transaction beyond bigint": (
        batch(READING | {"transaction_id": 2**63}),
        "- at `$.events[0].transaction_id`",
    ),
    "connector 256": (batch(READING | {"connector": 256}), "<= 255 - at `$.events[0].connector`"),
    "a nameless charge point": (
        batch(READING | {"charge_point_id": ""}),
        "length >= 1 - at `$.events[0].charge_point_id`",
    ),
    "a CAN identifier of 30 bits": (
        batch({"kind": "can_frame_seen", "at": READING["at"], "can_id": 2**29, "data": ""}),
        "- at `$.events[0].can_id`",
    ),
    "half a byte of data": (
        batch({"kind": "can_frame_seen", "at": READING["at"], "can_id": 768, "data": "abc"}),
        "matching regex '^(?:[0-9a-f][0-9a-f])*\\\\Z' - at `$.events[0].data`",
    ),
    "a line that ends after the data": (
        batch({"kind": "can_frame_seen", "at": READING["at"], "can_id": 768, "data": "ab\n"}),
        "matching regex",
    ),
    "more data than a frame has": (
        batch({"kind": "can_frame_seen", "at": READING["at"], "can_id": 768, "data": "ab" * 65}),
        "Expected `str` of length <= 128 - at `$.events[0].data`",
    ),
    "a payload that is no object": (
        batch(
            {
                "kind": "ocpp_message_seen",
                "at": READING["at"],
                "direction": "sent",
                "message_type": "call",
                "payload": [],
            }
        ),
        "Expected `object`, got `array` - at `$.events[0].payload`",
    ),
    "NUL": (batch(READING | {"charge_point_id": "CP\0-1"}), "a string with NUL"),
    "NUL in a name": (
        batch(
            {
                "kind": "system_event",
                "at": READING["at"],
                "service": "csms",
                "name": "x",
                "detail": {"\\\0": 1},
            }
        ),
        "a string with NUL",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_batch_is_refused_naming_the_place(case: str) -> None:
    payload, expected = MALFORMED[case]
    with pytest.raises(MalformedEvent) as refused:
        events.decode_batch(payload)
    assert expected in str(refused.value)


def test_text_that_looks_like_nul_is_no_nul() -> None:
    """A backslash, a `u` and four zeros are text like any other."""
    detail = {"text": "\\u0000 \\\\u0000"}
    event = {"kind": "system_event", "at": READING["at"], "service": "csms", "name": "x", "detail": detail}
    [decoded] = events.decode_batch(batch(event)).events
    assert isinstance(decoded, SystemEvent)
    assert decoded.detail == detail


@pytest.mark.parametrize("decode", [events.decode_batch, events.decode_committed, events.decode_anomaly])
@given(payload=st.binary() | texts.map(str.encode) | payloads.map(msgspec.json.encode))
def test_random_bytes_raise_nothing_but_malformed_event(
    decode: Callable[[bytes], object], payload: bytes
) -> None:
    with pytest.raises(MalformedEvent):
        decode(payload)


@given(st.data())
def test_a_changed_byte_raises_nothing_but_malformed_event(data: st.DataObject) -> None:
    payload = bytearray(batch(READING | {"current_a": 1.5, "charge_point_id": "CP-\u00e9"}))
    payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(MalformedEvent):
        events.decode_batch(bytes(payload))


UNREADABLE: dict[str, AnyEvent] = {
    "a value that JSON cannot say": SystemEvent(at=AT, service="csms", name="x", detail={"a": object()}),
    "half a surrogate pair": SystemEvent(at=AT, service="csms", name="x", detail={"a": "\ud800"}),
    "an integer of 5000 digits": SystemEvent(at=AT, service="csms", name="x", detail={"a": 10**5000}),
    "an instant without its zone": Reading(at=AT.replace(tzinfo=None), origin="can"),
    "an instant of a reset clock": Reading(at=datetime(1970, 1, 1, tzinfo=UTC), origin="can"),
    "no number where one is needed": TransactionStarted(
        at=AT, transaction_id=1, id_tag="x", meter_start_wh=float("nan")
    ),
    "a transaction beyond bigint": Reading(at=AT, origin="ocpp", transaction_id=2**63),
    "connector 300": StatusChanged(at=AT, connector=300, status="Available"),
    "a nameless event": SystemEvent(at=AT, service="csms", name=""),
    "an action of 256 letters": OcppMessageSeen(
        at=AT, direction="received", message_type="call", action="A" * 256
    ),
    "a payload without end": SystemEvent(at=AT, service="csms", name="x", detail={"a": "x" * 200_000}),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_event_that_nobody_could_read_is_not_encoded(case: str) -> None:
    """It would get a number, be refused by the MemoryBank for ever, and hold up all that follow."""
    with pytest.raises(MalformedEvent):
        events.encode_event(UNREADABLE[case])


def test_event_that_contains_itself_is_not_encoded() -> None:
    detail: dict[str, Any] = {}
    detail["again"] = detail
    with pytest.raises(MalformedEvent, match="recursion"):
        events.encode_event(SystemEvent(at=AT, service="csms", name="x", detail=detail))


def test_payload_as_deep_as_a_message_may_be_comes_back() -> None:
    """It is not read back before it is numbered, so whatever a message brings must be readable."""
    payload: dict[str, Any] = {"a": [2**63 - 1, -(2**63), 1e308, "\u2028\x7f", None]}
    for _ in range(MAX_DEPTH):
        payload = {"": [payload]}
    seen = OcppMessageSeen(at=AT, direction="received", message_type="call", payload=payload)
    batch = events.encode_batch("a:b/events/00", BOOT, 1, 0, [events.encode_event(seen)])
    assert events.decode_batch(batch).events == [seen]


@given(st.lists(st.sampled_from(["\0", "\\", "\\u0000", "u0000", "a", '"'])).map("".join))
def test_nul_from_a_peer_becomes_its_picture(text: str) -> None:
    """And nothing else of the text changes, whatever backslashes stand around it."""
    encoded = events.encode_event(SystemEvent(at=AT, service="csms", name="x", detail={text: text}))
    [event] = events.decode_batch(events.encode_batch("a/events/00", BOOT, 1, 0, [encoded])).events
    assert isinstance(event, SystemEvent)
    shown = text.replace("\0", "\u2400")
    assert event.detail == {shown: shown}


def test_instants_in_utc_end_in_z() -> None:
    east = timezone(timedelta(hours=2))
    assert b'"2026-03-01T12:30:00Z"' in events.encode_event(Reading(at=AT, origin="can"))
    assert b'"2026-03-01T14:30:00+02:00"' in events.encode_event(
        Reading(at=AT.astimezone(east), origin="can")
    )


def test_what_was_not_measured_is_not_sent() -> None:
    encoded = events.encode_event(Reading(at=AT, origin="can", current_a=0.0))
    assert json.loads(encoded) == {
        "kind": "reading",
        "at": "2026-03-01T12:30:00Z",
        "origin": "can",
        "current_a": 0.0,
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"{}", "missing required field `boot`"),
        (b'{"boot": "x", "seq": 1}', "Invalid UUID - at `$.boot`"),
        (f'{{"boot": "{BOOT}", "seq": -1}}'.encode(), ">= 0 - at `$.seq`"),
        (f'{{"boot": "{BOOT}", "seq": {2**62 + 1}}}'.encode(), "- at `$.seq`"),
        (f'{{"boot": "{BOOT}", "seq": 1, "all": true}}'.encode(), "unknown field `all`"),
    ],
)
def test_malformed_word_is_refused_naming_the_place(payload: bytes, expected: str) -> None:
    with pytest.raises(MalformedEvent) as refused:
        events.decode_committed(payload)
    assert expected in str(refused.value)
