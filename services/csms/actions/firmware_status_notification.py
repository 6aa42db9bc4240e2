"""FirmwareStatusNotification: how far a charge point is with its update of firmware."""

from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:
    """Take note."""
    return Answer({}, (context.noted("firmware_status_changed", status=payload["status"]),))
