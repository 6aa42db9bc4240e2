"""What charge points ask of the CSMS: one file an action, found by this table."""

from collections.abc import Callable, Mapping

from contracts.ocpp_messages import Payload
from csms.actions import (
    authorize,
    boot_notification,
    data_transfer,
    diagnostics_status_notification,
    firmware_status_notification,
    heartbeat,
    meter_values,
    start_transaction,
    status_notification,
    stop_transaction,
)
from csms.actions.context import Answer, Context

ACTIONS: Mapping[str, Callable[[Payload, Context], Answer]] = {
    "Authorize": authorize.answer,
    "BootNotification": boot_notification.answer,
    "DataTransfer": data_transfer.answer,
    "DiagnosticsStatusNotification": diagnostics_status_notification.answer,
    "FirmwareStatusNotification": firmware_status_notification.answer,
    "Heartbeat": heartbeat.answer,
    "MeterValues": meter_values.answer,
    "StartTransaction": start_transaction.answer,
    "StatusNotification": status_notification.answer,
    "StopTransaction": stop_transaction.answer,
}
"""Each takes a payload that its official schema allows; MalformedMessage for what is still nonsense."""

__all__ = ["ACTIONS", "Answer", "Context"]
