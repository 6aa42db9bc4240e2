"""What an OCPP message says, in one line for a person. Pure; a payload may hold anything."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from contracts.events import OcppMessageSeen

MAX_TEXT = 300
_MAX_WORD = 60

Payload: TypeAlias = Mapping[str, Any]

_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "Authorize": (("idTag", "tag {}"),),
    "BootNotification": (
        ("chargePointVendor", "{}"),
        ("chargePointModel", "{}"),
        ("firmwareVersion", "firmware {}"),
        ("chargePointSerialNumber", "serial number {}"),
    ),
    "CancelReservation": (("reservationId", "reservation {}"),),
    "ChangeAvailability": (("connectorId", "connector {}"), ("type", "{}")),
    "ChangeConfiguration": (("key", "{}"), ("value", "= {}")),
    "ClearChargingProfile": (
        ("id", "profile {}"),
        ("connectorId", "connector {}"),
        ("chargingProfilePurpose", "{}"),
        ("stackLevel", "level {}"),
    ),
    "DataTransfer": (("vendorId", "{}"), ("messageId", "{}"), ("data", "{}")),
    "DiagnosticsStatusNotification": (("status", "{}"),),
    "FirmwareStatusNotification": (("status", "{}"),),
    "GetCompositeSchedule": (
        ("connectorId", "connector {}"),
        ("duration", "{} s"),
        ("chargingRateUnit", "{}"),
    ),
    "RemoteStopTransaction": (("transactionId", "transaction {}"),),
    "ReserveNow": (("connectorId", "connector {}"), ("idTag", "tag {}"), ("expiryDate", "until {}")),
    "Reset": (("type", "{}"),),
    "StartTransaction": (("connectorId", "connector {}"), ("idTag", "tag {}"), ("meterStart", "meter {} Wh")),
    "StatusNotification": (
        ("connectorId", "connector {}"),
        ("status", "{}"),
        ("errorCode", "{}"),
        ("info", "{}"),
        ("vendorErrorCode", "{}"),
    ),
    "StopTransaction": (
        ("transactionId", "transaction {}"),
        ("meterStop", "meter {} Wh"),
        ("reason", "{}"),
        ("idTag", "tag {}"),
    ),
    "TriggerMessage": (("requestedMessage", "{}"), ("connectorId", "connector {}")),
    "UnlockConnector": (("connectorId", "connector {}"),),
}
"""Of each action: which fields are said, in this order, and how."""
_UNSAID = {("errorCode", "NoError")}
_ANSWER = (("transactionId", "transaction {}"), ("interval", "every {} s"), ("currentTime", "{}"))


def name_of(message: OcppMessageSeen) -> str:
    """Return what a message is called: its action, `.conf` for the answer, `.error` for an error."""
    action = one_line(message.action, 100) or "message"
    suffix = {"call": "", "call_result": ".conf", "call_error": ".error", "unreadable": " (unreadable)"}
    return action + suffix[message.message_type]


def text_of(message: OcppMessageSeen) -> str:
    """Return what a message says, MAX_TEXT characters at most."""
    payload = message.payload
    match message.message_type:
        case "call":
            parts = list(_CALLS.get(message.action, _plain)(payload, message.action))
        case "call_result":
            parts = list(_answer(payload, message.action))
        case _:
            words = (message.error_code, payload.get("errorDescription"))
            parts = [_word(word) for word in words if word]
    return one_line(", ".join(part for part in parts if part), MAX_TEXT) or "no content"


def one_line(text: str, most: int) -> str:
    """Return a text as one line of printable characters, cut where it is too long."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return text if len(text) <= most else text[: most - 1] + "\u2026"


def fields_text(payload: Payload) -> str:
    """Return all fields of a payload by name, MAX_TEXT characters at most."""
    return one_line(", ".join(_named(payload)), MAX_TEXT)


def _plain(payload: Payload, action: str) -> Iterator[str]:
    said = _FIELDS.get(action)
    return _named(payload) if said is None else _said(payload, said)


def _said(payload: Payload, fields: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, form in fields:
        value = payload.get(name)
        if value is not None and value != "" and not (isinstance(value, str) and (name, value) in _UNSAID):
            yield form.format(_word(value))


def _named(payload: Payload) -> Iterator[str]:
    for name, value in payload.items():
        yield f"{_word(name)} {_word(value)}"


def _answer(payload: Payload, action: str) -> Iterator[str]:
    tag = payload.get("idTagInfo")
    status = payload.get("status", tag.get("status") if isinstance(tag, Mapping) else None)
    if status is not None:
        yield _word(status)
    if action == "GetConfiguration":
        yield from _configuration(payload, action)
        return
    said = list(_said(payload, _ANSWER))
    yield from said
    if status is None and not said:
        yield from _named(payload)


def _meter_values(payload: Payload, _action: str) -> Iterator[str]:
    for meter_value in _rows(payload.get("meterValue")):
        for sample in _rows(meter_value.get("sampledValue")):
            measurand = sample.get("measurand", "Energy.Active.Import.Register")
            words = (measurand, sample.get("phase"), sample.get("value"), sample.get("unit"))
            yield " ".join(_word(word) for word in words if word is not None)


def _stop(payload: Payload, action: str) -> Iterator[str]:
    yield from _plain(payload, action)
    yield from _meter_values({"meterValue": payload.get("transactionData")}, action)


def _set_profile(payload: Payload, _action: str) -> Iterator[str]:
    yield from _said(payload, (("connectorId", "connector {}"),))
    yield from _profile(payload.get("csChargingProfiles"))


def _remote_start(payload: Payload, _action: str) -> Iterator[str]:
    yield from _said(payload, (("connectorId", "connector {}"), ("idTag", "tag {}")))
    yield from _profile(payload.get("chargingProfile"))


def _profile(profile: Any) -> Iterator[str]:
    if not isinstance(profile, Mapping):
        return
    yield from _said(profile, (("chargingProfilePurpose", "{}"), ("stackLevel", "level {}")))
    schedule = profile.get("chargingSchedule")
    if not isinstance(schedule, Mapping):
        return
    unit = _word(schedule.get("chargingRateUnit", ""))
    for period in _rows(schedule.get("chargingSchedulePeriod")):
        start = period.get("startPeriod")
        later = f" from {_word(start)} s" if start else ""
        yield f"{_word(period.get('limit'))} {unit}{later}"


def _configuration(payload: Payload, _action: str) -> Iterator[str]:
    for entry in _rows(payload.get("configurationKey")):
        yield f"{_word(entry.get('key'))} = {_word(entry.get('value'))}"
    for name in ("key", "unknownKey"):
        keys = payload.get(name)
        if isinstance(keys, list):
            yield from (f"{'unknown ' if name == 'unknownKey' else ''}{_word(key)}" for key in keys)


_CALLS: dict[str, Callable[[Payload, str], Iterator[str]]] = {
    "GetConfiguration": _configuration,
    "MeterValues": _meter_values,
    "RemoteStartTransaction": _remote_start,
    "SetChargingProfile": _set_profile,
    "StopTransaction": _stop,
}


def _rows(value: Any) -> Iterator[Payload]:
    if isinstance(value, list):
        yield from (row for row in value if isinstance(row, Mapping))


def _word(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if isinstance(value, Mapping | list):
        return "{\u2026}" if isinstance(value, Mapping) else f"[{len(value)}]"
    return one_line(str(value), _MAX_WORD)
