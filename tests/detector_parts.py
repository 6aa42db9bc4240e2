"""A connector's events for detectors, without the chain: commands in, readings and commands out."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from charger.ramp import ExponentialRamp, LinearRamp, Ramp
from contracts import can_frames
from contracts.events import (
    CanFrameSeen,
    CommandSent,
    Event,
    Reading,
    StatusChanged,
    TransactionEnded,
    TransactionStarted,
)
from memorybank.detector import AnyDetector, Place, Sign

START_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_S = START_AT.timestamp()
EXPONENTIAL = ExponentialRamp()
SLOW, FAST = LinearRamp(10.0), LinearRamp(25.0)
RAMPS = (EXPONENTIAL, SLOW, FAST)
_STEP_S = 0.1


def at(second: float) -> datetime:
    return START_AT + timedelta(seconds=second)


def reading(second: float, current_a: float | None, **more: Any) -> Reading:
    known: dict[str, Any] = {"charge_point_id": "CP-1", "connector": 1, "origin": "can", "offered_a": 100.0}
    return Reading(at=at(second), current_a=current_a, **(known | more))


def command(second: float, name: str, charge_point_id: str = "CP-1", **parameters: Any) -> CommandSent:
    return CommandSent(
        at=at(second),
        charge_point_id=charge_point_id,
        connector=1,
        command=name,
        parameters=parameters,
        outcome="Accepted",
    )


def limit(second: float, limit_a: float, *, level: int = 0, charge_point_id: str = "CP-1") -> CommandSent:
    profile = {
        "chargingProfileId": 1 + level,
        "stackLevel": level,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
        },
    }
    return command(second, "SetChargingProfile", charge_point_id, connectorId=1, csChargingProfiles=profile)


def start(second: float, charge_point_id: str = "CP-1") -> CommandSent:
    return command(second, "RemoteStartTransaction", charge_point_id, connectorId=1, idTag="A")


def stop(second: float, charge_point_id: str = "CP-1") -> CommandSent:
    return command(second, "RemoteStopTransaction", charge_point_id, transactionId=1)


def started(second: float, number: int, *, id_tag: str = "A", **more: Any) -> TransactionStarted:
    """A transaction that the CSMS gave this number, which stands for its meter's watt-hours, too."""
    known: dict[str, Any] = {"charge_point_id": "CP-1", "connector": 1, "meter_start_wh": 1000.0 * number}
    return TransactionStarted(at=at(second), transaction_id=number, id_tag=id_tag, **(known | more))


def ended(second: float, number: int, reason: str = "Remote", *, energy_wh: float = 0.0) -> TransactionEnded:
    return TransactionEnded(
        at=at(second),
        charge_point_id="CP-1",
        connector=1,
        transaction_id=number,
        meter_stop_wh=1000.0 * number + energy_wh,
        reason=reason,
    )


def status(second: float, word: str, connector: int = 1) -> StatusChanged:
    return StatusChanged(at=at(second), charge_point_id="CP-1", connector=connector, status=word)


def fluctuation(begin_s: float, period_s: float, high_a: float, cycles: int) -> Iterator[CommandSent]:
    """The base scenario's commands, its 8 s stretched to `period_s`."""
    unit_s = period_s / 8
    for cycle in range(cycles):
        second = begin_s + cycle * period_s
        yield limit(second, 0.0)
        yield limit(second + 2 * unit_s, high_a)
        yield start(second + 3 * unit_s)
        yield stop(second + 5 * unit_s)


@dataclass
class Connector:
    """A connector that obeys commands with `ramp`, and is read once a second with noise and losses."""

    ramp: Ramp = EXPONENTIAL
    seed: int = 0
    loss: float = 0.0
    noise_a: float = 0.2
    charge_point_id: str = "CP-1"
    takes_a: Callable[[float], float] = field(default=lambda _second: float("inf"))
    """What the vehicle takes at a second."""
    limit_a: float = 300.0
    charging: bool = False

    def run(self, commands: Iterable[Event], until_s: float) -> Iterator[Event]:
        """Return the events from second 0 on, in order of time."""
        waiting = sorted(commands, key=lambda event: event.at)
        rng = random.Random(self.seed)
        read_s, current_a = rng.random(), 0.0
        for step in range(int(until_s / _STEP_S)):
            second = step * _STEP_S
            while waiting and (waiting[0].at - START_AT).total_seconds() <= second + 1e-6:
                event = waiting.pop(0)
                self._obey(event)
                yield event
            target_a = min(self.limit_a, self.takes_a(second)) if self.charging else 0.0
            current_a = self.ramp.moved(current_a, target_a, _STEP_S)
            if second >= read_s:
                read_s += 1.0
                lost = rng.random() < self.loss
                noise_a = rng.gauss(0.0, self.noise_a) if current_a > 0.05 else 0.0
                if not lost:
                    yield reading(
                        second,
                        round(current_a + noise_a, 2),
                        charge_point_id=self.charge_point_id,
                        commanded_a=round(self.limit_a),
                        offered_a=self.limit_a,
                        transaction_id=1 if self.charging else None,
                        voltage_v=380.0 if self.charging else 0.0,
                        power_w=380.0 * current_a,
                    )

    def _obey(self, event: Event) -> None:
        if not isinstance(event, CommandSent):
            return
        if event.command == "SetChargingProfile":
            schedule = event.parameters["csChargingProfiles"]["chargingSchedule"]
            self.limit_a = schedule["chargingSchedulePeriod"][0]["limit"]
        elif event.command == "RemoteStartTransaction":
            self.charging = True
        elif event.command == "RemoteStopTransaction":
            self.charging = False


@dataclass(frozen=True)
class Told:
    """A sign and when it was told, in seconds from START_AT."""

    second: float
    sign: Sign


def told(detector: AnyDetector, events: Iterable[Event], place: Place | None = None) -> list[Told]:
    """Return every sign of a detector over events, with a tick each second of event time."""
    state = detector.start(place or Place("CP-1", 1))
    signs: list[Told] = []
    ticked_s = 0.0
    for event in events:
        second = (event.at - START_AT).total_seconds()
        found = [detector.step(state, event)] if isinstance(event, detector.takes) else []
        if second >= ticked_s + 1.0:
            ticked_s = second
            found.append(detector.tick(state, event.at))
        signs += [Told(second, sign) for sign in found if sign is not None]
    return signs


def frame_seen(second: float, frame: can_frames.Frame) -> CanFrameSeen:
    """Return the event of a frame that was heard."""
    can_id, data = can_frames.encode(frame)
    return CanFrameSeen(at=at(second), charge_point_id="CP-1", connector=1, can_id=can_id, data=data.hex())


def module_frames(
    currents: Iterable[tuple[float, float]], *, seed: int = 0, noise_a: float = 0.1, loss: float = 0.0
) -> Iterator[CanFrameSeen]:
    """Return the frames of a module with these currents at these seconds; `loss`: of each frame by itself."""
    rng = random.Random(seed)
    for counter, (second, current_a) in enumerate(currents):
        measured_a = current_a + rng.gauss(0.0, noise_a) if current_a else 0.0
        voltage_v = 380.0 + counter / 400 if current_a else 0.0
        state = can_frames.ModuleState.CHARGING if current_a else can_frames.ModuleState.IDLE
        frames: tuple[can_frames.Frame, ...] = (
            can_frames.Output(measured_a, voltage_v, 100.0),
            can_frames.Status(
                state,
                contactor_closed=current_a > 0,
                vehicle_limited=False,
                faults=can_frames.Faults.NONE,
                counter=counter & 0xFF,
                closures=1,
                hot_openings=0,
            ),
            can_frames.Thermal(30.0, 50.0),
            can_frames.reading(measured_a),
        )
        for number, frame in enumerate(frames):
            if rng.random() >= loss:
                yield frame_seen(second + number / 1000, frame)
