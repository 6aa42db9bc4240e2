"""The message log's lines of events: what MQTT tells now and the MemoryBank remembers."""

from collections.abc import Mapping
from typing import Any

import msgspec

from console import log_entry, ocpp_text
from console.connector import Key
from console.log_entry import MAX_RAW, MAX_TEXT, Direction, Layer, LogEntry
from contracts.events import (
    AnyEvent,
    CanFrameSeen,
    CommandSent,
    OcppMessageSeen,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)


def concerns(event: AnyEvent, key: Key) -> bool:
    """Return whether an event belongs into a connector's log: its own, or its whole station's."""
    return event.charge_point_id == key[0] and event.connector in (None, 0, key[1])


def of_event(identity: str, event: AnyEvent) -> LogEntry | None:
    """Return the line of an event, or None for one that has no line (readings are plotted, not listed)."""
    at_s = event.at.timestamp()
    match event:
        case CanFrameSeen(can_id=can_id, data=data):
            return log_entry.of_frame(identity, at_s, can_id, bytes.fromhex(data), extended=can_id > 0x7FF)
        case OcppMessageSeen():
            name, text = ocpp_text.name_of(event), ocpp_text.text_of(event)
            malformed = event.message_type == "unreadable"
            return _line(
                identity, at_s, "ocpp", event.direction, name, text, event.payload, malformed=malformed
            )
        case CommandSent():
            text = f"{event.command}: {event.outcome}"
            return _line(identity, at_s, "system", "sent", "command_sent", text, event.parameters)
        case StatusChanged():
            error = "" if event.error_code == "NoError" else f", {event.error_code}"
            text = f"{_where(event.connector)} {event.status}{error}"
            return _line(identity, at_s, "system", None, "status_changed", text, _fields(event))
        case TransactionStarted():
            text = (
                f"transaction {event.transaction_id} at {_where(event.connector)}, tag {event.id_tag}, "
                f"meter {event.meter_start_wh:g} Wh"
            )
            return _line(identity, at_s, "system", None, "transaction_started", text, _fields(event))
        case TransactionEnded():
            text = f"transaction {event.transaction_id}, meter {event.meter_stop_wh:g} Wh, {event.reason}"
            return _line(identity, at_s, "system", None, "transaction_ended", text, _fields(event))
        case SystemEvent():
            detail = ocpp_text.fields_text(event.detail)
            text = f"{event.service}: {detail}" if detail else event.service
            return _line(identity, at_s, "system", None, event.name, text, event.detail)
    return None


def _where(connector: int | None) -> str:
    return f"connector {connector}" if connector else "the whole station"


def _fields(event: AnyEvent) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return fields


def _line(
    identity: str,
    at_s: float,
    layer: Layer,
    direction: Direction | None,
    name: str,
    text: str,
    raw: Mapping[str, Any],
    *,
    malformed: bool = False,
) -> LogEntry:
    return LogEntry(
        id=identity,
        at_s=at_s,
        layer=layer,
        direction=direction,
        name=ocpp_text.one_line(name, 120),
        text=ocpp_text.one_line(text, MAX_TEXT),
        raw=msgspec.json.encode(raw).decode()[:MAX_RAW],
        malformed=malformed,
    )
