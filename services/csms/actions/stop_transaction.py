"""StopTransaction: a charge point ended a transaction. OCPP lets nobody refuse that."""

from contracts.events import AnyEvent
from contracts.ocpp_messages import Payload
from csms import authorisation, limits, transaction
from csms.actions.context import Answer, Context
from csms.actions.meter_values import refusal
from csms.fields import instant_of, int32_of
from csms.readings import readings_of
from csms.transaction import StopRequest


def answer(payload: Payload, context: Context) -> Answer:
    """End it and report what is odd. A retry publishes the same end again.

    An unknown one is answered all the same, or the charge point would send it for ever.
    """
    state = context.state
    request = StopRequest(
        charge_point_id=context.charge_point_id,
        transaction_id=int32_of(payload, "transactionId"),
        at=instant_of(payload, context.now),
        meter_stop_wh=int32_of(payload, "meterStop"),
        reason=payload.get("reason", "Local"),
    )
    stop = transaction.stop(state.transactions.get(request.transaction_id), request)
    events: list[AnyEvent] = []
    if stop.transaction is not None:
        connector = stop.transaction.connector
        readings, refused = readings_of(
            payload.get("transactionData", ()),
            context.charge_point_id,
            connector,
            request.transaction_id,
            context.now,
            limits=context.limits,
            running=stop.transaction,
        )
        events += readings
        events += [refusal(sample, connector, context) for sample in refused]
        state.transactions.ended(stop.transaction)
        state.limits.put(context.charge_point_id, limits.ended(context.limits, stop.transaction, context.now))
        events.append(transaction.ended_event(stop.transaction))
    if stop.oddity is not None:
        events.append(
            context.noted(
                stop.oddity,
                stop.transaction.connector if stop.transaction is not None else None,
                transaction_id=request.transaction_id,
                reason=request.reason,
            )
        )
    if "idTag" not in payload:
        return Answer({}, tuple(events))
    tag = context.tag(payload["idTag"])
    info = authorisation.id_tag_info(tag, context.now, accept_unknown=context.accept_unknown_tags)
    return Answer({"idTagInfo": info}, tuple(events))
