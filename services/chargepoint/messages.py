"""The payloads of what a connector tells the CSMS, but MeterValues (bridge.py). Pure."""

from datetime import datetime

from chargepoint.connector_events import Transaction
from chargepoint.statuses import Status
from contracts import ocpp_time
from contracts.can_frames import Faults
from contracts.ocpp_messages import Payload


def status_notification(
    connector: int, status: Status, error_code: str, at: datetime, faults: Faults = Faults.NONE
) -> Payload:
    """Return StatusNotification; the module's faults go along as `info`."""
    payload = {
        "connectorId": connector,
        "status": status.value,
        "errorCode": error_code,
        "timestamp": ocpp_time.text(at),
    }
    return payload | ({"info": f"faults {faults.name}"[:50]} if faults else {})


def start_transaction(connector: int, transaction: Transaction, register_wh: int) -> Payload:
    """Return StartTransaction."""
    payload: Payload = {
        "connectorId": connector,
        "idTag": transaction.id_tag,
        "meterStart": register_wh,
        "timestamp": ocpp_time.text(transaction.started_at),
    }
    if transaction.reservation_id is not None:
        payload["reservationId"] = transaction.reservation_id
    return payload


def stop_transaction(
    reason: str, register_wh: int, at: datetime, id_tag: str | None, meter_value: Payload | None
) -> Payload:
    """Return StopTransaction; the transaction's id is put in when it is sent."""
    payload: Payload = {"meterStop": register_wh, "timestamp": ocpp_time.text(at), "reason": reason}
    if id_tag is not None:
        payload["idTag"] = id_tag
    if meter_value is not None:
        payload["transactionData"] = [meter_value]
    return payload
