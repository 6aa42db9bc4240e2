"""DataTransfer: whatever a vendor agreed on; nobody agreed on anything with this CSMS."""

from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:  # noqa: ARG001 - the table's signature
    """Answer that the vendor is unknown; the message itself is on record as every message is."""
    return Answer({"status": "UnknownVendorId"})
