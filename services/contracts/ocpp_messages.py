"""OCPP 1.6J messages as both ends speak them: parsed whole or refused with the right error code.

Payloads stay the plain JSON objects of the specification (camelCase) and are checked against the official
schemas, which come with the `ocpp` package, by a compiled validator.
"""

import json
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import jsonschema_rs
import msgspec
from ocpp.v16.enums import Action

from contracts.errors import ContractError

SUBPROTOCOL = "ocpp1.6"
MAX_MESSAGE_BYTES = 65_536
"""A longer message is refused by closing with 1009; the largest honest ones (profiles) are a tenth of it."""

MAX_ACTION_LENGTH = 255
MAX_DESCRIPTION_LENGTH = 255  # OCPP-J 1.6, table 6

Payload: TypeAlias = dict[str, Any]
KNOWN_ACTIONS = frozenset(action.value for action in Action)
MAX_DEPTH = 32
"""The deepest honest message nests 7; without a bound, where it fails depends on who handles it."""
UNREADABLE_ID = "-1"
"""The id of an answer to a message whose own id cannot be read (as OCPP 2.0.1 part 4 settled it)."""

# OCPP-J 1.6, table 7: which words belong to which fault of a payload.
_CODE_BY_KEYWORD = {
    "type": "TypeConstraintViolation",
    "maxLength": "TypeConstraintViolation",
    "minLength": "TypeConstraintViolation",
    "required": "ProtocolError",
    "additionalProperties": "FormationViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
}


class Call(msgspec.Struct, frozen=True):
    """A request: [2, unique_id, action, payload]."""

    unique_id: str
    action: str
    payload: Payload


class CallResult(msgspec.Struct, frozen=True):
    """An answer: [3, unique_id, payload]."""

    unique_id: str
    payload: Payload


class CallError(msgspec.Struct, frozen=True):
    """A refusal: [4, unique_id, code, description, details]."""

    unique_id: str
    code: str
    description: str = ""
    details: Payload = {}


Message: TypeAlias = Call | CallResult | CallError


class MalformedMessage(ContractError):  # noqa: N818 - named after what arrived
    """An OCPP message that is refused; `code` is OCPP's error code, `unique_id` what the answer refers to.

    `answerable` is False for a broken answer: answering an answer would never end.
    """

    def __init__(
        self, code: str, description: str, unique_id: str = UNREADABLE_ID, *, answerable: bool = True
    ) -> None:
        self.code = code
        self.description = description[:MAX_DESCRIPTION_LENGTH]
        super().__init__(f"{code}: {self.description}")
        self.unique_id = unique_id
        self.answerable = answerable

    def as_answer(self) -> CallError:
        """Return the CALLERROR that tells the peer."""
        return CallError(self.unique_id, self.code, self.description)


_DECODER = msgspec.json.Decoder()
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * 19  # 2**63 has as many digits


def parse(raw: str | bytes) -> Message:
    """Return the message in `raw`, its payload not yet checked; raise MalformedMessage for anything else."""
    try:
        parts = _DECODER.decode(raw)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise MalformedMessage("FormationViolation", f"not valid JSON: {error}") from error
    if not isinstance(parts, list) or not parts:
        raise MalformedMessage("ProtocolError", "a message is a JSON array with a message type first")
    message_type = parts[0]
    if message_type not in (2, 3, 4) or not isinstance(message_type, int):
        raise MalformedMessage("ProtocolError", "the message type is 2, 3 or 4")
    is_call = message_type == 2
    unique_id = parts[1] if len(parts) > 1 else None
    if not isinstance(unique_id, str) or not 1 <= len(unique_id) <= 36:
        raise MalformedMessage(
            "ProtocolError", "the unique id is a string of 1 to 36 characters", answerable=is_call
        )
    if not (_is_surely_bounded(raw) or _is_bounded(parts, MAX_DEPTH)):
        raise MalformedMessage(
            "FormationViolation",
            f"nested deeper than {MAX_DEPTH}, or an integer of more than 64 bits",
            unique_id,
            answerable=is_call,
        )
    match parts:
        # Some send null where there are no fields.
        case [2, _, str() as action, (dict() | None) as payload] if len(action) <= MAX_ACTION_LENGTH:
            return Call(unique_id, action, payload or {})
        case [3, _, (dict() | None) as payload]:
            return CallResult(unique_id, payload or {})
        case [4, _, str() as code, str() as description, *rest] if len(rest) <= 1:
            details = rest[0] if rest and isinstance(rest[0], dict) else {}
            return CallError(unique_id, code[:50], description[:MAX_DESCRIPTION_LENGTH], details)
    expected = {2: "[2, id, action, {payload}]", 3: "[3, id, {payload}]", 4: '[4, id, code, "…", {details}]'}
    raise MalformedMessage(
        "FormationViolation", f"expected {expected[message_type]}", unique_id, answerable=is_call
    )


def _is_surely_bounded(raw: str | bytes) -> bool:
    """Return whether the text alone shows what `_is_bounded` asks: few brackets, no long row of digits."""
    text = raw.encode() if isinstance(raw, str) else raw
    if text.count(b"{") + text.count(b"[") > MAX_DEPTH:
        return False
    return _LONG_NUMBER not in text.translate(_DIGITS_ALIKE)


def _is_bounded(value: Any, depth: int) -> bool:
    # Loops and exact types, as JSON has them: this sees every message that is not surely bounded.
    kind = type(value)
    if kind is int and not -(2**63) <= value < 2**63:
        return False
    if kind is dict or kind is list:
        if depth == 0:
            return False
        for part in value.values() if kind is dict else value:
            if type(part) is not str and not _is_bounded(part, depth - 1):
                return False
    return True


def encode(message: Message) -> str:
    """Return the JSON text of a message."""
    match message:
        case Call(unique_id, action, payload):
            parts: list[Any] = [2, unique_id, action, payload]
        case CallResult(unique_id, payload):
            parts = [3, unique_id, payload]
        case CallError(unique_id, code, description, details):
            parts = [4, unique_id, code, description, details]
    return msgspec.json.encode(parts).decode()


@cache
def _validator(schema_name: str) -> jsonschema_rs.Draft4Validator:
    schema = json.loads((files("ocpp.v16") / "schemas" / f"{schema_name}.json").read_bytes())
    return jsonschema_rs.Draft4Validator(schema, formats={"date-time": _is_instant}, validate_formats=True)


def _is_instant(text: str) -> bool:
    """Return whether a text is an ISO 8601 instant; one without an offset counts as UTC.

    Plain clients send `datetime.utcnow().isoformat()`; refusing it would refuse every transaction of theirs.
    """
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return "T" in text


def _check(schema_name: str, payload: Payload, unique_id: str, *, answerable: bool) -> None:
    try:
        _validator(schema_name).validate(payload)
    except jsonschema_rs.ValidationError as error:
        keyword = str(error.schema_path[-1]) if error.schema_path else ""
        place = "/".join(str(part) for part in error.instance_path) or "payload"
        code = _CODE_BY_KEYWORD.get(keyword, "PropertyConstraintViolation")
        raise MalformedMessage(code, f"{place}: {error.message}", unique_id, answerable=answerable) from error
    except ValueError as error:  # an integer too large for the validator
        raise MalformedMessage(
            "PropertyConstraintViolation", str(error), unique_id, answerable=answerable
        ) from error


def check_call(call: Call) -> None:
    """Raise MalformedMessage unless the payload is what the official schema of its action demands."""
    if call.action not in KNOWN_ACTIONS:
        raise MalformedMessage(
            "NotImplemented", f"{call.action[:50]!r} is no OCPP 1.6 action", call.unique_id
        )
    _check(call.action, call.payload, call.unique_id, answerable=True)


def check_result(action: str, result: CallResult) -> None:
    """Raise MalformedMessage unless the answer to `action` is what the official schema demands."""
    _check(f"{action}Response", result.payload, result.unique_id, answerable=False)
