"""A simulated charge point: its outlets, its profiles, its word with the CSMS, in simulated time.

The same cores as in chargepoint.station and the same order of doing things; no store, since nothing dies.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from chargepoint import authorization, charging_profile, configuration, messages, smart_charging
from chargepoint.authorization import Cache, Verdict
from chargepoint.connector import may_start
from chargepoint.connector_events import LimitChanged, StartAccepted, TransactionNumbered
from chargepoint.smart_charging import Load, Profiles
from chargepoint.station import FIRMWARE_VERSION
from chargepoint.statuses import Status
from chargepoint.transaction_queue import UNKNOWN_TRANSACTION_ID
from contracts.charging_profile import MalformedProfile, Profile, Purpose
from contracts.events import AnyEvent, SystemEvent
from contracts.ocpp_messages import Payload
from lab.simulated.agenda import Agenda
from lab.simulated.central_system import CentralSystem
from lab.simulated.module_node import ModuleNode
from lab.simulated.ocpp_line import OcppLine
from lab.simulated.outlet import Outlet
from lab.simulated.plan import ChargePointPlan

_ACCEPTED: Payload = {"status": "Accepted"}
_REJECTED: Payload = {"status": "Rejected"}


@dataclass(frozen=True, slots=True)
class _Queued:
    action: str
    local_id: str
    payload: Payload


class Station:
    """One charge point at its CSMS. `nodes` are the modules of its connectors."""

    def __init__(
        self,
        plan: ChargePointPlan,
        agenda: Agenda,
        csms: CentralSystem,
        nodes: Collection[ModuleNode],
        emit: Callable[[AnyEvent], None],
        *,
        plugged: bool,
        shows_wire: bool = True,
    ) -> None:
        self.charge_point_id = plan.charge_point_id
        self.supply = plan.supply
        self.grid_frequency_hz = 50.0
        self.emit = emit
        self.configuration = configuration.restored(
            {},
            {
                "NumberOfConnectors": str(plan.connectors),
                "MeterValueSampleInterval": str(plan.sample_interval_s),
            },
        )
        self.profiles: Profiles = ()
        self.line = OcppLine(agenda, csms, self._commanded, plan.latency_s)
        self.outlets = tuple(
            Outlet(number, self, agenda, node, plugged=plugged, shows_wire=shows_wire)
            for number, node in enumerate(nodes, 1)
        )
        self._agenda = agenda
        self._csms = csms
        self._cache: Cache = {}
        self._queue: deque[_Queued] = deque()
        self._transaction_ids: dict[str, int] = {}
        self._delivering = False
        self._transactions = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing flows, nothing is on its way, and no transaction runs."""
        return (
            self.line.is_quiet
            and not self._queue
            and all(
                outlet.connector.transaction is None
                and outlet.connector.waiting is None
                and outlet.node.at_rest
                for outlet in self.outlets
            )
        )

    def boot(self) -> None:
        """Come to life, as a charge point does that is switched on."""
        self.record("service_started", {})
        self._csms.opened()
        boot = {
            "chargePointVendor": "ChargeBench",
            "chargePointModel": "Bench DC",
            "chargePointSerialNumber": self.charge_point_id[:25],
            "firmwareVersion": FIRMWARE_VERSION,
        }
        self.line.call("BootNotification", boot, lambda _: self._registered())
        self.refresh_limits(commanded=self.outlets)

    def _registered(self) -> None:
        self.record("csms_connected", {"queued": 0, "dropped": 0})
        station = messages.status_notification(0, Status.AVAILABLE, "NoError", self._agenda.now)
        self.post("StatusNotification", station)
        for outlet in self.outlets:
            outlet.notify_status()

    def record(self, name: str, detail: dict[str, Any], connector: int | None = None) -> None:
        """Tell the MemoryBank of a fact."""
        self.emit(
            SystemEvent(
                at=self._agenda.now,
                charge_point_id=self.charge_point_id,
                connector=connector,
                service="chargepoint",
                name=name,
                detail=detail,
            )
        )

    def post(self, action: str, payload: Payload) -> None:
        """Tell the CSMS something of no transaction."""
        self.line.call(action, payload, lambda _: None)

    def queue(self, action: str, local_id: str, payload: Payload) -> None:
        """Tell the CSMS something of a transaction, in order: its id comes with the answer to the start."""
        self._queue.append(_Queued(action, local_id, payload))
        self._deliver()

    def _deliver(self) -> None:
        if self._delivering or not self._queue:
            return
        queued, self._delivering = self._queue[0], True
        payload = queued.payload
        if queued.action != "StartTransaction":
            transaction_id = self._transaction_ids.get(queued.local_id)
            if transaction_id is not None:
                payload = {**payload, "transactionId": transaction_id}
            elif queued.action == "StopTransaction":
                payload = {**payload, "transactionId": UNKNOWN_TRANSACTION_ID}
        self.line.call(queued.action, payload, lambda answer: self._delivered(queued, answer))

    def _delivered(self, queued: _Queued, answer: Payload) -> None:
        self._queue.popleft()
        self._delivering = False
        info = answer.get("idTagInfo") or {}
        if info and "idTag" in queued.payload:
            self._cache = authorization.learned(self._cache, queued.payload["idTag"], info)
        if queued.action == "StartTransaction":
            self._transaction_ids[queued.local_id] = answer["transactionId"]
            self._numbered(queued.local_id, answer["transactionId"], info)
        elif queued.action == "StopTransaction":
            self._transaction_ids.pop(queued.local_id, None)
        self._deliver()

    def _numbered(self, local_id: str, transaction_id: int, info: Payload) -> None:
        for outlet in self.outlets:
            transaction = outlet.connector.transaction
            if transaction and transaction.local_id == local_id:
                outlet.handle(TransactionNumbered(local_id, transaction_id))
                if info.get("status", "Accepted") != "Accepted":
                    outlet.stop("DeAuthorized")

    def refresh_limits(self, commanded: Collection[Outlet] = ()) -> None:
        """Ask smart charging again; tell each outlet whose limit is another, or to which a command went."""
        now = self._agenda.now
        for outlet in self.outlets:
            limit_a = smart_charging.limit_at(self.profiles, self._load(outlet), self.supply, now).limit_a
            is_commanded = outlet in commanded
            if is_commanded or limit_a != outlet.connector.limit_a:
                outlet.handle(LimitChanged(limit_a, is_commanded))

    def tick(self) -> None:
        """Ask smart charging again, which comes every second, where a profile looks at the clock."""
        if any(_looks_at_clock(one.profile) for one in self.profiles):
            self.refresh_limits()

    def _load(self, outlet: Outlet) -> Load:
        others = sum(other.connector.transaction is not None for other in self.outlets if other is not outlet)
        transaction = outlet.connector.transaction
        return Load(
            outlet.number,
            charging_since=transaction.started_at if transaction else self._agenda.now,
            sharing=others + 1,
            in_transaction=transaction is not None,
        )

    def transaction_changed(self, connector: int) -> None:
        """Forget the profiles of a transaction that ended; share the station's limit anew."""
        if self.outlets[connector - 1].connector.transaction is None:
            self.profiles = smart_charging.clear(self.profiles, connector=connector, purpose=Purpose.TX)
        self.refresh_limits()

    def outlet(self, number: int) -> Outlet | None:
        """Return a connector's outlet, or None where there is no such connector."""
        return self.outlets[number - 1] if 1 <= number <= len(self.outlets) else None

    def start(self, outlet: Outlet, id_tag: str, profile: Profile | None = None) -> None:
        """Begin a transaction for an accepted id tag, under `profile` where given."""
        now = self._agenda.now
        profiles = smart_charging.clear(self.profiles, connector=outlet.number, purpose=Purpose.TX)
        if profile is not None:
            profiles = smart_charging.install(profiles, outlet.number, profile) or profiles
        self.profiles = profiles
        load = Load(outlet.number, now, self._load(outlet).sharing)
        outlet.handle(LimitChanged(smart_charging.limit_at(profiles, load, self.supply, now).limit_a))
        self._transactions += 1
        until_s = self._agenda.now_s + self.configuration.whole("ConnectionTimeOut")
        outlet.handle(StartAccepted(f"{self.charge_point_id}/{self._transactions}", id_tag, now, until_s))

    def present(self, outlet: Outlet, id_tag: str) -> None:
        """Take an id tag held to the reader: it stops its own transaction, or starts one."""
        transaction = outlet.connector.transaction
        if transaction is not None and transaction.id_tag.lower() == id_tag.lower():
            outlet.stop("Local", id_tag)
        elif may_start(outlet.connector, id_tag):
            self._authorize_and_start(outlet, id_tag)

    def _authorize_and_start(self, outlet: Outlet, id_tag: str, profile: Profile | None = None) -> None:
        def settled(is_accepted: bool) -> None:
            if is_accepted and may_start(outlet.connector, id_tag):
                self.start(outlet, id_tag, profile)

        def answered(answer: Payload) -> None:
            info = answer["idTagInfo"]
            self._cache = authorization.learned(self._cache, id_tag, info)
            settled(info["status"] == "Accepted")

        now = self._agenda.now
        verdict = authorization.decide(id_tag, self._cache, self.configuration, online=True, at=now)
        if verdict is Verdict.ASK:
            self.line.call("Authorize", {"idTag": id_tag}, answered)
        else:
            settled(verdict is Verdict.ACCEPT)

    def _commanded(self, action: str, payload: Payload) -> Payload:
        """Answer a command of the CSMS; what scenarios do not send is not supported."""
        match action:
            case "SetChargingProfile":
                return self._set_charging_profile(payload)
            case "ClearChargingProfile":
                return self._clear_charging_profile(payload)
            case "RemoteStartTransaction":
                return self._remote_start(payload)
            case "RemoteStopTransaction":
                return self._remote_stop(payload)
            case "GetConfiguration":
                return configuration.described(self.configuration, payload.get("key", []))
        return {"status": "NotSupported"}

    def _set_charging_profile(self, payload: Payload) -> Payload:
        number = payload["connectorId"]
        try:
            profile = charging_profile.from_payload(payload["csChargingProfiles"])
        except MalformedProfile as error:
            self.record("profile_refused", {"reason": str(error)}, number)
            return _REJECTED
        outlet = self.outlet(number)
        if number != 0 and outlet is None:
            return _REJECTED
        if profile.purpose is Purpose.TX:
            transaction = outlet.connector.transaction if outlet else None
            if transaction is None or profile.transaction_id not in (None, transaction.transaction_id):
                return _REJECTED
        profiles = smart_charging.install(self.profiles, number, profile)
        if profiles is None:
            return _REJECTED
        self.profiles = profiles
        self.refresh_limits(commanded=(outlet,) if outlet else self.outlets)
        return _ACCEPTED

    def _clear_charging_profile(self, payload: Payload) -> Payload:
        purpose = payload.get("chargingProfilePurpose")
        kept = smart_charging.clear(
            self.profiles,
            profile_id=payload.get("id"),
            connector=payload.get("connectorId"),
            purpose=Purpose(purpose) if purpose else None,
            stack_level=payload.get("stackLevel"),
        )
        if len(kept) == len(self.profiles):
            return {"status": "Unknown"}
        self.profiles = kept
        self.refresh_limits(commanded=self.outlets)
        return _ACCEPTED

    def _remote_start(self, payload: Payload) -> Payload:
        id_tag = payload["idTag"]
        wanted = self.outlets
        if "connectorId" in payload:
            outlet = self.outlet(payload["connectorId"])
            wanted = (outlet,) if outlet else ()
        free = [outlet for outlet in wanted if may_start(outlet.connector, id_tag)]
        if not free:
            return _REJECTED
        self.start(free[0], id_tag)
        return _ACCEPTED

    def _remote_stop(self, payload: Payload) -> Payload:
        for outlet in self.outlets:
            transaction = outlet.connector.transaction
            if transaction and transaction.transaction_id == payload["transactionId"]:
                outlet.stop("Remote")
                return _ACCEPTED
        return _REJECTED


def _looks_at_clock(profile: Profile) -> bool:
    bounds = (profile.duration_s, profile.start_at, profile.valid_from, profile.valid_to)
    return len(profile.periods) > 1 or any(bound is not None for bound in bounds)
