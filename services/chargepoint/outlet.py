"""One connector's shell: its bus, its machine, its meter. Frames and commands in, actions out."""

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from chargepoint import bridge, connector, injected, messages, meter, wording
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
from chargepoint.interference import Interference
from chargepoint.meter import Meter
from chargepoint.smart_charging import Supply
from chargepoint.statuses import Status
from chargepoint.store import Store
from chargepoint.transaction_queue import TransactionQueue
from chassis.can_bus import RawFrame
from chassis.can_link import CanLink, Tally
from contracts import can_frames
from contracts.can_frames import Faults, Frame, Keepalive, SetLimit, Stop
from contracts.errors import MalformedFrame
from contracts.events import AnyEvent, CanFrameSeen, Reading
from contracts.injections import MeterRepeats
from contracts.ocpp_messages import Payload

log = logging.getLogger("chargepoint")


class Owner(Protocol):
    """What an outlet needs of its charge point."""

    charge_point_id: str
    supply: Supply
    grid_frequency_hz: float
    configuration: Configuration
    store: Store
    queue: TransactionQueue
    interference: Interference

    def publish(self, event: AnyEvent) -> None:
        """Tell the MemoryBank."""

    def record(self, name: str, detail: dict[str, Any], connector: int | None = None) -> None:
        """Tell the MemoryBank of a SystemEvent."""

    def post(self, action: str, payload: Payload, *, triggered: bool = False) -> None:
        """Tell the CSMS something that needs no queue; `triggered`: it asked for it."""

    def transaction_changed(self, connector: int) -> None:
        """Take note that a transaction began or ended."""


class Remembered(Struct, frozen=True):
    """What a connector keeps over a power cut; `read_at` is the instant of the register's last reading."""

    operative: bool = True
    energy_wh: float = 0.0
    read_at: datetime | None = None
    transaction: Transaction | None = None


class Outlet:
    """Drives one connector. `handle` takes every event, from wherever it comes."""

    def __init__(self, number: int, owner: Owner, link: CanLink, *, plugged: bool) -> None:
        self.number = number
        self._name = f"connector/{number}"
        self._owner = owner
        self._falsified = owner.interference.at(number)
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._heard = Heard()
        self._keepalives = 0
        self._refused = 0
        self._reported_losses = (0, 0, 0)
        self._sampled_s = float("-inf")
        self._aligned_slot = 0
        self.commanded_a: float | None = None
        self.last_reading: Reading | None = None
        remembered = owner.store.load(self._name, Remembered, Remembered())
        self._read_at = remembered.read_at
        self.meter = Meter(remembered.energy_wh)
        self.connector: Connector = connector.booted(plugged=plugged, operative=remembered.operative)
        if remembered.transaction is not None:
            self._end_interrupted(remembered.transaction)

    def _end_interrupted(self, transaction: Transaction) -> None:
        """The process died in a transaction: nothing is known after its last reading, so it ended there."""
        ended_at = self._read_at or transaction.started_at
        log.warning("connector %d: a transaction was cut off at %s", self.number, ended_at.isoformat())
        with self._owner.store.atomically():
            self._queue_stop(transaction, "PowerLoss", None, ended_at)
            self._remember()
        detail = {"transaction_id": transaction.transaction_id, "id_tag": transaction.id_tag}
        self._owner.record("transaction_interrupted", detail, self.number)

    def begin(self) -> None:
        """Bring the bus to a known state."""
        self.tick()
        # A module that an earlier process left charging has no transaction any more.
        self._send(Stop())

    def handle(self, event: Event) -> None:
        """Step the machine and do what it asks."""
        before = self.connector
        after, actions = connector.step(before, event)
        self.connector = after
        is_other = after.transaction is not before.transaction or after.operative is not before.operative
        if actions or is_other:
            with self._owner.store.atomically():
                for action in actions:
                    self._perform(action)
                if is_other:
                    self._remember()
        if (before.transaction is None) != (after.transaction is None):
            self._owner.transaction_changed(self.number)

    async def run(self) -> None:
        """Listen for ever; `tick` keeps the module alive meanwhile."""
        await self._link.listen(self._hear)

    def _hear(self, raw: RawFrame) -> None:
        report = self._report_from(raw)
        if report is not None:
            self._reported(report)

    def tick(self) -> None:
        """Keep the module alive, and let time pass; comes every KEEPALIVE_PERIOD_S, one second."""
        self._send(Keepalive(self._keepalives & 0xFFFF))
        self._keepalives += 1
        self.handle(Ticked(self._loop.time()))

    def _report_from(self, raw: RawFrame) -> Report | None:
        self._seen(raw, sent=False)
        try:
            frame = None if raw.extended else can_frames.decode(raw.can_id, raw.data)
        except MalformedFrame as error:
            self._refuse(raw, str(error))
            return None
        if frame is None:
            return None
        if isinstance(frame, Stop):
            self.handle(ForeignStopHeard())
        self._heard, report = bridge.hear(self._heard, frame)
        return report

    def _reported(self, report: Report) -> None:
        now_s, at = self._loop.time(), datetime.now(UTC)
        output = report.output
        with self._owner.store.atomically(soon=True):
            self.meter = meter.read(self.meter, bridge.power_w(report, self._owner.supply), now_s)
            self._read_at = at
            self.handle(
                ModuleReported(now_s, report.current_a, output.offered_a if output else None, report.status)
            )
            self._remember()
            self.last_reading = bridge.reading(
                report,
                self._owner.supply,
                at=at,
                charge_point_id=self._owner.charge_point_id,
                connector=self.number,
                energy_wh=self.meter.energy_wh,
                commanded_a=self.commanded_a,
                transaction_id=self._transaction_id,
                frequency_hz=self._owner.grid_frequency_hz,
            )
            self._owner.publish(self.last_reading)
            self._sample(self.last_reading, now_s)

    @property
    def _transaction_id(self) -> int | None:
        return self.connector.transaction.transaction_id if self.connector.transaction else None

    def _sample(self, reading: Reading, now_s: float) -> None:
        """Send MeterValues when the sampling interval or the clock-aligned one is over."""
        configuration = self._owner.configuration
        interval_s = configuration.whole("MeterValueSampleInterval")
        if interval_s and now_s - self._sampled_s >= interval_s - 0.5:  # readings jitter
            self._sampled_s = now_s
            self.send_meter_values("MeterValuesSampledData", "Sample.Periodic")
        aligned_s = configuration.whole("ClockAlignedDataInterval")
        slot = int(reading.at.timestamp()) // aligned_s if aligned_s else 0
        if slot != self._aligned_slot:
            if slot and self._aligned_slot:
                self.send_meter_values("MeterValuesAlignedData", "Sample.Clock")
            self._aligned_slot = slot

    def send_meter_values(self, key: str, context: str) -> bool:
        """Send of the last reading what configuration key `key` names; False where there is nothing."""
        value = self._meter_value(key, context)
        if value is None:
            return False
        payload = bridge.meter_values(injected.connector(self._in_force, self.number), value)
        self._send_repeated(self.connector.transaction, payload, triggered=context == "Trigger")
        return True

    def _send_repeated(self, transaction: Transaction | None, payload: Payload, *, triggered: bool) -> None:
        """Send MeterValues once and now, unless an injection makes it otherwise."""
        repeats = self._in_force.last(MeterRepeats)
        if repeats is None:
            self._send_meter_values(transaction, payload, triggered=triggered)
            return
        is_repeated = repeats.share > 0 and self._falsified.draws.random() < repeats.share
        for _ in range(2 if is_repeated else 1):
            if repeats.delay_s:
                self._loop.call_later(
                    repeats.delay_s,
                    partial(self._send_meter_values, transaction, payload, triggered=triggered),
                )
            else:
                self._send_meter_values(transaction, payload, triggered=triggered)

    def _send_meter_values(
        self, transaction: Transaction | None, payload: Payload, *, triggered: bool
    ) -> None:
        if transaction:
            self._owner.queue.append("MeterValues", transaction.local_id, payload)
        else:
            self._owner.post("MeterValues", payload, triggered=triggered)

    def _meter_value(self, key: str, context: str) -> Payload | None:
        measurands = self._owner.configuration.items(key)
        if self.last_reading is None:
            return None
        return bridge.meter_value(injected.told(self._in_force, self.last_reading), measurands, context)

    @property
    def _in_force(self) -> InForce:
        return self._falsified.in_force

    @property
    def _register_wh(self) -> int:
        return int(injected.energy_wh(self._in_force, self.meter.energy_wh))

    def notify_status(self, *, triggered: bool = False) -> None:
        """Tell the CSMS the present status."""
        self._notify(Notify(self.connector.status, self.connector.error_code), triggered=triggered)

    def _perform(self, action: Action) -> None:
        match action:
            case Send(frame):
                self._send(frame)
            case Notify():
                level, words = wording.of_status(action.status, action.error_code)
                log.log(level, "connector %d: %s", self.number, words)
                self._notify(action)
            case BeginTransaction(transaction):
                told = replace(transaction, started_at=injected.clock(self._in_force, transaction.started_at))
                payload = messages.start_transaction(self.number, told, self._register_wh)
                self._owner.queue.append("StartTransaction", transaction.local_id, payload)
            case EndTransaction(transaction, reason, id_tag):
                self._queue_stop(transaction, reason, id_tag, datetime.now(UTC))
            case Record(name, detail):
                level, words = wording.of_record(name, detail)
                log.log(level, "connector %d: %s", self.number, words)
                self._owner.record(name, detail, self.number)

    def _notify(self, action: Notify, *, triggered: bool = False) -> None:
        faults = self.connector.module.faults if action.status is Status.FAULTED else Faults.NONE
        at = injected.clock(self._in_force, datetime.now(UTC))
        number = injected.connector(self._in_force, self.number)
        payload = messages.status_notification(number, action.status, action.error_code, at, faults)
        self._owner.post("StatusNotification", payload, triggered=triggered)

    def _queue_stop(
        self, transaction: Transaction, reason: str, id_tag: str | None, ended_at: datetime
    ) -> None:
        value = self._meter_value("StopTxnSampledData", "Transaction.End")
        ended_at = injected.clock(self._in_force, ended_at)
        payload = messages.stop_transaction(reason, self._register_wh, ended_at, id_tag, value)
        if transaction.transaction_id is not None:  # of two stops the second would not find it in the queue
            payload["transactionId"] = transaction.transaction_id
        for _ in range(injected.stops(self._in_force)):
            self._owner.queue.append("StopTransaction", transaction.local_id, payload)

    def plug(self) -> None:
        """Plug the cable in, as the driver would."""
        self.handle(CablePlugged(datetime.now(UTC)))

    def stop(self, reason: str, id_tag: str | None = None) -> None:
        """End the transaction, if there is one."""
        if self.connector.transaction:
            self.handle(StopAccepted(reason, id_tag))

    def _remember(self) -> None:
        state = Remembered(
            self.connector.operative, self.meter.energy_wh, self._read_at, self.connector.transaction
        )
        self._owner.store.save(self._name, state)

    def _send(self, frame: Frame) -> None:
        if isinstance(frame, SetLimit):
            self.commanded_a = float(frame.limit_a)
        self._seen(self._link.send(frame), sent=True)

    def _seen(self, raw: RawFrame, *, sent: bool) -> None:
        self._owner.publish(
            CanFrameSeen(
                at=datetime.now(UTC),
                charge_point_id=self._owner.charge_point_id,
                connector=self.number,
                can_id=raw.can_id,
                data=raw.data.hex(),
                sent=sent,
            )
        )

    def _refuse(self, raw: RawFrame, reason: str) -> None:
        if self._refused == self._reported_losses[0]:  # the first since the last report; a flood makes none
            log.warning("connector %d: refused 0x%03x: %s", self.number, raw.can_id, reason)
        self._refused += 1

    @property
    def tally(self) -> Tally:
        """What passed on the bus so far."""
        return self._link.tally

    @property
    def refused(self) -> int:
        """Frames of a known identifier with a wrong length or value."""
        return self._refused

    def report_losses(self) -> None:
        """Record what the bus brought and was not used since the last report; comes every second."""
        losses = (self._refused, self._link.malformed, self._link.dropped)
        if losses != self._reported_losses:
            since = (now - before for now, before in zip(losses, self._reported_losses, strict=True))
            detail = dict(zip(("refused", "malformed", "dropped"), since, strict=True))
            self._reported_losses = losses
            self._owner.record("frames_refused", detail, self.number)
