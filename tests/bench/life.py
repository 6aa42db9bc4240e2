"""Life on a bench as contract events: what a charge point, its module and the CSMS tell in each second.

The mix is that of a real run (docs/benchmarks.md has the counts). Every second: four CAN frames, a keepalive,
a reading of CAN, MeterValues with all ten measurands, its answer, the reading made of it. The odd-numbered
charge points live the base scenario with its commands, statuses and transactions, the even-numbered charge.
"""

import random
import struct
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from contracts import events, topics
from contracts.can_frames import (
    CURRENT_ID,
    KEEPALIVE_ID,
    OUTPUT_ID,
    SET_LIMIT_ID,
    START_ID,
    STATUS_ID,
    STOP_ID,
    THERMAL_ID,
)
from contracts.events import (
    AnyEvent,
    Batch,
    CanFrameSeen,
    CommandSent,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from contracts.topics import Source

Told: TypeAlias = tuple[str, AnyEvent]
"""The name of who told it, as its outbox has it, and the event."""

CSMS = "csms:csms-1"
FLUSH_S = 0.1
"""chassis.publisher numbers what was told so often: each time one batch a source."""
CYCLE_S = 8
_FULL_A = 100.0
_MILLISECOND = timedelta(milliseconds=1)


def warmed(temperature_c: float, current_a: float) -> float:
    """Return a module's temperature a second later: heat follows the square of the current, in minutes."""
    return temperature_c + (25 + 40 * (current_a / 300) ** 2 - temperature_c) / 180


@dataclass
class ChargePoint:
    """One charge point with one connector; `told` collects what it and the CSMS tell of it."""

    name: str
    is_attacked: bool
    draw: random.Random
    current_a: float = 0.0
    limit_a: float = 0.0
    energy_wh: float = 0.0
    temperature_c: float = 25.0
    transaction_id: int | None = None
    transactions: int = 0
    seconds: int = 0
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.phase = timedelta(milliseconds=self.draw.randrange(900))
        self.begins = self.draw.randrange(CYCLE_S)
        self.charges_a = self.draw.uniform(40, 95)

    def live(self, at: datetime) -> None:
        """Live the second that begins at `at`."""
        at += self.phase
        if self.is_attacked:
            self._fluctuate(at, (self.seconds + self.begins) % CYCLE_S)
        else:
            if self.transaction_id is None:
                self._limit(at, _FULL_A)
                self._start(at)
            self.current_a = max(6.0, self.charges_a - self.seconds / 60) + self.draw.gauss(0, 0.3)
        self.seconds += 1
        self.energy_wh += self.current_a * 400 / 3600
        self.temperature_c = warmed(self.temperature_c, self.current_a)
        self._measure(at + 40 * _MILLISECOND)

    def _fluctuate(self, at: datetime, second: int) -> None:
        """Live the base scenario: the limit to 0 A, to 100 A, a start, a stop 2 s later."""
        if second == 0:
            self._limit(at, 0)
        elif second == 2:
            self._limit(at, _FULL_A)
        elif second == 3:
            self._start(at)
        elif second == 5 and self.transaction_id is not None:
            self._stop(at)
        # 20 % of the gap a step of 0.1 s.
        goal_a = self.limit_a if self.transaction_id is not None else 0.0
        self.current_a = goal_a + (self.current_a - goal_a) * 0.8**10

    def _limit(self, at: datetime, limit_a: float) -> None:
        self.limit_a = limit_a
        profile = {
            "chargingProfileId": 900001000,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Relative",
            "chargingSchedule": {
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
            },
        }
        self._command(at, "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile})
        self._frame(at + 3 * _MILLISECOND, SET_LIMIT_ID, struct.pack("<H", int(limit_a)), sent=True)

    def _start(self, at: datetime) -> None:
        self.transactions += 1
        self.transaction_id = self.transactions
        meter_wh = round(self.energy_wh)
        self._command(at, "RemoteStartTransaction", {"idTag": "BENCH", "connectorId": 1})
        self._status(at + 4 * _MILLISECOND, "Preparing")
        start = {"connectorId": 1, "idTag": "BENCH", "meterStart": meter_wh, "timestamp": _text(at)}
        answer = {"transactionId": self.transaction_id, "idTagInfo": {"status": "Accepted"}}
        self._call(at + 5 * _MILLISECOND, "StartTransaction", start, answer, is_from_csms=False)
        self._tell_csms(
            TransactionStarted(
                **self._here(at + 6 * _MILLISECOND),
                transaction_id=self.transaction_id,
                id_tag="BENCH",
                meter_start_wh=meter_wh,
            )
        )
        self._frame(at + 7 * _MILLISECOND, START_ID, b"", sent=True)
        self._status(at + 8 * _MILLISECOND, "Charging")

    def _stop(self, at: datetime) -> None:
        meter_wh = round(self.energy_wh)
        self._command(at, "RemoteStopTransaction", {"transactionId": self.transaction_id})
        self._frame(at + 3 * _MILLISECOND, STOP_ID, b"", sent=True)
        stop = {
            "transactionId": self.transaction_id,
            "meterStop": meter_wh,
            "timestamp": _text(at),
            "reason": "Remote",
        }
        self._call(at + 5 * _MILLISECOND, "StopTransaction", stop, {}, is_from_csms=False)
        ended = {"transaction_id": self.transaction_id, "meter_stop_wh": meter_wh, "reason": "Remote"}
        self._tell_csms(TransactionEnded(**self._here(at + 6 * _MILLISECOND), **ended))
        self._status(at + 7 * _MILLISECOND, "Finishing")
        self.transaction_id = None

    def _measure(self, at: datetime) -> None:
        """Tell what the module sends in each second, and what becomes of it."""
        voltage_v = round(400 + 3 * self.draw.random(), 1)
        current_a = round(self.current_a, 2)
        measured: dict[str, Any] = {
            "transaction_id": self.transaction_id,
            "current_a": current_a,
            "offered_a": self.limit_a,
            "voltage_v": voltage_v,
            "power_w": round(current_a * voltage_v, 1),
            "power_offered_w": round(self.limit_a * voltage_v, 1),
            "power_factor": 1.0,
            "frequency_hz": 50.0,
            "energy_wh": round(self.energy_wh, 3),
            "temperature_c": round(self.temperature_c, 1),
            "soc_percent": round(min(100.0, 20 + self.energy_wh / 1000), 1),
        }
        counter = self.seconds % 65536
        output = struct.pack("<iHH", round(current_a * 100), round(voltage_v * 10), round(self.limit_a * 10))
        is_on = self.transaction_id is not None
        status = struct.pack("<BBBBHH", is_on, is_on, 0, counter % 256, self.transactions, 0)
        warmth = round(measured["temperature_c"] * 10), round(measured["soc_percent"] * 10)
        self._frame(at - 3 * _MILLISECOND, KEEPALIVE_ID, struct.pack("<H", counter), sent=True)
        self._frame(at, OUTPUT_ID, output)
        self._frame(at, STATUS_ID, status)
        self._frame(at, THERMAL_ID, struct.pack("<hH", *warmth))
        self._frame(at, CURRENT_ID, struct.pack("<H", round(max(0.0, current_a))))
        self._tell(Reading(**self._here(at), origin="can", commanded_a=self.limit_a, **measured))
        later = at + 2 * _MILLISECOND
        self._call(later, "MeterValues", _meter_values(at, measured), {}, is_from_csms=False)
        limits = {"commanded_a": self.limit_a, "acknowledged_a": self.limit_a}
        self._tell_csms(Reading(**self._here(at), origin="ocpp", **measured, **limits))

    def _command(self, at: datetime, command: str, parameters: dict[str, Any]) -> None:
        self._call(at, command, parameters, {"status": "Accepted"}, is_from_csms=True)
        told = {"command": command, "parameters": parameters, "outcome": "Accepted"}
        self._tell_csms(CommandSent(at=at, charge_point_id=self.name, **told))

    def _status(self, at: datetime, status: str) -> None:
        payload = {"connectorId": 1, "status": status, "errorCode": "NoError", "timestamp": _text(at)}
        self._call(at, "StatusNotification", payload, {}, is_from_csms=False)
        self._tell_csms(StatusChanged(**self._here(at), status=status))

    def _call(
        self,
        at: datetime,
        action: str,
        payload: dict[str, Any],
        answer: dict[str, Any],
        *,
        is_from_csms: bool,
    ) -> None:
        """Tell an OCPP call and its answer, as the CSMS sees them."""
        directions = ("sent", "received") if is_from_csms else ("received", "sent")
        round_trip_s = self.draw.uniform(0.0002, 0.003)
        for direction, kind, content in zip(
            directions, ("call", "call_result"), (payload, answer), strict=True
        ):
            is_answer = kind == "call_result"
            self._tell_csms(
                OcppMessageSeen(
                    at=at + timedelta(seconds=round_trip_s) if is_answer else at,
                    charge_point_id=self.name,
                    connector=payload.get("connectorId"),
                    direction=direction,
                    message_type=kind,
                    unique_id=str(uuid.UUID(int=self.draw.getrandbits(128), version=4)),
                    action=action,
                    payload=content,
                    round_trip_s=round_trip_s if is_answer else None,
                )
            )

    def _frame(self, at: datetime, can_id: int, data: bytes, *, sent: bool = False) -> None:
        self._tell(CanFrameSeen(**self._here(at), can_id=can_id, data=data.hex(), sent=sent))

    def _here(self, at: datetime) -> dict[str, Any]:
        return {"at": at, "charge_point_id": self.name, "connector": 1}

    def _tell(self, event: AnyEvent) -> None:
        self.told.append((f"chargepoint:{self.name}", event))

    def _tell_csms(self, event: AnyEvent) -> None:
        self.told.append((CSMS, event))


class Fleet:
    """CP-1 … CP-n, the same life for the same seed."""

    def __init__(self, charge_points: int, seed: int) -> None:
        self.charge_points = [
            ChargePoint(f"CP-{n}", is_attacked=n % 2 == 1, draw=random.Random(f"{seed}/{n}"))
            for n in range(1, charge_points + 1)
        ]

    def second(self, at: datetime) -> list[Told]:
        """Return what is told in the second that begins at `at`, in order of time."""
        told: list[Told] = []
        for charge_point in self.charge_points:
            charge_point.live(at)
            told += charge_point.told
            charge_point.told.clear()
        return sorted(told, key=lambda entry: entry[1].at)


@dataclass(frozen=True, slots=True)
class Message:
    """A batch as its outbox would publish it."""

    source: Source
    last_seq: int
    events: int
    topic: str
    payload: bytes


def messages(fleet: Fleet, begin: datetime, seconds: int, *, flush_s: float = FLUSH_S) -> Iterator[Message]:
    """Give the batches of `seconds` of the fleet's life, in the order and sizes in which outboxes send them.

    `flush_s` above a second stands for outboxes that had to keep their events for so long.
    """
    numbered: dict[Source, int] = defaultdict(int)
    boots: dict[Source, uuid.UUID] = {}
    waiting: dict[Source, list[AnyEvent]] = defaultdict(list)
    next_flush = begin + timedelta(seconds=flush_s)
    for second in range(seconds):
        for teller, event in fleet.second(begin + timedelta(seconds=second)):
            while event.at >= next_flush:
                yield from _flush(waiting, numbered, boots)
                next_flush += timedelta(seconds=flush_s)
            partition = topics.partition_of(event.charge_point_id or teller)
            waiting[Source(teller, "events", partition)].append(event)
    yield from _flush(waiting, numbered, boots)


def _flush(
    waiting: dict[Source, list[AnyEvent]], numbered: dict[Source, int], boots: dict[Source, uuid.UUID]
) -> Iterator[Message]:
    for source, content in waiting.items():
        first_seq = numbered[source] + 1
        numbered[source] += len(content)
        boot = boots.setdefault(source, uuid.uuid4())
        batch = Batch(source=source.id, boot=boot, first_seq=first_seq, committed=0, events=content)
        yield Message(
            source, numbered[source], len(content), topics.events_topic(source), events.encode(batch)
        )
    waiting.clear()


def _meter_values(at: datetime, measured: dict[str, Any]) -> dict[str, Any]:
    """Return the payload that our charge points send each second."""
    sampled = [
        {"measurand": measurand, "value": str(measured[name]), "context": "Sample.Periodic", **more}
        for measurand, name, more in _MEASURANDS
    ]
    return {"connectorId": 1, "meterValue": [{"timestamp": _text(at), "sampledValue": sampled}]}


_MEASURANDS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Current.Import", "current_a", {"unit": "A"}),
    ("Current.Offered", "offered_a", {"unit": "A"}),
    ("Voltage", "voltage_v", {"unit": "V"}),
    ("Power.Active.Import", "power_w", {"unit": "W"}),
    ("Power.Offered", "power_offered_w", {"unit": "W"}),
    ("Power.Factor", "power_factor", {}),
    ("Frequency", "frequency_hz", {}),
    ("Energy.Active.Import.Register", "energy_wh", {"unit": "Wh"}),
    ("Temperature", "temperature_c", {"unit": "Celsius", "location": "Body"}),
    ("SoC", "soc_percent", {"unit": "Percent", "location": "EV"}),
)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
