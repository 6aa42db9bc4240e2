"""BootNotification: a charge point (re)started and says what it is."""

from contracts import ocpp_time
from contracts.ocpp_messages import Payload
from csms.actions.context import Answer, Context


def answer(payload: Payload, context: Context) -> Answer:
    """Remember what it is; accept it and tell the time and the heartbeat interval."""
    vendor, model = payload["chargePointVendor"], payload["chargePointModel"]
    firmware = payload.get("firmwareVersion")
    serial_number = payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber")
    context.state.charge_points.booted(context.charge_point_id, vendor, model, firmware, serial_number)
    booted = context.noted(
        "charge_point_booted", vendor=vendor, model=model, firmware=firmware, serial_number=serial_number
    )
    return Answer(
        {
            "status": "Accepted",
            "currentTime": ocpp_time.text(context.now),
            "interval": context.heartbeat_interval_s,
        },
        (booted,),
    )
