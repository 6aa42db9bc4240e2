"""OCPP 1.6J messages: parsed whole or refused with the code of the specification's table.

The plain `ocpp` package judges the same messages: what it takes we take and what it refuses we refuse, but
where `WE_ARE_STRICTER` or `WE_ARE_MILDER` says why not, and with the codes that `PACKAGE_CODES` lists.
"""

import copy
import json
import string
from importlib.resources import files
from typing import Any

import ocpp.messages
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocpp.exceptions import OCPPError

from contracts import ocpp_messages
from contracts.ocpp_messages import Call, CallError, CallResult, MalformedMessage, Message

BOOT = {"chargePointVendor": "V", "chargePointModel": "M"}
AT = "2026-03-01T12:30:00Z"


def call(action: Any, payload: Any, unique_id: Any = "7") -> str:
    return json.dumps([2, unique_id, action, payload])


def meter_values(at: str = AT, **sample: Any) -> str:
    value = {"timestamp": at, "sampledValue": [{"value": "1"} | sample]}
    return call("MeterValues", {"connectorId": 1, "meterValue": [value]})


def profile(limit: Any) -> str:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    return call(
        "SetChargingProfile",
        {
            "connectorId": 1,
            "csChargingProfiles": {
                "chargingProfileId": 1,
                "stackLevel": 0,
                "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Relative",
                "chargingSchedule": schedule,
            },
        },
    )


ACCEPTED = {
    "a boot": call("BootNotification", BOOT),
    "the same as bytes": call("BootNotification", BOOT).encode(),
    "white space": ' [ 2 , "7" , "Heartbeat" , { } ] ',
    "an id of 36 characters": call("Heartbeat", {}, "a" * 36),
    "a limit in tenths that binary cannot say": profile(21.4),
    "a limit in whole amperes": profile(16),
    "a negative connector, which the schema allows": call("UnlockConnector", {"connectorId": -1}),
    "a transaction of 63 bits": call("RemoteStopTransaction", {"transactionId": 2**63 - 1}),
    "an instant with an offset": meter_values("2026-03-01T12:30:00+00:00"),
    "an instant without an offset, as plain clients send": meter_values("2026-03-01T12:30:00"),
    "a misspelled unit that 1.6 allows": meter_values(unit="Celcius"),
    "a key twice: the last counts": '[2,"7","Reset",{"type":"Medium","type":"Soft"}]',
    "an emoji by surrogates": '[2,"7","Authorize",{"idTag":"\\ud83d\\ude00"}]',
    "an answer": '[3,"7",{}]',
    "an error": '[4,"7","GenericError","why",{"a":1}]',
    "an error without details": '[4,"7","GenericError","why"]',
    "an error with details that are no object": '[4,"7","GenericError","why",[1]]',
}

REFUSED = {
    # No message at all.
    "nothing": ("", "FormationViolation"),
    "text": ("hello", "FormationViolation"),
    "JavaScript": ("[2,'7','Heartbeat',{}]", "FormationViolation"),
    "a comma too many": ('[2,"7","Heartbeat",{},]', "FormationViolation"),
    "a comment": ('[2,"7","Heartbeat",{}/**/]', "FormationViolation"),
    "a bracket too many": ('[2,"7","Heartbeat",{}]]', "FormationViolation"),
    "two messages": ('[2,"7","Heartbeat",{}][2,"8","Heartbeat",{}]', "FormationViolation"),
    "no UTF-8": (b'[2,"7","Authorize",{"idTag":"\xff"}]', "FormationViolation"),
    "NaN": ('[2,"7","UnlockConnector",{"connectorId":NaN}]', "FormationViolation"),
    "Infinity": ('[2,"7","UnlockConnector",{"connectorId":Infinity}]', "FormationViolation"),
    "a number beyond float": ('[2,"7","UnlockConnector",{"connectorId":1e999}]', "FormationViolation"),
    "5,000 brackets": ('[2,"7","Heartbeat",{"a":' + "[" * 5000 + "]" * 5000 + "}]", "FormationViolation"),
    "33 brackets": ('[2,"7","Heartbeat",' + '{"a":' * 33 + "1" + "}" * 33 + "]", "FormationViolation"),
    "brackets for a message type": ("[" * 500 + "]" * 500, "ProtocolError"),
    "an object": ("{}", "ProtocolError"),
    "null": ("null", "ProtocolError"),
    "a number": ("5", "ProtocolError"),
    "a string": ('"hello"', "ProtocolError"),
    "an empty array": ("[]", "ProtocolError"),
    "message type 5": ('[5,"7","Heartbeat",{}]', "ProtocolError"),
    "message type in words": ('["2","7","Heartbeat",{}]', "ProtocolError"),
    "message type true": ('[true,"7","Heartbeat",{}]', "ProtocolError"),
    "only a message type": ("[2]", "ProtocolError"),
    "a call without an action": ('[2,"7"]', "FormationViolation"),
    "a call without a payload": ('[2,"7","Heartbeat"]', "FormationViolation"),
    "a call with something behind": ('[2,"7","Heartbeat",{},{}]', "FormationViolation"),
    "an answer without a payload": ('[3,"7"]', "FormationViolation"),
    "an error without a description": ('[4,"7","GenericError"]', "FormationViolation"),
    "an error with something behind": ('[4,"7","GenericError","",{},1]', "FormationViolation"),
    # A message, but not of the protocol.
    "an action that is a number": (call(5, {}), "FormationViolation"),
    "an action of 256 letters": (call("A" * 256, {}), "FormationViolation"),
    "an action of OCPP 2": (call("NotifyEvent", {}), "NotImplemented"),
    "an action in lower case": (call("bootnotification", BOOT), "NotImplemented"),
    "an action that is a path": (call("../Reset", {}), "NotImplemented"),
    "a payload that is a list": (call("Heartbeat", []), "FormationViolation"),
    "a payload that is text": (call("Heartbeat", "now"), "FormationViolation"),
    # A message of the protocol, but not of its schema.
    "a field missing": (call("Reset", {}), "ProtocolError"),
    "null for a payload with fields": (call("Reset", None), "ProtocolError"),
    "a field deep inside missing": (profile(16).replace('"startPeriod": 0, ', ""), "ProtocolError"),
    "a field too many": (call("Reset", {"type": "Soft", "when": "now"}), "FormationViolation"),
    "a field deep inside too many": (meter_values(colour="red"), "FormationViolation"),
    "a number for text": (call("Reset", {"type": 5}), "TypeConstraintViolation"),
    "text for a number": (profile("16"), "TypeConstraintViolation"),
    "true for an integer": (call("UnlockConnector", {"connectorId": True}), "TypeConstraintViolation"),
    "null for an integer": (call("UnlockConnector", {"connectorId": None}), "TypeConstraintViolation"),
    "a fraction for an integer": (call("UnlockConnector", {"connectorId": 1.5}), "TypeConstraintViolation"),
    "1.0 for an integer": (call("UnlockConnector", {"connectorId": 1.0}), "TypeConstraintViolation"),
    "an object for text": (call("DataTransfer", {"vendorId": "v", "data": {}}), "TypeConstraintViolation"),
    "a value that is a number": (meter_values(value=1), "TypeConstraintViolation"),
    "an id tag of 21 characters": (call("Authorize", {"idTag": "x" * 21}), "TypeConstraintViolation"),
    "an unknown word": (call("Reset", {"type": "Medium"}), "PropertyConstraintViolation"),
    "an unknown measurand": (meter_values(measurand="Current"), "PropertyConstraintViolation"),
    "a limit in hundredths": (profile(4.11), "PropertyConstraintViolation"),
    "no meter value": (
        call("MeterValues", {"connectorId": 1, "meterValue": []}),
        "OccurenceConstraintViolation",
    ),
}

WE_ARE_STRICTER = {
    "an id that is a number": (call("Heartbeat", {}, 7), "ProtocolError", "table 3: a string"),
    "an id that is null": (call("Heartbeat", {}, None), "ProtocolError", "table 3: a string"),
    "an empty id": (call("Heartbeat", {}, ""), "ProtocolError", "it matches no answer with its call"),
    "an id of 37 characters": (call("Heartbeat", {}, "a" * 37), "ProtocolError", "table 3: at most 36"),
    "message type 2.0": ('[2.0,"7","Heartbeat",{}]', "ProtocolError", "an integer"),
    "a byte order mark": (b'\xef\xbb\xbf[2,"7","Heartbeat",{}]', "FormationViolation", "RFC 8259, 8.1"),
    "half a surrogate pair": (
        '[2,"7","Authorize",{"idTag":"\\ud800"}]',
        "FormationViolation",
        "no Unicode text; it could not be sent on, stored or logged",
    ),
    "half a surrogate pair, raw": (
        '[2,"7","Authorize",{"idTag":"\ud800"}]',
        "FormationViolation",
        "as before, from a WebSocket library that lets it pass",
    ),
    "an integer of 64 bits": (
        call("RemoteStopTransaction", {"transactionId": 2**63}),
        "FormationViolation",
        "no database takes it",
    ),
    "an integer of 5,000 digits": (
        call("RemoteStopTransaction", {"transactionId": 1}).replace(" 1}", "9" * 4300 + "}"),
        "FormationViolation",
        "no database takes it",
    ),
    "an answer with a list": ('[3,"7",[]]', "FormationViolation", "the package looks at answers later"),
    "an answer with something behind": ('[3,"7",{},{}]', "FormationViolation", "taken for the action"),
    "an error with a code in numbers": ('[4,"7",5,"",{}]', "FormationViolation", "table 6: a string"),
    "an error with a null description": (
        '[4,"7","GenericError",null,{}]',
        "FormationViolation",
        "table 6: a string",
    ),
    "an answer for an action": (
        call("HeartbeatResponse", {"currentTime": AT}),
        "NotImplemented",
        "the package finds a schema file of that name",
    ),
    "yesterday": (meter_values("yesterday"), "PropertyConstraintViolation", "format date-time"),
    "a day": (meter_values("2026-03-01"), "PropertyConstraintViolation", "format date-time"),
    "a location that is no URI": (
        call("GetDiagnostics", {"location": "over there"}),
        "PropertyConstraintViolation",
        "format uri",
    ),
}

WE_ARE_MILDER = {
    "a call with null for no fields": (call("Heartbeat", None), "stations send it"),
}

# The package spells 2.0.1's FormatViolation, which it also says for whatever it has no own word for; it
# raises ProtocolError for arrays that are too short or too long, and other exceptions ("crash") for some.
PACKAGE_CODES = {
    "FormationViolation": {
        "FormatViolation",
        "ProtocolError",
        "TypeConstraintViolation",
        "NotImplemented",
        "crash",
    },
    "ProtocolError": {"ProtocolError", "PropertyConstraintViolation", "TypeConstraintViolation"},
    "PropertyConstraintViolation": {"FormatViolation"},
    "OccurenceConstraintViolation": {"FormatViolation"},
    "TypeConstraintViolation": {"TypeConstraintViolation"},
    "NotImplemented": {"NotImplemented"},
}


def judged(raw: str | bytes) -> Message:
    """Parse and check as OcppPeer does."""
    message = ocpp_messages.parse(raw)
    if isinstance(message, Call):
        ocpp_messages.check_call(message)
    return message


def refusal(raw: str | bytes) -> MalformedMessage | None:
    try:
        judged(raw)
    except MalformedMessage as refused:
        return refused
    return None


def our_code(raw: str | bytes) -> str | None:
    refused = refusal(raw)
    return refused.code if refused else None


def package_code(raw: str | bytes) -> str | None:
    """Return the code with which the plain package refuses, None where it accepts."""
    try:
        message = ocpp.messages.unpack(raw)
        if isinstance(message, ocpp.messages.Call):
            ocpp.messages._validate_payload(message, "1.6")
    except OCPPError as error:
        return error.code
    except (TypeError, ValueError, RecursionError):
        return "crash"
    return None


@pytest.mark.parametrize("case", ACCEPTED)
def test_accepted_by_us_and_by_the_package(case: str) -> None:
    assert (our_code(ACCEPTED[case]), package_code(ACCEPTED[case])) == (None, None)


@pytest.mark.parametrize("case", REFUSED)
def test_refused_by_us_and_by_the_package(case: str) -> None:
    raw, expected = REFUSED[case]
    assert our_code(raw) == expected
    assert package_code(raw) in PACKAGE_CODES[expected]


@pytest.mark.parametrize("case", WE_ARE_STRICTER)
def test_refused_by_us_with_a_reason(case: str) -> None:
    raw, expected, _ = WE_ARE_STRICTER[case]
    assert our_code(raw) == expected
    assert package_code(raw) in {None, "crash"}


@pytest.mark.parametrize("case", WE_ARE_MILDER)
def test_accepted_by_us_with_a_reason(case: str) -> None:
    raw, _ = WE_ARE_MILDER[case]
    assert our_code(raw) is None
    assert package_code(raw) is not None


def schema_of(name: str) -> dict[str, Any]:
    text = (files("ocpp.v16") / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
    schema: dict[str, Any] = json.loads(text)
    return schema


def example(schema: dict[str, Any], whole: dict[str, Any], *, full: bool) -> Any:
    """Return a value that fits a schema, with the required fields or with all of them."""
    if "$ref" in schema:
        return example(whole["definitions"][schema["$ref"].rpartition("/")[2]], whole, full=full)
    match schema["type"]:
        case "object":
            properties = schema.get("properties", {})
            names = properties if full else schema.get("required", [])
            return {name: example(properties[name], whole, full=full) for name in names}
        case "array":
            return [example(schema["items"], whole, full=full)]
        case "string" if "enum" in schema:
            return schema["enum"][0]
        case "string":
            return {"date-time": AT, "uri": "ftp://127.0.0.1/"}.get(schema.get("format", ""), "x")
        case "integer":
            return 1
        case "number":
            return 0.3
        case "boolean":
            return True
    raise AssertionError(schema)


SCHEMAS = {
    action + suffix: schema_of(action + suffix)
    for action in sorted(ocpp_messages.KNOWN_ACTIONS)
    for suffix in ("", "Response")
}


@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("full", [False, True])
def test_each_message_of_the_protocol_is_accepted(name: str, full: bool) -> None:
    payload = example(SCHEMAS[name], SCHEMAS[name], full=full)
    if name.endswith("Response"):
        ocpp_messages.check_result(name.removesuffix("Response"), CallResult("7", payload))
    else:
        assert judged(call(name, payload)) == Call("7", name, payload)
        assert package_code(call(name, payload)) is None


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.integers(-300, 300).map(lambda tenths: tenths / 10)
    | st.integers(-300, 300).map(lambda hundredths: hundredths / 100)
    | st.text(string.printable, max_size=60)
)
json_values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(string.ascii_letters, max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of each value inside, outermost first."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [path, *(place for key in keys for place in places(value[key], (*path, key)))]


def with_a_fault(data: st.DataObject, name: str) -> tuple[Any, Any]:
    """Return a payload that fits a schema but for one place, and what stands there now (None: nothing)."""
    schema = SCHEMAS[name]
    payload = copy.deepcopy(example(schema, schema, full=data.draw(st.booleans())))
    *path, last = data.draw(st.sampled_from([*places(payload)[1:], ("addition",)]))
    parent = payload
    for key in path:
        parent = parent[key]
    replacement = None
    if data.draw(st.booleans()) and last in parent:
        del parent[last]
    else:
        parent[last] = replacement = data.draw(json_values)
    return payload, replacement


def assert_agreed(refused: MalformedMessage | None, package: str | None, replacement: Any) -> None:
    if refused is None:
        assert package is None
    elif refused.description.endswith(('is not a "date-time"', 'is not a "uri"')):
        return
    elif isinstance(replacement, dict | list):
        # It may be wrong in several ways at once: which of them is named is a matter of order.
        assert package is not None
    else:
        assert package in PACKAGE_CODES[refused.code]


@given(st.data())
def test_an_answer_with_one_fault_is_judged_as_by_the_package(data: st.DataObject) -> None:
    """The other direction: what stations answer to us, and what we answer."""
    action = data.draw(st.sampled_from(sorted(ocpp_messages.KNOWN_ACTIONS)))
    payload, replacement = with_a_fault(data, f"{action}Response")
    package: str | None = None
    try:
        ocpp.messages._validate_payload(ocpp.messages.CallResult("7", copy.deepcopy(payload), action), "1.6")
    except OCPPError as error:
        package = error.code
    except (TypeError, ValueError):
        package = "crash"
    refused: MalformedMessage | None = None
    try:
        ocpp_messages.check_result(action, CallResult("7", payload))
    except MalformedMessage as error:
        refused = error
    assert_agreed(refused, package, replacement)


@given(st.data())
def test_a_payload_with_one_fault_is_judged_as_by_the_package(data: st.DataObject) -> None:
    """Any field of any action left out, replaced or added; the formats are WE_ARE_STRICTER's."""
    action = data.draw(st.sampled_from(sorted(ocpp_messages.KNOWN_ACTIONS)))
    payload, replacement = with_a_fault(data, action)
    raw = call(action, payload)
    assert_agreed(refusal(raw), package_code(raw), replacement)


@given(
    st.binary()
    | st.text()
    | json_values.map(json.dumps)
    | st.lists(st.sampled_from([2, 3, 4, "7", "Reset", {}]) | json_values, max_size=6).map(json.dumps)
)
def test_random_message_raises_nothing_but_malformed_message(raw: str | bytes) -> None:
    refused = refusal(raw)
    message = refused.as_answer() if refused else judged(raw)
    assert ocpp_messages.parse(ocpp_messages.encode(message)) == message


@given(json_values | st.integers(), st.integers(0, 40))
def test_what_is_surely_bounded_is_bounded(value: Any, depth: int) -> None:
    for _ in range(depth):
        value = [value]
    if ocpp_messages._is_surely_bounded(json.dumps(value)):
        assert ocpp_messages._is_bounded(value, ocpp_messages.MAX_DEPTH)


unique_ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=36)
objects = st.dictionaries(st.text(string.ascii_letters, max_size=5), json_values, max_size=3)


@given(
    st.builds(Call, unique_ids, st.text(string.ascii_letters, max_size=255), objects)
    | st.builds(CallResult, unique_ids, objects)
    | st.builds(
        CallError,
        unique_ids,
        st.text(string.ascii_letters, max_size=50),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=255),
        objects,
    )
)
def test_message_comes_back_as_it_went(message: Message) -> None:
    assert ocpp_messages.parse(ocpp_messages.encode(message)) == message


@pytest.mark.parametrize(
    ("raw", "unique_id", "answerable"),
    [
        ("hello", "-1", True),
        ("[2]", "-1", True),
        ('[2,7,"Heartbeat",{}]', "-1", True),
        ('[2,"7","Heartbeat",[]]', "7", True),
        ('[2,"7","Flight",{}]', "7", True),
        ('[2,"7","Reset",{}]', "7", True),
        ('[3,"7",[]]', "7", False),
        ("[3]", "-1", False),
        ('[4,"7"]', "7", False),
    ],
)
def test_refusal_says_what_to_answer_and_whether(raw: str, unique_id: str, answerable: bool) -> None:
    """Answering an answer would never end."""
    with pytest.raises(MalformedMessage) as refused:
        judged(raw)
    assert (refused.value.unique_id, refused.value.answerable) == (unique_id, answerable)
    assert refused.value.as_answer().unique_id == unique_id


def test_description_fits_the_protocol() -> None:
    """A peer's long nonsense does not come back at length, nor into the log."""
    with pytest.raises(MalformedMessage) as refused:
        judged(call("Reset", {"type": "Soft" * 10_000}))
    assert len(refused.value.as_answer().description) == 255
    assert len(str(refused.value)) < 300


def test_words_of_a_refusal_are_cut_to_what_the_protocol_allows() -> None:
    message = judged(json.dumps([4, "7", "C" * 1000, "d" * 1000, {}]))
    assert message == CallError("7", "C" * 50, "d" * 255, {})


def test_wrong_answer_is_refused_and_not_answerable() -> None:
    with pytest.raises(MalformedMessage) as refused:
        ocpp_messages.check_result("Reset", CallResult("7", {"status": "Perhaps"}))
    assert (refused.value.code, refused.value.answerable) == ("PropertyConstraintViolation", False)
