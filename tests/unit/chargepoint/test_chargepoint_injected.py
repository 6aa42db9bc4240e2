"""What injections make of a charge point's meter, clock and messages; without them: nothing."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from chargepoint import injected
from chargepoint.injected import ChargePointInjection, InForce
from contracts.events import Reading
from contracts.injections import ClockShift, MeterGain, MeterRegister, TransactionMessages

AT = datetime(2026, 1, 1, tzinfo=UTC)
ID = uuid.UUID(int=1)
TRUE = Reading(
    at=AT,
    charge_point_id="CP-1",
    connector=1,
    origin="can",
    current_a=100.0,
    power_w=40_000.0,
    energy_wh=1100.0,
)


def under(injection: ChargePointInjection, begun_wh: float = 1000.0) -> InForce:
    return injected.began(InForce(), ID, injection, begun_wh)


def test_nothing_in_force_changes_nothing() -> None:
    assert injected.told(InForce(), TRUE) is TRUE
    assert injected.ended(under(MeterGain(gain=0.1)), ID) == InForce()


def test_gain_scales_what_flows_since_its_begin() -> None:
    """The register goes on from where it was: it neither falls nor leaps."""
    told = injected.told(under(MeterGain(gain=0.1)), TRUE)
    assert (told.current_a, told.power_w, told.energy_wh) == pytest.approx((10.0, 4_000.0, 1010.0))


@pytest.mark.parametrize(("register", "told_wh"), [
    (MeterRegister(back_wh=300.0), 800.0),
    (MeterRegister(back_wh=5000.0), 0.0),
    (MeterRegister(frozen=True), 1000.0),
    (MeterRegister(unit_factor=0.001), 1.1),
])  # fmt: skip
def test_register_falls_freezes_or_is_in_another_unit(register: MeterRegister, told_wh: float) -> None:
    told = injected.told(under(register), TRUE)
    assert told.energy_wh == pytest.approx(told_wh)
    assert told.current_a == TRUE.current_a


def test_clock_is_off() -> None:
    assert injected.clock(under(ClockShift(offset_s=-60.0)), AT) == AT - timedelta(seconds=60)
    assert injected.told(under(ClockShift(offset_s=5.0)), TRUE).at == AT + timedelta(seconds=5)


@pytest.mark.parametrize(
    ("way", "stops", "connector"), [("orphan", 0, 1), ("twice", 2, 1), ("elsewhere", 1, 2)]
)
def test_messages_are_wrong(way: str, stops: int, connector: int) -> None:
    in_force = under(TransactionMessages(way=way))  # type: ignore[arg-type]
    assert injected.stops(in_force) == stops
    assert injected.connector(in_force, 1) == connector
    assert injected.stops(InForce()) == 1
    assert injected.connector(InForce(), 1) == 1
