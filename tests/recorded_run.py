"""A run of the bench, as contract events, stored by the MemoryBank's own code: what the dashboards show.

CP-1 and CP-3 live the base scenario, CP-2 and CP-4 charge benignly, CP-4 loses its connection at the end, a
charge point with a quote in its name has two connectors, and two dozen more stand idle.
"""

import itertools
import math
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.life import warmed
from contracts import topics
from contracts.events import (
    AnyEvent,
    Batch,
    CanFrameSeen,
    CommandSent,
    OcppMessageSeen,
    Reading,
    ScenarioLabel,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
    encode,
)
from contracts.topics import Channel, Source
from memorybank import intake
from memorybank.detectors import found
from memorybank.learning import Learning
from memorybank.ledger import Verdict
from memorybank.pace import Pace, Pulse, Tally
from memorybank.store import Store
from memorybank.tables import Position
from memorybank.watch import SILENCE_S, Watch
from memorybank.work import Work

ATTACKED = ("CP-1", "CP-3")
BENIGN = ("CP-2", "CP-4")
QUOTED = "CP-O'Brien"
IDLE = tuple(f"Depot-{number}" for number in range(1, 25))
LOST = "CP-4"
VOLTAGE_V = 400.0
CYCLE_S = 8.0
_WORK_EVENTS = 20_000
_TELLS_EVERY_S = 2
_COMMANDS: tuple[tuple[int, str, dict[str, int]], ...] = (  # of the base scenario, by second of the cycle
    (0, "SetChargingProfile", {"limit_a": 0}),
    (2, "SetChargingProfile", {"limit_a": 100}),
    (3, "RemoteStartTransaction", {}),
    (5, "RemoteStopTransaction", {}),
)


@dataclass
class Connector:
    """One connector's meter and the events told so far."""

    charge_point_id: str
    connector: int
    energy_wh: float = 1000.0
    temperature_c: float = 25.0
    transaction_id: int | None = None
    told: list[tuple[str, AnyEvent]] = field(default_factory=list)

    def tell(self, teller: str, kind: type[AnyEvent], at: datetime, **content: object) -> None:
        self.told.append(
            (
                teller,
                kind(at=at, charge_point_id=self.charge_point_id, connector=self.connector, **content),  # type: ignore[arg-type]
            )
        )

    def reading(self, at: datetime, current_a: float, commanded_a: float) -> None:
        """Tell a second: the frame, what CAN showed, and what OCPP reported of it a moment later."""
        power_w = current_a * VOLTAGE_V
        self.energy_wh += power_w / 3600
        self.temperature_c = warmed(self.temperature_c, current_a)
        measured = {
            "transaction_id": self.transaction_id,
            "current_a": round(current_a, 2),
            "offered_a": commanded_a,
            "voltage_v": VOLTAGE_V,
            "power_w": round(power_w, 1),
            "energy_wh": round(self.energy_wh, 1),
            "temperature_c": round(self.temperature_c, 1),
            "soc_percent": round(min(100.0, 20 + self.energy_wh / 1000), 1),
        }
        frame = int(current_a).to_bytes(2, "little").hex()
        self.tell("chargepoint", CanFrameSeen, at, can_id=0x300, data=frame)
        self.tell("chargepoint", Reading, at, origin="can", commanded_a=commanded_a, **measured)
        later = at + timedelta(milliseconds=40)
        self.tell(
            "csms",
            OcppMessageSeen,
            later,
            direction="received",
            message_type="call",
            unique_id="m",
            action="MeterValues",
        )
        self.tell("csms", Reading, later, origin="ocpp", **measured)

    def begin(self, at: datetime, transaction_id: int) -> None:
        self.transaction_id = transaction_id
        self.tell("csms", StatusChanged, at, status="Preparing")
        self.tell(
            "csms",
            TransactionStarted,
            at,
            transaction_id=transaction_id,
            id_tag="TAG-1",
            meter_start_wh=self.energy_wh,
        )
        self.tell("csms", StatusChanged, at + timedelta(milliseconds=50), status="Charging")

    def end(self, at: datetime) -> None:
        if self.transaction_id is None:
            raise ValueError("no transaction runs")
        self.tell(
            "csms",
            TransactionEnded,
            at,
            transaction_id=self.transaction_id,
            meter_stop_wh=self.energy_wh,
            reason="Remote",
        )
        self.tell("csms", StatusChanged, at + timedelta(milliseconds=50), status="Finishing")
        self.transaction_id = None


def _attacked(connector: Connector, begin: datetime, end: datetime, ids: Iterator[int]) -> None:
    """Live the base scenario: 0 A → 100 A → 0 A every 8 s, by 20 % of the gap each 0.1 s."""
    label = {
        "run_id": f"run-{connector.charge_point_id}-{begin:%dT%H%M}",
        "scenario": "repeated-current-fluctuation",
        "anomaly": "repeated-current-fluctuation",
        "charge_point_ids": [connector.charge_point_id],
    }
    connector.tell("csms", ScenarioLabel, begin, phase="started", **label)
    for second in range(int((end - begin).total_seconds())):
        at = begin + timedelta(seconds=second)
        phase_s = second % CYCLE_S
        for due_s, command, parameters in _COMMANDS:
            if phase_s == due_s:
                connector.tell(
                    "csms", CommandSent, at, command=command, parameters=parameters, outcome="Accepted"
                )
        if phase_s == 3:
            connector.begin(at, next(ids))
        if phase_s == 5:
            connector.end(at)
        charging_s = phase_s - 3 + 0.5
        ramp = 1 - 0.8 ** (10 * charging_s) if 3 <= phase_s < 5 else 0.0
        # The bus is not the clock: readings come a little before or after the full second.
        jitter = timedelta(milliseconds=120 * math.sin(second))
        connector.reading(at + timedelta(milliseconds=500) + jitter, 100 * ramp, 100 if phase_s >= 2 else 0)
    if connector.transaction_id is not None:
        connector.end(end)
    connector.tell("csms", ScenarioLabel, end, phase="ended", **label)


def _benign(connector: Connector, begin: datetime, end: datetime, ids: Iterator[int]) -> None:
    """Charge as a car does: 80 A, a slow taper, no end yet; the scenario goes on as well."""
    connector.tell(
        "csms",
        ScenarioLabel,
        begin,
        phase="started",
        run_id=f"benign-{connector.charge_point_id}-{begin:%dT%H%M}",
        scenario="benign-charging",
        anomaly=None,
        charge_point_ids=[connector.charge_point_id],
    )
    connector.begin(begin, next(ids))
    for second in range(int((end - begin).total_seconds())):
        at = begin + timedelta(seconds=second + 0.5)
        connector.reading(at, max(20.0, 80 - second / 30), 80)


def _idle(connector: Connector, begin: datetime, end: datetime) -> None:
    connector.tell("csms", StatusChanged, begin, status="Available")
    for second in range(0, int((end - begin).total_seconds()), 10):
        connector.reading(begin + timedelta(seconds=second), 0, 32)


def events(begin: datetime, end: datetime, first_transaction: int = 1) -> list[tuple[str, AnyEvent]]:
    """Return (service, event) of the whole fleet from `begin` to `end`, in order of time."""
    ids = itertools.count(first_transaction)
    fleet = [Connector(name, 1) for name in (*ATTACKED, *BENIGN, QUOTED, *IDLE)] + [Connector(QUOTED, 2)]
    for connector in fleet:
        name = connector.charge_point_id
        started_at = begin - timedelta(seconds=2)
        connector.tell("chargepoint", SystemEvent, started_at, service="chargepoint", name="service_started")
        connector.tell("csms", SystemEvent, started_at, service="csms", name="connection_opened")
        connector.tell("csms", StatusChanged, started_at, status="Available")
        if name in ATTACKED:
            _attacked(connector, begin, end, ids)
        elif name in BENIGN:
            until = end - timedelta(seconds=60) if name == LOST else end
            _benign(connector, begin, until, ids)
            if name == LOST:
                connector.tell("csms", SystemEvent, until, service="csms", name="connection_closed")
                connector.tell("csms", StatusChanged, until, status="Offline")
        elif name == QUOTED and connector.connector == 2:
            connector.tell("csms", StatusChanged, begin, status="Faulted", error_code="GroundFailure")
        else:
            _idle(connector, begin, end)
    told = [entry for connector in fleet for entry in connector.told]
    return sorted(told, key=lambda entry: entry[1].at)


def pulses(run: list[tuple[str, AnyEvent]]) -> Iterator[Pulse]:
    """Give the MemoryBank's pace over a run: each second of a teller one message, stored 0.2 s after it."""
    heard: dict[datetime, dict[tuple[str, str | None], list[AnyEvent]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for service, event in run:
        if not isinstance(event, ScenarioLabel):
            heard[event.at.replace(microsecond=0)][service, event.charge_point_id].append(event)
    pace = Pace(0, min(heard).timestamp() if heard else 0)
    for second, messages in sorted(heard.items()):
        now, tally = second + timedelta(seconds=1.2), Tally()
        for content in messages.values():
            readings = sum(isinstance(event, Reading) for event in content)
            verdict = Verdict(skip=0, committed=len(content))
            tally.add(verdict, content[0].at, len(content) - readings, readings)
        pace.commit(tally, now)
        pulse = pace.pulse(now, now.timestamp(), waiting_messages=0)
        if pulse is not None:
            yield pulse


def _as_they_come(run: list[tuple[str, AnyEvent]]) -> list[tuple[tuple[int, Source], list[AnyEvent]]]:
    """Return what each source tells every few seconds, by when and who."""
    told: dict[tuple[int, Source], list[AnyEvent]] = defaultdict(list)
    for service, event in run:
        name = f"chargepoint:{event.charge_point_id}" if service == "chargepoint" else "csms:csms-1"
        channel: Channel = "truth" if isinstance(event, ScenarioLabel) else "events"
        source = Source(name, channel, topics.partition_of(event.charge_point_id or ""))
        told[int(event.at.timestamp() // _TELLS_EVERY_S), source].append(event)
    return sorted(told.items(), key=lambda item: item[0][0])


async def record(url: str, run: list[tuple[str, AnyEvent]], *, silence: bool = False) -> None:
    """Store a run at `url` (as memorybank_writer) the way the MemoryBank stores what comes by MQTT.

    With `silence` nothing was heard after it, so that its anomalies are closed.
    """
    store = Store(url)
    try:
        remembered = await store.load()
        learning = Learning()
        learning.load(remembered.baselines, remembered.version)
        watch = Watch(found(), remembered.patterns, dict(remembered.shown), learning)
        boot, positions, work = uuid.uuid4(), dict[Source, Position](), Work()
        for (_, source), content in _as_they_come(run):
            if source not in positions:
                positions[source] = await store.position(source.id, boot)
            number, committed = positions[source].source_no, positions[source].committed
            batch = Batch(source=source.id, boot=boot, first_seq=committed + 1, committed=0, events=content)
            topic = topics.events_topic(source)
            taken = intake.take(topic, encode(batch))
            committed = work.add(number, committed, topic, taken, watch, heard_s=0.0)
            positions[source] = Position(number, committed)
            if len(work.rows.events) > _WORK_EVENTS:
                await store.save(work)
                work = Work()
        await store.save(work)
        if run:
            await store.save(Work(learned=learning.advance(run[-1][1].at + 2 * learning.quarantine)))
        for pulse in pulses(run):
            await store.save(Work(pulse=pulse))
        if silence:
            await store.save(Work(findings=watch.expire(2 * SILENCE_S)))
        while await store.roll_up(range(16)):
            pass
    finally:
        await store.aclose()
