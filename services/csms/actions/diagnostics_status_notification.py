"""DiagnosticsStatusNotification: how far a charge point is with its upload of diagnostics."""

from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:
    """Take note."""
    return Answer({}, (context.noted("diagnostics_status_changed", status=payload["status"]),))
