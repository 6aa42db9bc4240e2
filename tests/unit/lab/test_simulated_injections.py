"""Every injection at the simulated charge point shows where it should, and is over when its time is."""

import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from charger import noise
from charger.vehicle import Vehicle
from contracts import injections
from contracts.events import (
    AnyEvent,
    CanFrameSeen,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from contracts.injections import (
    AnyInjection,
    Cable,
    CanFlood,
    CanFrames,
    CanLimit,
    CanReading,
    CanReplay,
    ClockShift,
    Disconnect,
    FramesLost,
    Impostor,
    Inject,
    MeterGain,
    MeterRegister,
    MeterRepeats,
    ModuleAmbient,
    ModuleDefect,
    ModuleReports,
    ModuleSilent,
    Network,
    PresentTag,
    RampSawTooth,
    TransactionMessages,
    VehicleTaper,
)
from lab.simulated.bench import Bench
from lab.simulated.plan import ChargePointPlan, PlannedInjection, Session

BEGIN_AT = datetime(2026, 1, 1, tzinfo=UTC)
BEGAN_S, LASTS_S, UNTIL_S = 200.0, 60.0, 420.0


class Seen:
    """What a watcher saw of a session of 340 s into which an injection came."""

    def __init__(self, events: list[AnyEvent]) -> None:
        self.events = events

    def during(self) -> "Seen":
        begin, end = BEGIN_AT + timedelta(seconds=BEGAN_S), BEGIN_AT + timedelta(seconds=BEGAN_S + LASTS_S)
        return Seen([event for event in self.events if begin + timedelta(seconds=2) < event.at < end])

    def readings(self, origin: str = "can") -> list[Reading]:
        return [event for event in self.events if isinstance(event, Reading) and event.origin == origin]

    def currents_a(self, origin: str = "can") -> list[float]:
        return [reading.current_a or 0.0 for reading in self.readings(origin)]

    def energies_wh(self, origin: str = "ocpp") -> list[float]:
        return [reading.energy_wh or 0.0 for reading in self.readings(origin)]

    def frames(self, can_id: int) -> list[CanFrameSeen]:
        return [event for event in self.events if isinstance(event, CanFrameSeen) and event.can_id == can_id]

    def named(self, name: str) -> list[SystemEvent]:
        return [event for event in self.events if isinstance(event, SystemEvent) and event.name == name]

    def count(self, kind: type[AnyEvent]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def statuses(self) -> list[str]:
        return [event.status for event in self.events if isinstance(event, StatusChanged)]


def lived(*injected: AnyInjection, seconds: float = LASTS_S, began_s: float = BEGAN_S) -> Seen:
    car = Vehicle(soc_percent=30.0, cars_to_come=noise.seeded(1), peak_w=40_000.0)
    visit = Session(plug_s=60.0, leave_s=410.0, stop_s=400.0, vehicle=car, id_tag="TAG-1")
    orders = [
        PlannedInjection(
            start_s=began_s,
            order=Inject(
                id=uuid.UUID(int=number), charge_point_id="CP-1", seconds=seconds, seed=1, injection=one
            ),
        )
        for number, one in enumerate(injected)
    ]
    plan = ChargePointPlan(charge_point_id="CP-1", sessions=[visit], injections=orders, noise_sd_a=0.05)
    return Seen(list(Bench([plan], seed=1, begin_at=BEGIN_AT).run(UNTIL_S)))


@pytest.fixture(scope="module")
def undisturbed() -> Seen:
    return lived()


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


SHOWS: dict[str, tuple[AnyInjection, Callable[[Seen, Seen], bool]]] = {
    "can_frames": (CanFrames(can_id=0x201, every_s=5.0), lambda seen, _: max(seen.currents_a()) < 1),
    "can_limit": (CanLimit(limit_a=20.0), lambda seen, _: max(seen.currents_a()[10:]) < 25),
    "can_reading": (
        CanReading(gain=0.0, offset_a=7.0, every_s=0.5),
        lambda seen, _: Counter(frame.data for frame in seen.frames(0x300)).most_common()[0][0] == "0700",
    ),
    "can_replay": (
        CanReplay(record_s=10.0),
        lambda seen, calm: len(seen.frames(0x300)) > 1.5 * len(calm.frames(0x300)),
    ),
    "can_flood": (
        CanFlood(),
        lambda seen, calm: (
            len(seen.frames(0x001)) > 40_000 and len(seen.readings()) < 0.9 * len(calm.readings())
        ),
    ),
    "module_silent": (
        ModuleSilent(),
        lambda seen, _: not seen.readings() and bool(seen.named("module_silent")),
    ),
    "frames_lost": (
        FramesLost(share=0.5),
        lambda seen, calm: 0.2 < len(seen.readings()) / len(calm.readings()) < 0.8,
    ),
    "module_defect": (
        ModuleDefect(regulator_gain=0.5),
        lambda seen, calm: (
            mean(seen.currents_a()[5:]) == pytest.approx(mean(calm.currents_a()) / 2, rel=0.05)
        ),
    ),
    "module_reports": (
        ModuleReports(temperature_c=21.0, soc_frozen=True),
        lambda seen, _: (
            {reading.temperature_c for reading in seen.readings()} == {21.0}
            and len({reading.soc_percent for reading in seen.readings()}) == 1
        ),
    ),
    "module_ambient": (
        ModuleAmbient(ambient_c=60.0),
        lambda seen, calm: (
            (seen.readings()[-1].temperature_c or 0) > 5 + (calm.readings()[-1].temperature_c or 0)
        ),
    ),
    "vehicle_taper": (
        VehicleTaper(step_a=1.0, every_s=4.0),
        lambda seen, _: seen.currents_a()[0] - seen.currents_a()[-1] > 8,
    ),
    "meter_gain": (
        MeterGain(gain=0.1),
        lambda seen, _: (
            mean(seen.currents_a("ocpp")) == pytest.approx(mean(seen.currents_a()) / 10, rel=0.02)
        ),
    ),
    "meter_register": (
        MeterRegister(frozen=True),
        lambda seen, _: len(set(seen.energies_wh())) == 1 and len(set(seen.energies_wh("can"))) > 50,
    ),
    "meter_repeats": (
        MeterRepeats(share=1.0),
        lambda seen, _: len(seen.readings("ocpp")) > 1.8 * len(seen.readings("can")),
    ),
    "network": (
        Network(delay_s=1.0),
        lambda seen, calm: seen.count(OcppMessageSeen) < 0.6 * calm.count(OcppMessageSeen),
    ),
    "transaction_messages": (
        TransactionMessages(way="elsewhere"),
        lambda seen, _: {reading.connector for reading in seen.readings("ocpp")} == {2},
    ),
    "impostor": (
        Impostor(serial_number="EVIL", every_s=10.0),
        lambda seen, _: (
            any(one.detail["serial_number"] == "EVIL" for one in seen.named("charge_point_booted"))
            and bool(seen.named("connection_replaced"))
        ),
    ),
}


@pytest.mark.parametrize("fault", SHOWS)
def test_injection_shows(fault: str, undisturbed: Seen) -> None:
    injection, shows = SHOWS[fault]
    assert shows(lived(injection).during(), undisturbed.during())
    assert not shows(undisturbed.during(), undisturbed.during()), "else this test would prove nothing"


@pytest.mark.parametrize("fault", sorted(SHOWS.keys() - {"can_frames", "module_silent"}))
def test_injection_is_over_when_its_time_is(fault: str, undisturbed: Seen) -> None:
    """Half a minute later the bus shows what it would have shown: nobody heals a stop, so not after that."""
    later = BEGIN_AT + timedelta(seconds=BEGAN_S + LASTS_S + 30)
    for origin in ("can", "ocpp"):
        after, calm = (
            [reading.current_a for reading in seen.readings(origin) if reading.at > later]
            for seen in (lived(SHOWS[fault][0]), undisturbed)
        )
        if fault != "can_limit":  # the false limit stands until the next command
            assert len(after) == pytest.approx(len(calm), abs=3)
            assert mean([a or 0.0 for a in after]) == pytest.approx(mean([a or 0.0 for a in calm]), rel=0.05)


def test_register_falls_back() -> None:
    energies_wh = lived(MeterRegister(back_wh=500.0)).energies_wh()
    assert min(after - before for before, after in pairwise(energies_wh)) < -450


def test_clock_is_shifted() -> None:
    """Readings bear the wrong time and arrive at the right one."""
    seen = lived(ClockShift(offset_s=-3600.0))
    shifted = [reading for reading in seen.readings("ocpp") if reading.at < BEGIN_AT]
    assert len(shifted) == pytest.approx(LASTS_S, abs=2)


def test_stop_is_never_sent_or_twice() -> None:
    """The injection lasts beyond the session's end."""
    orphan = lived(TransactionMessages(way="orphan"), seconds=300.0)
    assert orphan.count(TransactionStarted) == 1
    assert orphan.count(TransactionEnded) == 0
    twice = lived(TransactionMessages(way="twice"), seconds=300.0)
    stops = [e for e in twice.events if isinstance(e, OcppMessageSeen) and e.action == "StopTransaction"]
    assert sum(stop.message_type == "call" for stop in stops) == 2
    assert twice.count(TransactionEnded) == 2


def test_lost_connection_is_made_again_and_nothing_is_lost(undisturbed: Seen) -> None:
    """What was measured meanwhile comes in a burst, with old timestamps."""
    seen = lived(Disconnect())
    assert "Offline" in seen.statuses()
    assert [event.name for event in seen.events if isinstance(event, SystemEvent)].count(
        "csms_connected"
    ) == 2
    assert seen.named("csms_lost")
    assert len(seen.readings("ocpp")) == pytest.approx(len(undisturbed.readings("ocpp")), abs=3)


def test_messages_that_the_network_loses_are_given_up() -> None:
    seen = lived(Network(drop_share=0.2), seconds=150.0)
    assert seen.named("message_given_up")


def test_tag_of_another_does_nothing_and_the_own_one_ends_the_session() -> None:
    assert lived(PresentTag(id_tag="OTHER")).count(TransactionEnded) == 1
    ended = [e for e in lived(PresentTag(id_tag="TAG-1")).events if isinstance(e, TransactionEnded)]
    assert (ended[0].at - BEGIN_AT).total_seconds() == pytest.approx(BEGAN_S, abs=1)


def test_cable_is_pulled() -> None:
    ended = [e for e in lived(Cable(plugged=False)).events if isinstance(e, TransactionEnded)]
    assert [event.reason for event in ended] == ["EVDisconnected"]


def test_saw_tooth_shows_in_the_ramp() -> None:
    """Begun before the car comes: several reversals of 10 A and more."""
    currents_a = lived(RampSawTooth(amplitude_a=12.0, period_s=8.0), began_s=50.0).currents_a()
    assert sum(after < before - 2 for before, after in pairwise(currents_a)) >= 4


def test_every_injection_of_the_contract_is_tested() -> None:
    tested = {type(injection) for injection, _ in SHOWS.values()} | {
        Cable, ClockShift, Disconnect, PresentTag, RampSawTooth
    }  # fmt: skip
    assert tested == set(injections.AnyInjection.__args__)  # type: ignore[attr-defined]
