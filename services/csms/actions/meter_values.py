"""MeterValues: what a connector measured."""

from contracts.events import SystemEvent
from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context
from csms.fields import connector_of, int32_of
from csms.readings import RefusedSample, readings_of


def answer(payload: Payload, context: Context) -> Answer:
    """Make readings of it; a value that says nothing is refused by itself and reported.

    Values that name another connector than their transaction's are taken, and reported as odd.
    """
    connector = connector_of(payload)
    transaction_id = int32_of(payload, "transactionId") if "transactionId" in payload else None
    running = context.transaction_at(connector, transaction_id)
    readings, refused = readings_of(
        payload["meterValue"],
        context.charge_point_id,
        connector,
        transaction_id,
        context.now,
        limits=context.limits,
        running=running,
    )
    oddities = [refusal(sample, connector, context) for sample in refused]
    if running is not None and connector not in (0, running.connector):  # 0: the whole station's meter
        oddities.append(
            context.noted(
                "transaction_at_another_connector",
                running.connector,
                transaction_id=transaction_id,
                named_connector=connector,
            )
        )
    return Answer({}, (*readings, *oddities))


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
