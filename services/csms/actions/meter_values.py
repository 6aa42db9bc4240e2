"""MeterValues: what a connector measured."""

from contracts.events import SystemEvent
from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context
from csms.fields import connector_of, int32_of
from csms.readings import RefusedSample, readings_of


def answer(payload: Payload, context: Context) -> Answer:
    """Make readings of it; a value that says nothing is refused by itself and reported."""
    connector = connector_of(payload)
    transaction_id = int32_of(payload, "transactionId") if "transactionId" in payload else None
    readings, refused = readings_of(
        payload["meterValue"],
        context.charge_point_id,
        connector,
        transaction_id,
        context.now,
        limits=context.limits,
        running=context.transaction_at(connector, transaction_id),
    )
    return Answer({}, (*readings, *(refusal(sample, connector, context) for sample in refused)))


def refusal(sample: RefusedSample, connector: int, context: Context) -> SystemEvent:
    """Return the event that says which value was refused and why."""
    return context.noted(
        "sample_refused",
        connector,
        measurand=sample.measurand,
        value=sample.value,
        unit=sample.unit,
        reason=sample.reason,
    )
