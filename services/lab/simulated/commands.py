"""What scenarios ask of a simulated charge point, answered as in chargepoint.commands."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from chargepoint import charging_profile, configuration, smart_charging
from chargepoint.connector import may_start
from contracts.charging_profile import MalformedProfile, Purpose
from contracts.ocpp_messages import Payload

if TYPE_CHECKING:
    from lab.simulated.station import Station

CommandOf: TypeAlias = "Callable[[Station, Payload], Payload]"

_ACCEPTED: Payload = {"status": "Accepted"}
_REJECTED: Payload = {"status": "Rejected"}


def answer(station: "Station", action: str, payload: Payload) -> Payload:
    """Return the answer to a command."""
    command = _COMMANDS.get(action)
    return {"status": "NotSupported"} if command is None else command(station, payload)


def _set_charging_profile(station: "Station", payload: Payload) -> Payload:
    number = payload["connectorId"]
    try:
        profile = charging_profile.from_payload(payload["csChargingProfiles"])
    except MalformedProfile as error:
        station.record("profile_refused", {"reason": str(error)}, number)
        return _REJECTED
    outlet = station.outlet(number)
    if number != 0 and outlet is None:
        return _REJECTED
    if profile.purpose is Purpose.TX:
        transaction = outlet.connector.transaction if outlet else None
        if transaction is None or profile.transaction_id not in (None, transaction.transaction_id):
            return _REJECTED
    profiles = smart_charging.install(station.profiles, number, profile)
    if profiles is None:
        return _REJECTED
    station.profiles = profiles
    station.refresh_limits(commanded=(outlet,) if outlet else station.outlets)
    return _ACCEPTED


def _clear_charging_profile(station: "Station", payload: Payload) -> Payload:
    purpose = payload.get("chargingProfilePurpose")
    kept = smart_charging.clear(
        station.profiles,
        profile_id=payload.get("id"),
        connector=payload.get("connectorId"),
        purpose=Purpose(purpose) if purpose else None,
        stack_level=payload.get("stackLevel"),
    )
    if len(kept) == len(station.profiles):
        return {"status": "Unknown"}
    station.profiles = kept
    station.refresh_limits(commanded=station.outlets)
    return _ACCEPTED


def _remote_start(station: "Station", payload: Payload) -> Payload:
    id_tag = payload["idTag"]
    wanted = station.outlets
    if "connectorId" in payload:
        outlet = station.outlet(payload["connectorId"])
        wanted = (outlet,) if outlet else ()
    free = [outlet for outlet in wanted if may_start(outlet.connector, id_tag)]
    if not free:
        return _REJECTED
    station.start(free[0], id_tag)
    return _ACCEPTED


def _remote_stop(station: "Station", payload: Payload) -> Payload:
    for outlet in station.outlets:
        transaction = outlet.connector.transaction
        if transaction and transaction.transaction_id == payload["transactionId"]:
            outlet.stop("Remote")
            return _ACCEPTED
    return _REJECTED


def _reset(station: "Station", payload: Payload) -> Payload:
    station.reset(payload["type"])
    return _ACCEPTED


def _get_configuration(station: "Station", payload: Payload) -> Payload:
    return configuration.described(station.configuration, payload.get("key", []))


_COMMANDS: dict[str, CommandOf] = {
    "ClearChargingProfile": _clear_charging_profile,
    "GetConfiguration": _get_configuration,
    "RemoteStartTransaction": _remote_start,
    "RemoteStopTransaction": _remote_stop,
    "Reset": _reset,
    "SetChargingProfile": _set_charging_profile,
}
