"""What the CSMS may ask for, one function an action: payload in (checked against its schema), answer out."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

import msgspec

from chargepoint import charging_profile, configuration
from chargepoint.connector import may_start
from chargepoint.connector_events import (
    AvailabilityChanged,
    CableUnplugged,
    Reservation,
    ReservationEnded,
    ReservationMade,
)
from chargepoint.outlet import Outlet
from chargepoint.smart_charging_commands import (
    clear_charging_profile,
    get_composite_schedule,
    set_charging_profile,
)
from chargepoint.station import Station
from chargepoint.statuses import Status
from chassis.ocpp_peer import Handler
from contracts import ocpp_time
from contracts.charging_profile import MalformedProfile, Purpose
from contracts.ocpp_messages import MalformedMessage, Payload

VENDOR_ID = "ChargeBench"
"""DataTransfer to this vendor plays the driver: PlugIn, Unplug, PresentIdTag; data is JSON."""

Command: TypeAlias = Callable[[Station, Payload], Payload]

ACCEPTED: Payload = {"status": "Accepted"}
REJECTED: Payload = {"status": "Rejected"}


def remote_start(station: Station, payload: Payload) -> Payload:
    """Start where a connector is free for the id tag; a profile that comes along must be a TxProfile."""
    id_tag = payload["idTag"]
    wanted = station.outlets
    if "connectorId" in payload:
        outlet = station.outlet(payload["connectorId"])
        wanted = (outlet,) if outlet else ()
    free = [outlet for outlet in wanted if may_start(outlet.connector, id_tag)]
    if not free or not station.client.is_online:  # not before the CSMS accepted our boot: OCPP 1.6, 4.2
        return REJECTED
    profile = None
    if "chargingProfile" in payload:
        try:
            profile = charging_profile.from_payload(payload["chargingProfile"])
        except MalformedProfile as error:
            station.record("profile_refused", {"reason": str(error)}, free[0].number)
            return REJECTED
        if profile.purpose is not Purpose.TX:
            return REJECTED
    if station.configuration.flag("AuthorizeRemoteTxRequests"):
        station.spawn(station.authorize_and_start(free[0], id_tag, profile))
    else:
        station.start(free[0], id_tag, profile)
    return ACCEPTED


def remote_stop(station: Station, payload: Payload) -> Payload:
    """Stop the transaction of that id."""
    for outlet in station.outlets:
        transaction = outlet.connector.transaction
        if transaction and transaction.transaction_id == payload["transactionId"]:
            outlet.stop("Remote")
            return ACCEPTED
    return REJECTED


def reset(station: Station, payload: Payload) -> Payload:
    """Boot again after the answer."""
    station.reset(payload["type"])
    return ACCEPTED


def change_availability(station: Station, payload: Payload) -> Payload:
    """Take connectors out of service or put them back; those that charge follow when they have finished."""
    number, operative = payload["connectorId"], payload["type"] == "Operative"
    outlet = station.outlet(number)
    if number == 0:
        targets = station.outlets
        station.is_operative = operative
        station.store.save("operative", operative)
        station.notify_station_status()
    elif outlet is not None:
        targets = (outlet,)
    else:
        return REJECTED
    for target in targets:
        target.handle(AvailabilityChanged(operative))
    is_busy = not operative and any(target.connector.transaction for target in targets)
    return {"status": "Scheduled"} if is_busy else ACCEPTED


def unlock_connector(station: Station, payload: Payload) -> Payload:
    """End the connector's transaction and open the lock; the cable stays where the driver left it."""
    outlet = station.outlet(payload["connectorId"])
    if outlet is None:
        return {"status": "NotSupported"}
    outlet.stop("UnlockCommand")
    return {"status": "Unlocked"}


def get_configuration(station: Station, payload: Payload) -> Payload:
    """Tell the keys asked for, or all."""
    return configuration.described(station.configuration, payload.get("key", []))


def change_configuration(station: Station, payload: Payload) -> Payload:
    """Change a key; what a CSMS changed survives a reboot."""
    name = configuration.key_name(payload["key"])
    station.configuration, answer = configuration.change(station.configuration, name, payload["value"])
    if answer in (configuration.Change.ACCEPTED, configuration.Change.REBOOT_REQUIRED):
        saved = station.store.load("configuration", dict[str, str], {})
        station.store.save("configuration", {**saved, name: station.configuration.text(name)})
        if name == "HeartbeatInterval":
            station.client.heartbeat_changed()
    return {"status": answer.value}


def clear_cache(station: Station, _: Payload) -> Payload:
    """Forget what the CSMS said of id tags."""
    if not station.configuration.flag("AuthorizationCacheEnabled"):
        return REJECTED
    station.id_tags.forget()
    return ACCEPTED


def trigger_message(station: Station, payload: Payload) -> Payload:
    """Send a message that the CSMS wants now, after the answer."""
    outlets = station.outlets
    if "connectorId" in payload:
        outlet = station.outlet(payload["connectorId"])
        if outlet is None:
            return REJECTED
        outlets = (outlet,)
    match payload["requestedMessage"]:
        case "BootNotification":
            station.client.boot_again()
        case "Heartbeat":
            station.client.post("Heartbeat", {}, triggered=True)
        case "StatusNotification":
            if "connectorId" not in payload:
                station.notify_station_status(triggered=True)
            for outlet in outlets:
                outlet.notify_status(triggered=True)
        case "MeterValues":
            sent = [outlet.send_meter_values("MeterValuesSampledData", "Trigger") for outlet in outlets]
            return ACCEPTED if any(sent) else REJECTED
        case _:
            return {"status": "NotImplemented"}
    return ACCEPTED


def reserve_now(station: Station, payload: Payload) -> Payload:
    """Keep a free connector for an id tag."""
    outlet = station.outlet(payload["connectorId"])
    lasts_s = (_instant(payload, "expiryDate") - datetime.now(UTC)).total_seconds()
    if outlet is None or lasts_s <= 0:
        return REJECTED
    until_s = asyncio.get_running_loop().time() + lasts_s
    reservation = Reservation(payload["reservationId"], payload["idTag"], until_s)
    held = outlet.connector.reservation
    is_same = held is not None and held.reservation_id == reservation.reservation_id
    match outlet.connector.status:
        case Status.FAULTED | Status.UNAVAILABLE as status:
            return {"status": status.value}
        case Status.RESERVED if not is_same:
            return {"status": "Occupied"}
        case Status.AVAILABLE | Status.RESERVED:
            outlet.handle(ReservationMade(reservation))
            return ACCEPTED
    return {"status": "Occupied"}


def cancel_reservation(station: Station, payload: Payload) -> Payload:
    """Set a reserved connector free."""
    for outlet in station.outlets:
        reservation = outlet.connector.reservation
        if reservation and reservation.reservation_id == payload["reservationId"]:
            outlet.handle(ReservationEnded())
            return ACCEPTED
    return REJECTED


class _DriversHand(msgspec.Struct, forbid_unknown_fields=True):
    connector: int = 1
    id_tag: str = ""


def data_transfer(station: Station, payload: Payload) -> Payload:
    """Play the driver for the bench; nobody else's data is known here."""
    if payload["vendorId"] != VENDOR_ID:
        return {"status": "UnknownVendorId"}
    try:
        wish = msgspec.json.decode(payload.get("data") or "{}", type=_DriversHand)
    except msgspec.MsgspecError as error:
        return {"status": "Rejected", "data": str(error)}
    outlet = station.outlet(wish.connector)
    if outlet is None:
        return REJECTED
    return _driver_does(station, outlet, payload.get("messageId", ""), wish.id_tag)


def _driver_does(station: Station, outlet: Outlet, what: str, id_tag: str) -> Payload:
    match what:
        case "PlugIn":
            outlet.plug()
        case "Unplug":
            outlet.handle(CableUnplugged())
        case "PresentIdTag" if 1 <= len(id_tag) <= 20:
            station.spawn(station.present(outlet, id_tag))
        case "PresentIdTag":
            return REJECTED
        case _:
            return {"status": "UnknownMessageId"}
    return ACCEPTED


def _instant(payload: Payload, name: str) -> datetime:
    try:
        return ocpp_time.parse_bound(payload[name])
    except ValueError as error:
        raise MalformedMessage("PropertyConstraintViolation", f"{name}: {error}") from error


COMMANDS: dict[str, Command] = {
    "CancelReservation": cancel_reservation,
    "ChangeAvailability": change_availability,
    "ChangeConfiguration": change_configuration,
    "ClearCache": clear_cache,
    "ClearChargingProfile": clear_charging_profile,
    "DataTransfer": data_transfer,
    "GetCompositeSchedule": get_composite_schedule,
    "GetConfiguration": get_configuration,
    "RemoteStartTransaction": remote_start,
    "RemoteStopTransaction": remote_stop,
    "ReserveNow": reserve_now,
    "Reset": reset,
    "SetChargingProfile": set_charging_profile,
    "TriggerMessage": trigger_message,
    "UnlockConnector": unlock_connector,
}
"""Every action that is supported; any other is answered with NotSupported."""


class _Bound(Mapping[str, Handler]):
    """The commands of one station, bound when they are asked for: a table for each would be 2.5 kB."""

    def __init__(self, station: Station) -> None:
        self._station = station

    def __getitem__(self, action: str) -> Handler:
        return partial(COMMANDS[action], self._station)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def handlers(station: Station) -> Mapping[str, Handler]:
    """Return the commands bound to a station."""
    return _Bound(station)
