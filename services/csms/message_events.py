"""What the CSMS records of OCPP messages: the message itself, and that it was refused.

What was parsed is bounded in length, depth and size of numbers, so every event made here can be decoded.
"""

from datetime import datetime
from typing import Any

from chassis.ocpp_peer import Exchange
from contracts.events import AnyEvent, OcppMessageSeen, SystemEvent
from contracts.ocpp_messages import Call, CallError, CallResult, MalformedMessage, Payload


def events_of(exchange: Exchange, charge_point_id: str, now: datetime) -> list[AnyEvent]:
    """Return the events of one message."""
    match exchange.message:
        case None:
            refused = exchange.refused or MalformedMessage("InternalError", "unknown")
            seen = _seen(exchange, charge_point_id, now, "unreadable", refused.unique_id, {}, refused.code)
            if refused.answerable:  # then the refusal is sent, and recorded as that
                return [seen]
            return [seen, _refused(charge_point_id, now, "", refused.code, refused.description)]
        case Call(unique_id, _, payload):
            return [_seen(exchange, charge_point_id, now, "call", unique_id, payload)]
        case CallResult(unique_id, payload):
            return [_seen(exchange, charge_point_id, now, "call_result", unique_id, payload)]
        case CallError(unique_id, code, description, details):
            payload = {"errorDescription": description, "errorDetails": details}
            seen = _seen(exchange, charge_point_id, now, "call_error", unique_id, payload, code)
            if not exchange.sent:
                return [seen]
            return [seen, _refused(charge_point_id, now, exchange.action, code, description)]


def _seen(
    exchange: Exchange,
    charge_point_id: str,
    now: datetime,
    message_type: Any,
    unique_id: str,
    payload: Payload,
    error_code: str | None = None,
) -> OcppMessageSeen:
    return OcppMessageSeen(
        at=now,
        charge_point_id=charge_point_id,
        direction="sent" if exchange.sent else "received",
        message_type=message_type,
        unique_id=unique_id,
        action=exchange.action,
        payload=payload,
        error_code=error_code,
        round_trip_s=exchange.round_trip_s,
    )


def _refused(charge_point_id: str, now: datetime, action: str, code: str, reason: str) -> SystemEvent:
    detail = {"action": action, "code": code, "reason": reason}
    return SystemEvent(
        at=now, charge_point_id=charge_point_id, service="csms", name="message_refused", detail=detail
    )
