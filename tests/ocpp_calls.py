"""A valid payload of every action that a charge point may send; what a CSMS sends that it charges."""

from typing import Any

AT = "2026-06-01T12:00:00Z"
SAMPLE = {"value": "1", "measurand": "Voltage", "unit": "V", "phase": "L1", "location": "Outlet"}
METER_VALUES = [{"timestamp": AT, "sampledValue": [SAMPLE]}]
VALID: dict[str, dict[str, Any]] = {
    "Authorize": {"idTag": "BENCH"},
    "BootNotification": {"chargePointVendor": "v", "chargePointModel": "m", "firmwareVersion": "1"},
    "DataTransfer": {"vendorId": "v", "data": "d"},
    "DiagnosticsStatusNotification": {"status": "Idle"},
    "FirmwareStatusNotification": {"status": "Idle"},
    "Heartbeat": {},
    "MeterValues": {"connectorId": 1, "transactionId": 1, "meterValue": METER_VALUES},
    "StartTransaction": {"connectorId": 1, "idTag": "BENCH", "meterStart": 0, "timestamp": AT},
    "StatusNotification": {
        "connectorId": 1,
        "status": "Available",
        "errorCode": "NoError",
        "timestamp": AT,
    },
    "StopTransaction": {
        "transactionId": 1,
        "meterStop": 9,
        "timestamp": AT,
        "idTag": "BENCH",
        "transactionData": METER_VALUES,
    },
}


def orders_to_charge(limit_a: float) -> tuple[dict[str, Any], ...]:
    """Return the commands, for the CSMS's API, by which connector 1 charges with a limit."""
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
        },
    }
    return (
        {"action": "SetChargingProfile", "payload": {"connectorId": 1, "csChargingProfiles": profile}},
        {"action": "RemoteStartTransaction", "payload": {"idTag": "BENCH", "connectorId": 1}},
    )
