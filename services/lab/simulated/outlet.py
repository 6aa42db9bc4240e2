"""One simulated connector: the real machine, bridge and meter between a module's frames and OCPP."""

import random
from datetime import datetime
from typing import Any, Protocol

from msgspec.structs import replace

from chargepoint import bridge, connector, injected, messages, meter
from chargepoint import module as modules
from chargepoint.bridge import Heard, Report
from chargepoint.configuration import Configuration
from chargepoint.connector import Connector
from chargepoint.connector_events import (
    Action,
    BeginTransaction,
    CablePlugged,
    EndTransaction,
    Event,
    ForeignStopHeard,
    ModuleReported,
    Notify,
    Record,
    Send,
    StopAccepted,
    Ticked,
    Transaction,
)
from chargepoint.injected import InForce
from chargepoint.meter import Meter
from chargepoint.module import SILENCE_S
from chargepoint.smart_charging import Supply
from chargepoint.statuses import Status
from contracts import can_frames
from contracts.can_frames import Faults, Frame, Keepalive, SetLimit, Stop
from contracts.errors import MalformedFrame
from contracts.events import AnyEvent, CanFrameSeen, Reading
from contracts.injections import MeterRepeats
from contracts.ocpp_messages import Payload
from lab.rogue.sender import Raw
from lab.simulated.agenda import Agenda
from lab.simulated.bus import Bus
from lab.simulated.module_node import ModuleNode

_NOTHING = Heard()


class Owner(Protocol):
    """What an outlet needs of its charge point."""

    charge_point_id: str
    supply: Supply
    grid_frequency_hz: float
    configuration: Configuration

    def emit(self, event: AnyEvent) -> None:
        """Tell the MemoryBank."""

    def record(self, name: str, detail: dict[str, Any], connector: int | None = None) -> None:
        """Tell the MemoryBank of a SystemEvent."""

    def post(self, action: str, payload: Payload) -> None:
        """Tell the CSMS something of no transaction."""

    def queue(self, action: str, local_id: str, payload: Payload) -> None:
        """Tell the CSMS something of a transaction."""

    def transaction_changed(self, connector: int) -> None:
        """Take note that a transaction began or ended."""


class Outlet:
    """`handle` takes every event of the connector's machine; `listen` every frame of its bus."""

    def __init__(
        self,
        number: int,
        owner: Owner,
        agenda: Agenda,
        node: ModuleNode,
        *,
        plugged: bool,
        shows_wire: bool = True,
    ) -> None:
        self.number = number
        self.node = node
        self.bus = Bus(agenda, node, self.listen)
        self.connector: Connector = connector.booted(plugged=plugged, operative=True)
        self.meter = Meter()
        self.last_reading: Reading | None = None
        self.commanded_a: float | None = None
        self.injected = InForce()
        """What injections make of what is told to the CSMS, by `draws`."""
        self.draws = random.Random(0)
        self._owner = owner
        self._shows_wire = shows_wire
        self._agenda = agenda
        self._heard = _NOTHING
        self._unmoved: Connector | None = None
        """The connector, while reports change nothing but what it knows of its module."""
        self._keepalives = 0
        self._sampled_s = float("-inf")

    def boot(self) -> None:
        """Begin anew: nothing is known of the module, which is told to stop."""
        self.connector = connector.booted(plugged=self.connector.plugged, operative=self.connector.operative)
        self._heard = _NOTHING
        self.send(Stop())

    def handle(self, event: Event) -> None:
        """Step the machine and do what it asks."""
        before = self.connector
        self.connector, actions = connector.step(before, event)
        for action in actions:
            self._perform(action)
        if (before.transaction is None) != (self.connector.transaction is None):
            self._owner.transaction_changed(self.number)

    def _step(self, report: ModuleReported) -> None:
        """Step the machine; where nothing came of the same report before, nothing comes of it again."""
        before = self.connector
        if not modules.is_told_again(before.module, report):
            self.handle(report)
            return
        heard = replace(before, module=modules.reported(before.module, report))
        if before is self._unmoved or connector.step(before, report) == (heard, ()):
            self.connector = self._unmoved = heard
        else:
            self.handle(report)

    def tick(self) -> None:
        """Keep the module alive; comes every second."""
        if self._shows_wire or self.bus.is_shared or not self.node.kept_alive():
            self.send(Keepalive(self._keepalives & 0xFFFF))
        self._keepalives += 1
        known, now_s = self.connector, self._agenda.now_s
        if known.waiting or known.reservation or now_s - known.module.heard_s > SILENCE_S:
            self.handle(Ticked(now_s))  # else it would look at the clock in vain

    def woke(self) -> None:
        """Take up again after an idle time that was not lived second by second, in which all was well."""
        now_s = self._agenda.now_s
        self.node.hear(Keepalive(self._keepalives & 0xFFFF), now_s)
        known = self.connector.module
        if known.present:
            self.connector = replace(self.connector, module=replace(known, heard_s=now_s))

    def listen(self, raw: Raw) -> None:
        """Take a frame that some other node sent."""
        if self._shows_wire:
            self._seen(raw, sent=False)
        try:
            frame = can_frames.decode(raw.can_id, raw.data)
        except MalformedFrame:
            return
        if frame is not None:
            self._take(frame)

    def hear(self, frames: tuple[Frame, ...]) -> None:
        """Take what the module published; with nobody else on the bus there is no need for bytes."""
        if self.bus.is_shared:
            self.bus.published(frames)
            return
        if self._shows_wire:
            for frame in frames:
                self._seen(Raw(*can_frames.encode(frame)), sent=False)
        report = bridge.report_of(frames)
        if report is not None:
            self._heard = _NOTHING
            self._reported(report)

    def _take(self, frame: Frame) -> None:
        if isinstance(frame, Stop):
            self.handle(ForeignStopHeard())
        self._heard, report = bridge.hear(self._heard, frame)
        if report is not None:
            self._reported(report)

    def send(self, frame: Frame) -> None:
        """Put a frame on the bus."""
        if isinstance(frame, SetLimit):
            self.commanded_a = float(frame.limit_a)
        if self._shows_wire:
            self._seen(Raw(*can_frames.encode(frame)), sent=True)
        if self.bus.is_shared:
            self.bus.sent(Raw(*can_frames.encode(frame)))
        else:
            self.node.hear(frame, self._agenda.now_s)

    def plug(self) -> None:
        """Plug the cable in, as the driver would."""
        self.handle(CablePlugged(self._agenda.now))

    def stop(self, reason: str, id_tag: str | None = None) -> None:
        """End the transaction, if there is one."""
        if self.connector.transaction:
            self.handle(StopAccepted(reason, id_tag))

    def notify_status(self) -> None:
        """Tell the CSMS the present status."""
        self._notify(Notify(self.connector.status, self.connector.error_code))

    def _reported(self, report: Report) -> None:
        now_s, output, owner = self._agenda.now_s, report.output, self._owner
        self.meter = meter.read(self.meter, bridge.power_w(report, owner.supply), now_s)
        self._step(
            ModuleReported(now_s, report.current_a, output.offered_a if output else None, report.status)
        )
        transaction = self.connector.transaction
        self.last_reading = bridge.reading(
            report,
            owner.supply,
            at=self._agenda.now,
            charge_point_id=owner.charge_point_id,
            connector=self.number,
            energy_wh=self.meter.energy_wh,
            commanded_a=self.commanded_a,
            transaction_id=transaction.transaction_id if transaction else None,
            frequency_hz=owner.grid_frequency_hz,
        )
        owner.emit(self.last_reading)
        self._sample(now_s)

    def _sample(self, now_s: float) -> None:
        interval_s = self._owner.configuration.whole("MeterValueSampleInterval")
        if not interval_s or now_s - self._sampled_s < interval_s - 0.5:
            return
        self._sampled_s = now_s
        value = self._meter_value("MeterValuesSampledData", "Sample.Periodic")
        if value is None:
            return
        payload = bridge.meter_values(injected.connector(self.injected, self.number), value)
        transaction = self.connector.transaction
        repeats = self.injected.last(MeterRepeats)
        times = 1 if repeats is None or self.draws.random() >= repeats.share else 2
        for _ in range(times):
            if repeats is not None and repeats.delay_s:
                self._agenda.after(repeats.delay_s, lambda: self._send_meter_values(transaction, payload))
            else:
                self._send_meter_values(transaction, payload)

    def _send_meter_values(self, transaction: Transaction | None, payload: Payload) -> None:
        if transaction:
            self._owner.queue("MeterValues", transaction.local_id, payload)
        else:
            self._owner.post("MeterValues", payload)

    def _meter_value(self, key: str, context: str) -> Payload | None:
        if self.last_reading is None:
            return None
        reading = injected.told(self.injected, self.last_reading)
        return bridge.meter_value(reading, self._owner.configuration.items(key), context)

    @property
    def _register_wh(self) -> int:
        return int(injected.energy_wh(self.injected, self.meter.energy_wh))

    @property
    def _clock(self) -> datetime:
        return injected.clock(self.injected, self._agenda.now)

    def _perform(self, action: Action) -> None:
        owner = self._owner
        match action:
            case Send(frame):
                self.send(frame)
            case Notify():
                self._notify(action)
            case BeginTransaction(transaction):
                told = replace(transaction, started_at=injected.clock(self.injected, transaction.started_at))
                payload = messages.start_transaction(self.number, told, self._register_wh)
                owner.queue("StartTransaction", transaction.local_id, payload)
            case EndTransaction(transaction, reason, id_tag):
                value = self._meter_value("StopTxnSampledData", "Transaction.End")
                payload = messages.stop_transaction(reason, self._register_wh, self._clock, id_tag, value)
                if transaction.transaction_id is not None:  # of two stops the second would not find it
                    payload["transactionId"] = transaction.transaction_id
                for _ in range(injected.stops(self.injected)):
                    owner.queue("StopTransaction", transaction.local_id, payload)
            case Record(name, detail):
                owner.record(name, detail, self.number)

    def _notify(self, action: Notify) -> None:
        faults = self.connector.module.faults if action.status is Status.FAULTED else Faults.NONE
        number = injected.connector(self.injected, self.number)
        payload = messages.status_notification(number, action.status, action.error_code, self._clock, faults)
        self._owner.post("StatusNotification", payload)

    def _seen(self, raw: Raw, *, sent: bool) -> None:
        self._owner.emit(
            CanFrameSeen(
                at=self._agenda.now,
                charge_point_id=self._owner.charge_point_id,
                connector=self.number,
                can_id=raw.can_id,
                data=raw.data.hex(),
                sent=sent,
            )
        )
