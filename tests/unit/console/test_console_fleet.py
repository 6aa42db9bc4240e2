"""The fleet: what leases, frames, anomalies and the CSMS make of it."""

from datetime import UTC, datetime

import pytest

from console import fleet as fleet_module
from console.answers import ChargePoint, ConnectorStatus, TransactionFacts
from console.connector import CsmsView, Detail, Row
from console.fleet import FORGET_AFTER_S, Fleet
from console.window import Sample
from contracts.backplane import LEASE_TIMEOUT_S, Lease
from contracts.can_frames import Current, Faults, ModuleState, Output, SetLimit, Start, Status, Thermal
from contracts.events import StatusChanged

NOW_S = 1_700_000_000.0
CP_1 = ("CP-1", 1)


def lease(charge_point_id: str = "CP-1", connector: int = 1, bus_port: int = 43200) -> Lease:
    return Lease(charge_point_id=charge_point_id, connector=connector, bus_port=bus_port)


def leased(*charge_point_ids: str) -> Fleet:
    """Return a fleet whose charge points are leased and told of."""
    fleet = Fleet()
    for charge_point_id in charge_point_ids or ("CP-1",):
        fleet.hear_lease(lease(charge_point_id), NOW_S)
    fleet.drain(NOW_S)
    return fleet


def row_of(fleet: Fleet, now_s: float = NOW_S, key: tuple[str, int] = CP_1) -> Row:
    return next(row for row in fleet.snapshot(now_s) if (row.charge_point_id, row.connector) == key)


def detail_of(fleet: Fleet, now_s: float = NOW_S) -> Detail:
    connector = fleet.get(CP_1)
    assert connector is not None
    return connector.detail(now_s, None)


def drained(fleet: Fleet, now_s: float = NOW_S) -> list[Row]:
    rows, _ = fleet.drain(now_s)
    return rows


def test_a_lease_makes_a_connector() -> None:
    """A charge point that announces its bus is in the fleet before any reading."""
    fleet = Fleet()
    assert fleet.hear_lease(lease(), NOW_S) == CP_1
    (row,) = drained(fleet, NOW_S)
    assert (row.charge_point_id, row.connector, row.bus, row.bus_port) == ("CP-1", 1, "silent", 43200)


def test_the_base_frame_alone_is_a_sample() -> None:
    """A module that knows only 0x300 is plotted, in whole amperes."""
    fleet = leased()
    fleet.hear_frame(CP_1, Current(87), NOW_S)
    (row,) = drained(fleet, NOW_S)
    assert row.samples == [(NOW_S, 87.0)]
    assert row.bus == "live"
    assert (row.present_a, row.stale, row.power_w) == (87.0, False, None)


def test_the_precise_frame_refines_the_base_frame() -> None:
    """Where 0x301 and 0x300 agree, the sample has 0.01 A and the offer."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(87), NOW_S + 0.01)
    assert row_of(fleet).samples == [(NOW_S + 0.01, 87.31)]
    assert row_of(fleet).power_w == 34924.0
    assert detail_of(fleet).offered_a == 100.0


def test_a_spoofed_base_frame_is_shown_as_it_is() -> None:
    """What stands on 0x300 is what the bus says, even where the module's 0x301 says otherwise."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(3), NOW_S + 0.01)
    assert row_of(fleet).samples == [(NOW_S + 0.01, 3.0)]
    assert row_of(fleet).power_w == 1200.0


def test_an_old_precise_frame_refines_nothing() -> None:
    """0x301 of an earlier second says nothing of this one."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(87), NOW_S + 1)
    assert row_of(fleet).samples == [(NOW_S + 1, 87.0)]


def test_status_and_temperature_are_words_and_numbers() -> None:
    """What 0x302 and 0x303 say is shown."""
    fleet = leased()
    faults = Faults.OVER_TEMPERATURE | Faults.CONTACTOR_WELDED
    fleet.hear_frame(CP_1, Status(ModuleState.FAULTED, False, False, faults, 1, 12, 0), NOW_S)
    fleet.hear_frame(CP_1, Thermal(91.5, 48.0), NOW_S)
    assert row_of(fleet).module_state == "faulted"
    detail = detail_of(fleet)
    assert detail.module_state == "faulted"
    assert detail.faults == ["over temperature", "contactor welded"]
    assert (detail.temperature_c, detail.soc_percent) == (91.5, 48.0)


@pytest.mark.parametrize("frame", [Start(), SetLimit(32)])
def test_commands_are_no_readings(frame) -> None:
    """What the charge point sends on the same bus changes nothing."""
    fleet = leased()
    fleet.hear_frame(CP_1, frame, NOW_S)
    assert drained(fleet, NOW_S) == []


def test_a_frame_of_an_unknown_connector_is_passed_over() -> None:
    """A frame that was still queued when its connector was forgotten."""
    fleet = Fleet()
    fleet.hear_frame(CP_1, Current(1), NOW_S)
    assert len(fleet) == 0


def test_what_changed_is_told_once() -> None:
    """An update holds the new samples of the connectors that changed, and nothing else."""
    fleet = leased("CP-1", "CP-2")
    fleet.hear_frame(CP_1, Current(1), NOW_S)
    fleet.hear_frame(CP_1, Current(2), NOW_S + 1)
    (row,) = drained(fleet, NOW_S + 1)
    assert [sample[1] for sample in row.samples] == [1.0, 2.0]
    assert drained(fleet, NOW_S + 1) == []
    assert len(row_of(fleet, NOW_S + 1).samples) == 2


def test_a_detail_has_every_limit_apart() -> None:
    """Commanded and acknowledged by OCPP, last seen on the bus, offered by the module: four numbers."""
    fleet = leased()
    running = TransactionFacts(transaction_id=7, id_tag="BENCH", started_at="2026-01-01T00:00:00Z")
    status = ConnectorStatus(
        connector=1, status="Charging", commanded_a=63, acknowledged_a=32, transaction=running
    )
    fleet.know_charge_points([ChargePoint(charge_point_id="CP-1", connectors=[status])], NOW_S)
    fleet.hear_frame(CP_1, SetLimit(31), NOW_S)
    fleet.hear_frame(CP_1, Output(30.5, 400.0, 30.9), NOW_S)
    fleet.hear_frame(CP_1, Thermal(41.0, 50.0), NOW_S)
    fleet.hear_frame(CP_1, Current(31), NOW_S)
    detail = detail_of(fleet)
    assert (detail.commanded_a, detail.acknowledged_a) == (63, 32)
    assert (detail.bus_limit_a, detail.offered_a) == (31.0, 30.9)
    assert detail.transaction == running
    assert detail.samples == [Sample(NOW_S, 30.5, 30.9, 31.0, 63, 400.0, 12200.0, 41.0)]
    assert detail.whole


def test_the_status_lane_begins_with_the_status_at_its_begin() -> None:
    """What changed before the span is known by its last status alone."""
    fleet = leased()
    for at_s, word in ((0, "Available"), (10, "Preparing"), (10.5, "Preparing"), (50, "Charging")):
        status = ConnectorStatus(connector=1, status=word)
        known = ChargePoint(charge_point_id="CP-1", connected=True, connectors=[status])
        fleet.know_charge_points([known], NOW_S + at_s)
    connector = fleet.get(CP_1)
    assert connector is not None
    assert connector.statuses(NOW_S + 55) == [
        (NOW_S, "Available"),
        (NOW_S + 10, "Preparing"),
        (NOW_S + 50, "Charging"),
    ]
    assert connector.statuses(NOW_S + 80) == [(NOW_S + 20, "Preparing"), (NOW_S + 50, "Charging")]


@pytest.mark.parametrize("ahead_s", [-5.0, 0.0, 3600.0])
def test_a_charge_points_clock_that_is_ahead_holds_up_no_status(ahead_s: float) -> None:
    """Statuses carry its time. What it says of the future is now, so that what follows is taken."""
    fleet = leased()
    for at_s, word in ((0, "Charging"), (10, "Finishing")):
        at = datetime.fromtimestamp(NOW_S + at_s + ahead_s, UTC)
        changed = StatusChanged(at=at, charge_point_id="CP-1", connector=1, status=word)
        fleet.hear_status(changed, NOW_S + at_s)
    connector = fleet.get(CP_1)
    assert connector is not None
    early_s = min(ahead_s, 0.0)
    assert connector.statuses(NOW_S + 15) == [
        (NOW_S + early_s, "Charging"),
        (NOW_S + 10 + early_s, "Finishing"),
    ]


def test_a_clock_set_back_holds_up_no_status() -> None:
    fleet = leased()
    for at_s, word in ((0, "Available"), (3600, "Charging"), (10, "Charging"), (20, "Finishing")):
        status = ConnectorStatus(connector=1, status=word)
        known = ChargePoint(charge_point_id="CP-1", connected=True, connectors=[status])
        fleet.know_charge_points([known], NOW_S + at_s)
    connector = fleet.get(CP_1)
    assert connector is not None
    assert connector.statuses(NOW_S + 25) == [
        (NOW_S, "Available"),
        (NOW_S + 10, "Charging"),
        (NOW_S + 20, "Finishing"),
    ]


def test_who_is_not_connected_is_offline_whatever_it_said_last() -> None:
    """The CSMS keeps the last status; the lane says what its own event and the row say: Offline."""
    fleet = leased()
    for at_s, connected in ((0, True), (10, False), (20, True)):
        status = ConnectorStatus(connector=1, status="Charging")
        known = ChargePoint(charge_point_id="CP-1", connected=connected, connectors=[status])
        fleet.know_charge_points([known], NOW_S + at_s)
    connector = fleet.get(CP_1)
    assert connector is not None
    lane = [(NOW_S, "Charging"), (NOW_S + 10, "Offline"), (NOW_S + 20, "Charging")]
    assert connector.statuses(NOW_S + 25) == lane


def test_one_charge_point_alone_is_learnt() -> None:
    """Whoever looks at a charge point asks for it alone: nothing is said of the others."""
    fleet = leased("CP-1", "CP-2")
    everything = [ChargePoint(charge_point_id=name, connected=True) for name in ("CP-1", "CP-2")]
    fleet.know_charge_points(everything, NOW_S)
    fleet.know_charge_point(ChargePoint(charge_point_id="CP-1", connected=False), NOW_S)
    told = {row.charge_point_id: row.csms.connected for row in drained(fleet) if row.csms}
    assert told == {"CP-1": False, "CP-2": True}


def test_silence_is_told_by_the_sweep() -> None:
    """Nobody sends when nothing is sent: the sweep says that the readings and then the lease ended."""
    fleet = leased()
    fleet.hear_frame(CP_1, Current(9), NOW_S)
    fleet.drain(NOW_S)
    fleet.sweep(NOW_S + 1)
    assert drained(fleet, NOW_S + 1) == []
    fleet.sweep(NOW_S + LEASE_TIMEOUT_S - 0.1)
    (row,) = drained(fleet, NOW_S + LEASE_TIMEOUT_S - 0.1)
    assert (row.bus, row.stale) == ("silent", True)
    fleet.sweep(NOW_S + LEASE_TIMEOUT_S + 1)
    (row,) = drained(fleet, NOW_S + LEASE_TIMEOUT_S + 1)
    assert row.bus == "lost"
    fleet.sweep(NOW_S + 62)
    (row,) = drained(fleet, NOW_S + 62)
    assert row.samples == []
    assert detail_of(fleet, NOW_S + 62).statistics.count == 0


def test_a_charge_point_that_left_is_forgotten() -> None:
    """A bus that is not announced any more is shown as lost for a while, then it is gone."""
    fleet = leased()
    fleet.sweep(NOW_S + FORGET_AFTER_S - 1)
    assert row_of(fleet, NOW_S + FORGET_AFTER_S - 1).bus == "lost"
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert fleet.drain(NOW_S + FORGET_AFTER_S + 1) == ([], [CP_1])
    assert len(fleet) == 0


def test_what_the_csms_knows_is_not_forgotten() -> None:
    """A charge point without a bus is shown for as long as the CSMS knows it."""
    fleet = Fleet()
    fleet.know_charge_points([ChargePoint(charge_point_id="foreign", connected=True)], NOW_S)
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert row_of(fleet, key=("foreign", 1)).bus == "none"
    fleet.know_charge_points([], NOW_S)
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert len(fleet) == 0


def test_can_and_csms_meet_in_one_connector() -> None:
    """Status, transaction and scenario of the CSMS stand beside the readings of the bus."""
    fleet = leased()
    status = ConnectorStatus(connector=1, status="Charging", error_code="NoError", transaction_id=7)
    station = ConnectorStatus(connector=0, status="Available")
    known = ChargePoint(
        charge_point_id="CP-1",
        connected=True,
        enrolled=True,
        connectors=[station, status],
        scenario="benign-charging",
    )
    fleet.know_charge_points([known], NOW_S)
    (row,) = drained(fleet, NOW_S)
    assert row.csms == CsmsView(
        connected=True,
        enrolled=True,
        status="Charging",
        error_code="NoError",
        transaction_id=7,
        scenario="benign-charging",
    )
    fleet.know_charge_points([known], NOW_S)
    assert drained(fleet, NOW_S) == []


def test_the_fleet_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody on the CAN network can send leases: beyond the bound they are refused and counted."""
    monkeypatch.setattr(fleet_module, "MAX_CONNECTORS", 2)
    fleet = leased("CP-1", "CP-2")
    assert fleet.hear_lease(lease("CP-3"), NOW_S) is None
    assert (len(fleet), fleet.refused) == (2, 1)
