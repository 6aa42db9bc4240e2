"""Heartbeat: a charge point is there and asks the time."""

from contracts import ocpp_time
from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:  # noqa: ARG001 - the table's signature
    """Tell the time."""
    return Answer({"currentTime": ocpp_time.text(context.now)})
