"""The smart charging commands of the CSMS: payload in (checked against its schema), answer out."""

from datetime import UTC, datetime

from msgspec.structs import replace

from chargepoint import charging_profile, smart_charging
from chargepoint.smart_charging import MAX_COMPOSITE_S, CompositePeriod, Load
from chargepoint.station import Station
from contracts import ocpp_time
from contracts.charging_profile import MalformedProfile, Profile, Purpose, Unit
from contracts.ocpp_messages import Payload

_ACCEPTED: Payload = {"status": "Accepted"}
_REJECTED: Payload = {"status": "Rejected"}


def set_charging_profile(station: Station, payload: Payload) -> Payload:
    """Install a profile and put the limit that follows from it on the bus at once."""
    number = payload["connectorId"]
    try:
        profile = charging_profile.from_payload(payload["csChargingProfiles"])
    except MalformedProfile as error:
        station.record("profile_refused", {"reason": str(error)}, max(0, min(255, number)))
        return _REJECTED
    outlet = station.outlet(number)
    if (number != 0 and outlet is None) or not _has_its_transaction(station, number, profile):
        return _REJECTED
    profiles = smart_charging.install(station.profiles, number, profile)
    if profiles is None:
        return _REJECTED
    station.set_profiles(profiles, commanded=(outlet,) if outlet else station.outlets)
    return _ACCEPTED


def _has_its_transaction(station: Station, number: int, profile: Profile) -> bool:
    if profile.purpose is not Purpose.TX:
        return True
    outlet = station.outlet(number)
    transaction = outlet.connector.transaction if outlet else None
    return transaction is not None and profile.transaction_id in (None, transaction.transaction_id)


def clear_charging_profile(station: Station, payload: Payload) -> Payload:
    """Take out the profiles that fit; Unknown where none does."""
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
    station.set_profiles(kept, commanded=station.outlets)
    return _ACCEPTED


def get_composite_schedule(station: Station, payload: Payload) -> Payload:
    """Tell what the profiles allow from now on; connector 0 is the whole station at its grid connection."""
    number, duration_s = payload["connectorId"], payload["duration"]
    outlet = station.outlet(number)
    if duration_s < 0 or (number != 0 and outlet is None):
        return _REJECTED
    duration_s = min(duration_s, MAX_COMPOSITE_S)
    unit = Unit(payload.get("chargingRateUnit", "A"))
    start = datetime.now(UTC)
    supply, profiles = station.supply, station.profiles
    if outlet is not None:
        load = station.load(outlet, start)
    else:
        load = Load(0, start, in_transaction=False)
        supply = replace(supply, rated_a=supply.rated_a * len(station.outlets))
        profiles = tuple(one for one in profiles if one.profile.purpose is Purpose.CHARGE_POINT_MAX)
    periods = smart_charging.composite(profiles, load, supply, start, duration_s, unit)
    return {
        "status": "Accepted",
        "connectorId": number,
        "scheduleStart": ocpp_time.text(start),
        "chargingSchedule": {
            "duration": duration_s,
            "startSchedule": ocpp_time.text(start),
            "chargingRateUnit": unit.value,
            "chargingSchedulePeriod": [_period(period, supply.phases) for period in periods],
        },
    }


def _period(period: CompositePeriod, phases: int) -> Payload:
    described: Payload = {"startPeriod": period.start_s, "limit": period.limit}
    return described | ({"numberPhases": period.phases} if phases > 1 else {})
