"""Heartbeat: a charge point is there and asks the time."""

from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context
from csms.fields import instant_text


def answer(payload: Payload, context: Context) -> Answer:  # noqa: ARG001 - the table's signature
    """Tell the time."""
    return Answer({"currentTime": instant_text(context.now)})
