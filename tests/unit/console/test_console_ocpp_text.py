"""What an OCPP message says in one line."""

from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console import event_lines, ocpp_text
from console.ocpp_text import MAX_TEXT
from contracts.events import OcppMessageSeen

AT = datetime(2026, 1, 1, tzinfo=UTC)


def message(
    action: str,
    payload: dict[str, Any],
    kind: Literal["call", "call_result", "call_error", "unreadable"] = "call",
    **more: Any,
) -> OcppMessageSeen:
    return OcppMessageSeen(
        at=AT,
        charge_point_id="CP-1",
        direction="received",
        message_type=kind,
        action=action,
        payload=payload,
        **more,
    )


SAMPLES = [
    {"value": "98.0", "measurand": "Current.Import", "unit": "A"},
    {"value": "230.1", "measurand": "Voltage", "phase": "L1-N", "unit": "V"},
    {"value": "1234"},
]
PROFILE = {
    "chargingProfileId": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0.0}, {"startPeriod": 10, "limit": 100.0}],
    },
}
LINES = [
    (
        message("MeterValues", {"connectorId": 1, "meterValue": [{"sampledValue": SAMPLES}]}),
        "MeterValues",
        "Current.Import 98.0 A, Voltage L1-N 230.1 V, Energy.Active.Import.Register 1234",
    ),
    (
        message("StatusNotification", {"connectorId": 1, "status": "Charging", "errorCode": "NoError"}),
        "StatusNotification",
        "connector 1, Charging",
    ),
    (
        message("StatusNotification", {"connectorId": 2, "status": "Faulted", "errorCode": "GroundFailure"}),
        "StatusNotification",
        "connector 2, Faulted, GroundFailure",
    ),
    (
        message("StartTransaction", {"connectorId": 1, "idTag": "BENCH", "meterStart": 0}),
        "StartTransaction",
        "connector 1, tag BENCH, meter 0 Wh",
    ),
    (
        message("StartTransaction", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}, "call_result"),
        "StartTransaction.conf",
        "Accepted, transaction 7",
    ),
    (
        message("StopTransaction", {"transactionId": 7, "meterStop": 1234, "reason": "Remote"}),
        "StopTransaction",
        "transaction 7, meter 1234 Wh, Remote",
    ),
    (
        message("SetChargingProfile", {"connectorId": 1, "csChargingProfiles": PROFILE}),
        "SetChargingProfile",
        "connector 1, TxDefaultProfile, level 0, 0 A, 100 A from 10 s",
    ),
    (
        message("SetChargingProfile", {"status": "Rejected"}, "call_result"),
        "SetChargingProfile.conf",
        "Rejected",
    ),
    (
        message("RemoteStartTransaction", {"idTag": "BENCH", "connectorId": 1}),
        "RemoteStartTransaction",
        "connector 1, tag BENCH",
    ),
    (message("Heartbeat", {}), "Heartbeat", "no content"),
    (
        message("Heartbeat", {"currentTime": "2026-01-01T00:00:00Z"}, "call_result"),
        "Heartbeat.conf",
        "2026-01-01T00:00:00Z",
    ),
    (
        message("GetConfiguration", {"configurationKey": [{"key": "K", "value": "1"}]}, "call_result"),
        "GetConfiguration.conf",
        "K = 1",
    ),
    (
        message("Reset", {"errorDescription": "no"}, "call_error", error_code="NotSupported"),
        "Reset.error",
        "NotSupported, no",
    ),
    (
        message("", {}, "unreadable", error_code="FormationViolation"),
        "message (unreadable)",
        "FormationViolation",
    ),
    (message("MakeCoffee", {"sugar": 2, "milk": True}), "MakeCoffee", "sugar 2, milk True"),
]


@pytest.mark.parametrize("seen,name,text", LINES)
def test_lines(seen: OcppMessageSeen, name: str, text: str) -> None:
    """What matters of each message, with units."""
    assert (ocpp_text.name_of(seen), ocpp_text.text_of(seen)) == (name, text)


FIELDS = {name for fields in ocpp_text._FIELDS.values() for name, _ in fields}
FIELDS |= {"meterValue", "sampledValue", "value", "transactionData", "csChargingProfiles", "chargingProfile"}
FIELDS |= {"chargingSchedule", "chargingSchedulePeriod", "limit", "configurationKey", "key", "idTagInfo"}
names = st.text(max_size=20) | st.sampled_from(sorted(FIELDS))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=400),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(names, inner, max_size=5),
    max_leaves=20,
)
actions = st.sampled_from([*ocpp_text._FIELDS, *ocpp_text._CALLS, "MeterValues"]) | st.text(max_size=255)


@given(
    actions,
    st.dictionaries(names, values, max_size=6),
    st.sampled_from(["call", "call_result", "call_error", "unreadable"]),
    st.none() | st.text(max_size=50),
)
def test_any_payload_makes_a_line(action: str, payload: dict[str, Any], kind: Any, code: str | None) -> None:
    """Whatever a peer sends, the log shows one printable line, and the event's line can be encoded."""
    seen = message(action, payload, kind, error_code=code)
    text = ocpp_text.text_of(seen)
    assert 0 < len(text) <= MAX_TEXT
    assert text.isprintable()
    entry = event_lines.of_event("1", seen)
    assert entry is not None
    assert entry.name
    assert entry.text == text
    assert len(entry.raw) <= 4000
