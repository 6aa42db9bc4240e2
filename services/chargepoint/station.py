"""The charge point: its outlets, its profiles, its configuration, and its word with the CSMS.

A Reset ends `run`; the caller makes a new Station from the same store, which is a boot: nothing but what the
store remembers is left.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any

from chargepoint import configuration, messages, smart_charging
from chargepoint.connector import may_start
from chargepoint.connector_events import LimitChanged, StartAccepted, TransactionNumbered
from chargepoint.house import House, opened_house
from chargepoint.id_tags import IdTags
from chargepoint.interference import Interference
from chargepoint.lease import Holder
from chargepoint.ocpp_client import Address, OcppClient
from chargepoint.outlet import Outlet
from chargepoint.settings import Place, Settings
from chargepoint.smart_charging import Installed, Load, Profiles
from chargepoint.statuses import Status
from chargepoint.store import Store
from chargepoint.transaction_queue import Queued, TransactionQueue
from chassis.can_link import CanLink, open_bus
from chassis.ocpp_peer import Handler
from contracts.charging_profile import Profile, Purpose
from contracts.events import AnyEvent, SystemEvent
from contracts.ocpp_messages import Payload

log = logging.getLogger("chargepoint")

FIRMWARE_VERSION = "0.1.0"
SOFT_RESET_S = 5.0
"""How long a soft reset waits for the queued messages to be delivered."""


class Station:
    """One charge point from a boot to the next. Its parts are public to the commands of the CSMS."""

    def __init__(
        self,
        settings: Settings,
        place: Place,
        store: Store,
        publish: Callable[[AnyEvent], None],
        interference: Interference | None = None,
        house: House | None = None,
    ) -> None:
        """`house`: what it shares with others of its process; without one it has its own."""
        self.interference = interference or Interference()
        self.charge_point_id = place.charge_point_id
        self.supply = settings.supply
        self.grid_frequency_hz = settings.grid_frequency_hz
        self.store = store
        self.queue = TransactionQueue(store, settings.queued_each)
        self.publish = publish
        own = {
            "NumberOfConnectors": str(settings.connectors),
            "MeterValueSampleInterval": str(settings.sample_interval_s),
        }
        self.configuration = configuration.restored(store.load("configuration", dict[str, str], {}), own)
        self.profiles: Profiles = store.load("profiles", tuple[Installed, ...], ())
        self.is_operative: bool = store.load("operative", bool, default=True)
        self.boot_notification: Payload = {
            "chargePointVendor": settings.vendor,
            "chargePointModel": settings.model,
            "chargePointSerialNumber": place.charge_point_id[:25],
            "firmwareVersion": FIRMWARE_VERSION,
        }
        self.client = OcppClient(
            Address(settings.csms_of(place.charge_point_id), place.charge_point_id, settings.password),
            self.queue,
            self,
            call_timeout_s=settings.call_timeout_s,
            reconnect_longest_s=settings.reconnect_longest_s,
            line=self.interference.line,
        )
        self.id_tags = IdTags(store, self.client, lambda: self.configuration)
        self.outlets: tuple[Outlet, ...] = ()
        self._settings = settings
        self._place = place
        self._house = house
        self._loop = asyncio.get_running_loop()
        self._reset: asyncio.Future[str] = self._loop.create_future()
        self._tasks: set[asyncio.Task[None]] = set()
        self._reported_drops = 0

    async def run(self, handlers: Mapping[str, Handler]) -> None:
        """Be a charge point until a Reset; `handlers` answer the CSMS's commands.

        Raises can.CanInitializationError or OSError where a bus or the backplane cannot be opened.
        """
        async with AsyncExitStack() as stack:
            house = self._house
            if house is None:
                house = await stack.enter_async_context(opened_house(self._settings, self._place.interface))
            links = [await stack.enter_async_context(CanLink(self._bus(bus))) for bus in self._place.buses]
            self.outlets = tuple(
                Outlet(number, self, link, plugged=self._settings.cable_plugged)
                for number, link in enumerate(links, 1)
            )
            self.record("service_started", {"buses": list(self._place.buses)})
            work: list[Coroutine[Any, Any, None]] = [outlet.run() for outlet in self.outlets]
            work.append(self.client.run(handlers, house.door))
            reason = "Reboot"
            try:
                async with asyncio.TaskGroup() as self._group:
                    for outlet in self.outlets:
                        outlet.begin()
                    self.refresh_limits(commanded=self.outlets)
                    if house.leases is not None:
                        stack.enter_context(house.leases.held(self._holders(), self.record))
                    stack.enter_context(house.seconds.joined(self._each_second))
                    for each in work:
                        self.spawn(each)
                    reason = await self._reset_asked()
                    for task in self._tasks:
                        task.cancel()
            finally:
                self._stop_all(reason)

    def _bus(self, bus: int | str) -> Any:
        if isinstance(bus, str):
            return open_bus(0, socketcan=bus)
        return open_bus(bus, self._place.interface)

    def _holders(self) -> list[Holder]:
        return [
            Holder(self.charge_point_id, number, bus)
            for number, bus in enumerate(self._place.buses, 1)
            if isinstance(bus, int)
        ]

    def reset(self, kind: str) -> None:
        """Boot again, `Soft` or `Hard`."""
        if not self._reset.done():
            self._reset.set_result(kind)

    async def _reset_asked(self) -> str:
        """Wait for a reset and return the reason of the stops that it brings.

        A soft one says goodbye first. A hard one is cut off, and its stops are delivered after the boot.
        """
        kind = await self._reset
        log.info("the CSMS asked for a %s reset", kind.lower())
        self.record("reset_performed", {"type": kind})
        if kind == "Soft":
            self._stop_all("SoftReset")
            with suppress(TimeoutError):
                async with asyncio.timeout(SOFT_RESET_S):
                    await self.queue.emptied()
        return f"{kind}Reset"

    def _stop_all(self, reason: str) -> None:
        for outlet in self.outlets:
            outlet.stop(reason)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside everything else until it ends or the next Reset."""
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def record(self, name: str, detail: dict[str, Any], connector: int | None = None) -> None:
        """Tell the MemoryBank of a fact."""
        self.publish(
            SystemEvent(
                at=datetime.now(UTC),
                charge_point_id=self.charge_point_id,
                connector=connector,
                service="chargepoint",
                name=name,
                detail=detail,
            )
        )

    def post(self, action: str, payload: Payload, *, triggered: bool = False) -> None:
        """Tell the CSMS something that needs no queue; `triggered`: it asked for it."""
        self.client.post(action, payload, triggered=triggered)

    def _each_second(self) -> None:
        for outlet in self.outlets:
            outlet.tick()
        self.refresh_limits()
        for outlet in self.outlets:
            outlet.report_losses()
        dropped = self.queue.dropped - self._reported_drops
        if dropped:
            self._reported_drops += dropped
            self.record("meter_values_dropped", {"count": dropped})

    def refresh_limits(self, commanded: Collection[Outlet] = ()) -> None:
        """Ask smart charging again; tell each outlet whose limit is another, or to which a command went."""
        now = datetime.now(UTC)
        for outlet in self.outlets:
            limit_a = self.supply.rated_a  # which is what no profiles allow, asked for every second
            if self.profiles:
                load = self.load(outlet, now)
                limit_a = smart_charging.limit_at(self.profiles, load, self.supply, now).limit_a
            is_commanded = outlet in commanded
            if is_commanded or limit_a != outlet.connector.limit_a:
                outlet.handle(LimitChanged(limit_a, is_commanded))

    def load(self, outlet: Outlet, now: datetime) -> Load:
        """Return for whom a limit is asked."""
        others = sum(other.connector.transaction is not None for other in self.outlets if other is not outlet)
        transaction = outlet.connector.transaction
        return Load(
            outlet.number,
            charging_since=transaction.started_at if transaction else now,
            sharing=others + 1,
            in_transaction=transaction is not None,
        )

    def set_profiles(self, profiles: Profiles, commanded: Collection[Outlet] = ()) -> None:
        """Take another set of profiles; all but those of a transaction survive a reboot."""
        self.profiles = profiles
        lasting = [one for one in profiles if one.profile.purpose is not Purpose.TX]
        self.store.save("profiles", lasting)
        self.refresh_limits(commanded)

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
        now = datetime.now(UTC)
        profiles = smart_charging.clear(self.profiles, connector=outlet.number, purpose=Purpose.TX)
        if profile is not None:
            profiles = smart_charging.install(profiles, outlet.number, profile) or profiles
        self.profiles = profiles
        load = Load(outlet.number, now, self.load(outlet, now).sharing)
        # The limit goes out before the start, so that not even a moment is above it.
        outlet.handle(LimitChanged(smart_charging.limit_at(profiles, load, self.supply, now).limit_a))
        until_s = self._loop.time() + self.configuration.whole("ConnectionTimeOut")
        outlet.handle(StartAccepted(str(uuid.uuid4()), id_tag, now, until_s))

    async def authorize_and_start(self, outlet: Outlet, id_tag: str, profile: Profile | None = None) -> None:
        """Begin a transaction once the id tag is found to be accepted."""
        if await self.id_tags.authorize(id_tag) and may_start(outlet.connector, id_tag):
            self.start(outlet, id_tag, profile)

    async def present(self, outlet: Outlet, id_tag: str) -> None:
        """Take an id tag held to the reader: it stops its own transaction, or starts one."""
        transaction = outlet.connector.transaction
        if transaction is not None and transaction.id_tag.lower() == id_tag.lower():
            outlet.stop("Local", id_tag)
        elif may_start(outlet.connector, id_tag):
            await self.authorize_and_start(outlet, id_tag)

    def registered(self, heartbeat_s: int) -> None:
        """Tell the CSMS every status, since it may have missed some."""
        if heartbeat_s > 0:
            self.configuration = self.configuration.with_value("HeartbeatInterval", str(heartbeat_s))
        log.info("the CSMS has accepted us")
        self.record("csms_connected", {"queued": len(self.queue), "dropped": self.client.dropped_posts})
        self.notify_station_status()
        for outlet in self.outlets:
            outlet.notify_status()

    def notify_station_status(self, *, triggered: bool = False) -> None:
        """Tell the CSMS the status of connector 0."""
        status = Status.AVAILABLE if self.is_operative else Status.UNAVAILABLE
        payload = messages.status_notification(0, status, "NoError", datetime.now(UTC))
        self.post("StatusNotification", payload, triggered=triggered)

    def disconnected(self) -> None:
        """Note that charging goes on alone."""
        self.record("csms_lost", {})

    def delivered(self, queued: Queued, answer: Payload) -> None:
        """Take the CSMS's word on a transaction: its id, and whether its id tag may go on."""
        with self.store.atomically(soon=queued.action == "MeterValues"):
            self.queue.delivered(queued, answer.get("transactionId"))
            info = answer.get("idTagInfo")
            if info and "idTag" in queued.payload:
                self.id_tags.learn(queued.payload["idTag"], info)
            if queued.action == "StartTransaction":
                self._started(queued.local_id, answer["transactionId"], info or {})

    def _started(self, local_id: str, transaction_id: int, info: Payload) -> None:
        for outlet in self.outlets:
            transaction = outlet.connector.transaction
            if transaction and transaction.local_id == local_id:
                outlet.handle(TransactionNumbered(local_id, transaction_id))
                if info.get("status", "Accepted") != "Accepted":
                    outlet.stop("DeAuthorized")

    def given_up(self, queued: Queued, reason: str) -> None:
        """Let a message go that the CSMS refused too often."""
        log.error("gave up a %s: %s", queued.action, reason)
        self.queue.delivered(queued)
        self.record("message_given_up", {"action": queued.action, "reason": reason[:200]})
