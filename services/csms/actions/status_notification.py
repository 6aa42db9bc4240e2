"""StatusNotification: a connector's status changed (connector 0: the whole station's)."""

from contracts.events import StatusChanged
from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context
from csms.fields import connector_of, instant_of
from csms.state.charge_points import ConnectorStatus


def answer(payload: Payload, context: Context) -> Answer:
    """Remember the status."""
    status = ConnectorStatus(
        connector=connector_of(payload), status=payload["status"], error_code=payload["errorCode"]
    )
    at = instant_of(payload, context.now)
    context.state.charge_points.status_changed(context.charge_point_id, status)
    changed = StatusChanged(
        at=at,
        charge_point_id=context.charge_point_id,
        connector=status.connector,
        status=status.status,
        error_code=status.error_code,
    )
    return Answer({}, (changed,))
