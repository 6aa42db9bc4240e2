"""StartTransaction: a charge point began to charge and wants an id for it."""

from contracts.events import AnyEvent
from contracts.ocpp_messages import Payload
from csms import authorisation, limits, transaction
from csms.actions.context import Answer, Context
from csms.fields import connector_of, instant_of, int32_of
from csms.transaction import StartRequest


def answer(payload: Payload, context: Context) -> Answer:
    """Give an id, also where the tag may not charge (the charge point then stops).

    A retry gets the same answer and publishes the same event again: the first may have died with the process.
    """
    state = context.state
    request = StartRequest(
        charge_point_id=context.charge_point_id,
        connector=connector_of(payload, lowest=1),
        id_tag=payload["idTag"],
        timestamp=payload["timestamp"],
        at=instant_of(payload, context.now),
        meter_start_wh=int32_of(payload, "meterStart"),
    )
    tag = context.tag(request.id_tag)
    started = state.transactions.started_before(request)
    info = authorisation.id_tag_info(
        tag,
        context.now,
        accept_unknown=context.accept_unknown_tags,
        is_charging=started is None and state.transactions.is_charging(request.id_tag),
    )
    events: list[AnyEvent] = []
    if started is None:
        known = context.limits
        for active in state.transactions.active(request.charge_point_id, request.connector):
            ended = transaction.superseded(active, request)
            state.transactions.ended(ended)
            known = limits.ended(known, ended, context.now)
            events.append(transaction.ended_event(ended))
        intervention = state.runs.intervention(request.charge_point_id)
        is_scenarios = intervention is not None and intervention.starts_with(request.id_tag)
        run_id = intervention.run_id if intervention is not None and is_scenarios else None
        started = state.transactions.started(request, run_id)
        state.limits.put(context.charge_point_id, limits.started(known, started, context.now))
    events.append(transaction.started_event(started))
    if info["status"] != "Accepted":
        events.append(
            context.noted(
                "id_tag_refused",
                started.connector,
                id_tag=request.id_tag,
                status=info["status"],
                transaction_id=started.transaction_id,
            )
        )
    return Answer({"transactionId": started.transaction_id, "idTagInfo": info}, tuple(events))
