"""A simulated charge point: its outlets, its profiles, its word with the CSMS, in simulated time.

The same cores as in chargepoint.station and the same order of doing things; no store, since nothing dies.
"""

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from chargepoint import authorization, configuration, messages, smart_charging
from chargepoint.authorization import Cache, Verdict
from chargepoint.connector import may_start
from chargepoint.connector_events import LimitChanged, StartAccepted, TransactionNumbered
from chargepoint.smart_charging import Load, Profiles
from chargepoint.station import FIRMWARE_VERSION, SOFT_RESET_S
from chargepoint.statuses import Status
from chargepoint.transaction_queue import UNKNOWN_TRANSACTION_ID
from contracts.charging_profile import Profile, Purpose
from contracts.events import AnyEvent, SystemEvent
from contracts.ocpp_messages import Payload
from lab.simulated import commands
from lab.simulated.agenda import Agenda, Process, Until
from lab.simulated.central_system import CentralSystem
from lab.simulated.module_node import ModuleNode
from lab.simulated.ocpp_line import OcppLine
from lab.simulated.outlet import Outlet
from lab.simulated.plan import ChargePointPlan

BOOT_S = 0.3
"""How long a charge point is away when it boots again."""


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
        self.line = OcppLine(
            agenda, csms, lambda action, payload: commands.answer(self, action, payload), plan.latency_s
        )
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
        self._attempts = 0
        self._transactions = 0
        self._is_accepted = False
        self._latency_s = plan.latency_s
        self.boot_notification: Payload = {
            "chargePointVendor": "ChargeBench",
            "chargePointModel": "Bench DC",
            "chargePointSerialNumber": self.charge_point_id[:25],
            "firmwareVersion": FIRMWARE_VERSION,
        }

    @property
    def is_idle(self) -> bool:
        """Whether nothing flows, nothing is on its way, and no transaction runs."""
        for outlet in self.outlets:
            known = outlet.connector
            if known.transaction is not None or known.waiting is not None or not outlet.node.at_rest:
                return False
        return self.line.is_quiet and not self._queue

    def boot(self) -> None:
        """Come to life, as a charge point does that is switched on or was reset."""
        self.record("service_started", {})
        self._is_accepted = False
        self.connect()
        self.refresh_limits(commanded=self.outlets)

    def connect(self) -> None:
        """Reach the CSMS; after a boot it has to accept us."""
        self.line.connect()
        if self._is_accepted:
            self._agenda.after(self._latency_s, self._registered)
        else:
            self.line.call("BootNotification", self.boot_notification, self._booted)

    def disconnect(self, *, replaced: bool = False) -> None:
        """Lose the CSMS; `replaced`: to another who has our name."""
        if not self.line.is_up:
            return
        if replaced:
            self.line.replace()
        else:
            self.line.cut()
        self.record("csms_lost", {})

    def reset(self, kind: str) -> None:
        """Boot again after the answer, `Soft` or `Hard`; a soft one says goodbye first."""
        self._agenda.start(self._resetting(kind))

    def _resetting(self, kind: str) -> Process:
        yield 2 * self._latency_s
        self.record("reset_performed", {"type": kind})
        if kind == "Soft":
            self._stop_all("SoftReset")
            yield Until(lambda: not self._queue, SOFT_RESET_S)
        self.disconnect()
        self._stop_all(f"{kind}Reset")
        self.profiles = tuple(one for one in self.profiles if one.profile.purpose is not Purpose.TX)
        for outlet in self.outlets:
            outlet.boot()
        yield BOOT_S
        self.boot()

    def _stop_all(self, reason: str) -> None:
        for outlet in self.outlets:
            outlet.stop(reason)

    def _booted(self, answer: Payload | None) -> None:
        if answer is not None:
            self._is_accepted = True
            self._registered()

    def _registered(self) -> None:
        if not self.line.is_up:
            return
        self.record("csms_connected", {"queued": len(self._queue), "dropped": 0})
        station = messages.status_notification(0, Status.AVAILABLE, "NoError", self._agenda.now)
        self.post("StatusNotification", station)
        for outlet in self.outlets:
            outlet.notify_status()
        self._deliver()

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
        if self._delivering or not self._queue or not (self.line.is_up and self._is_accepted):
            return
        queued, self._delivering = self._queue[0], True
        payload = queued.payload
        if queued.action != "StartTransaction":
            transaction_id = self._transaction_ids.get(queued.local_id)
            if transaction_id is not None:
                payload = {**payload, "transactionId": transaction_id}
            elif queued.action == "StopTransaction" and "transactionId" not in payload:
                payload = {**payload, "transactionId": UNKNOWN_TRANSACTION_ID}
        self.line.call(queued.action, payload, lambda answer: self._delivered(queued, answer))

    def _delivered(self, queued: _Queued, answer: Payload | None) -> None:
        self._delivering = False
        if answer is None:
            if self.line.is_up:  # no answer in time; else it is sent again when the CSMS is back
                self._refused(queued)
            return
        self._queue.popleft()
        info = answer.get("idTagInfo") or {}
        if info and "idTag" in queued.payload:
            self._cache = authorization.learned(self._cache, queued.payload["idTag"], info)
        if queued.action == "StartTransaction":
            self._transaction_ids[queued.local_id] = answer["transactionId"]
            self._numbered(queued.local_id, answer["transactionId"], info)
        elif queued.action == "StopTransaction":
            self._transaction_ids.pop(queued.local_id, None)
        self._deliver()

    def _refused(self, queued: _Queued) -> None:
        """Try again as OCPP 1.6, 3.7.2 says, but not MeterValues; then let it go."""
        self._attempts += 1
        allowed = (
            1 if queued.action == "MeterValues" else self.configuration.whole("TransactionMessageAttempts")
        )
        wait_s = self._attempts * self.configuration.whole("TransactionMessageRetryInterval")
        if self._attempts >= allowed:
            self._queue.popleft()
            self.record(
                "message_given_up", {"action": queued.action, "reason": f"{queued.action}: no answer"}
            )
            self._attempts, wait_s = 0, 0
        self._agenda.after(wait_s, self._deliver)

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
        if self.profiles and any(_looks_at_clock(one.profile) for one in self.profiles):
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

        def answered(answer: Payload | None) -> None:
            if answer is None:
                settled(self._verdict(id_tag, online=False) is Verdict.ACCEPT)
                return
            info = answer["idTagInfo"]
            self._cache = authorization.learned(self._cache, id_tag, info)
            settled(info["status"] == "Accepted")

        verdict = self._verdict(id_tag, online=self.line.is_up)
        if verdict is Verdict.ASK:
            self.line.call("Authorize", {"idTag": id_tag}, answered)
        else:
            settled(verdict is Verdict.ACCEPT)

    def _verdict(self, id_tag: str, *, online: bool) -> Verdict:
        return authorization.decide(
            id_tag, self._cache, self.configuration, online=online, at=self._agenda.now
        )


def _looks_at_clock(profile: Profile) -> bool:
    bounds = (profile.duration_s, profile.start_at, profile.valid_from, profile.valid_to)
    return len(profile.periods) > 1 or any(bound is not None for bound in bounds)
