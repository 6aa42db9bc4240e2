"""The fleet: what leases, frames, anomalies and the CSMS make of it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from console import fleet as fleet_module
from console.answers import ChargePoint, ConnectorStatus
from console.connector import ConnectorView, CsmsView
from console.fleet import FORGET_AFTER_S, Fleet
from contracts.backplane import LEASE_TIMEOUT_S, Lease
from contracts.can_frames import Current, Faults, ModuleState, Output, SetLimit, Start, Status, Thermal
from contracts.events import Anomaly

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


def view_of(fleet: Fleet, now_s: float = NOW_S, key: tuple[str, int] = CP_1) -> ConnectorView:
    return next(v for v in fleet.snapshot(now_s).connectors if (v.charge_point_id, v.connector) == key)


def anomaly(**more: Any) -> Anomaly:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    values: dict[str, Any] = {
        "id": uuid.UUID(int=1),
        "charge_point_id": "CP-1",
        "connector": 1,
        "kind": "repeated-current-fluctuation",
        "severity": "warning",
        "phase": "opened",
        "started_at": at,
        "detected_at": at,
        "updated_at": at,
        "score": 8.0,
        "threshold": 6.0,
        "deviation": 97.0,
        "explanation": "8 reversals",
    }
    return Anomaly(**{**values, **more})


def test_a_lease_makes_a_connector() -> None:
    """A charge point that announces its bus is in the fleet before any reading."""
    fleet = Fleet()
    assert fleet.hear_lease(lease(), NOW_S) == CP_1
    (view,) = fleet.drain(NOW_S).connectors
    assert (view.charge_point_id, view.connector, view.bus, view.bus_port) == ("CP-1", 1, "silent", 43200)


def test_the_base_frame_alone_is_a_sample() -> None:
    """A module that knows only 0x300 is plotted, in whole amperes."""
    fleet = leased()
    fleet.hear_frame(CP_1, Current(87), NOW_S)
    (view,) = fleet.drain(NOW_S).connectors
    assert view.samples == [(NOW_S, 87.0, None)]
    assert view.bus == "live"
    assert view.statistics.present_a == 87.0


def test_the_precise_frame_refines_the_base_frame() -> None:
    """Where 0x301 and 0x300 agree, the sample has 0.01 A and the offer."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(87), NOW_S + 0.01)
    assert view_of(fleet).samples == [(NOW_S + 0.01, 87.31, 100.0)]


def test_a_spoofed_base_frame_is_shown_as_it_is() -> None:
    """What stands on 0x300 is what the bus says, even where the module's 0x301 says otherwise."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(3), NOW_S + 0.01)
    assert view_of(fleet).samples == [(NOW_S + 0.01, 3.0, 100.0)]


def test_an_old_precise_frame_refines_nothing() -> None:
    """0x301 of an earlier second says nothing of this one."""
    fleet = leased()
    fleet.hear_frame(CP_1, Output(87.31, 400.0, 100.0), NOW_S)
    fleet.hear_frame(CP_1, Current(87), NOW_S + 1)
    assert view_of(fleet).samples == [(NOW_S + 1, 87.0, None)]


def test_status_and_temperature_are_words_and_numbers() -> None:
    """What 0x302 and 0x303 say is shown."""
    fleet = leased()
    faults = Faults.OVER_TEMPERATURE | Faults.CONTACTOR_WELDED
    fleet.hear_frame(CP_1, Status(ModuleState.FAULTED, False, False, faults, 1, 12, 0), NOW_S)
    fleet.hear_frame(CP_1, Thermal(91.5, 48.0), NOW_S)
    view = view_of(fleet)
    assert view.module_state == "faulted"
    assert view.faults == ["over temperature", "contactor welded"]
    assert (view.temperature_c, view.soc_percent) == (91.5, 48.0)


@pytest.mark.parametrize("frame", [Start(), SetLimit(32)])
def test_commands_are_no_readings(frame) -> None:
    """What the charge point sends on the same bus changes nothing."""
    fleet = leased()
    fleet.hear_frame(CP_1, frame, NOW_S)
    assert fleet.drain(NOW_S).connectors == []


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
    (view,) = fleet.drain(NOW_S + 1).connectors
    assert [sample[1] for sample in view.samples] == [1.0, 2.0]
    assert fleet.drain(NOW_S + 1).connectors == []
    assert len(view_of(fleet, NOW_S + 1).samples) == 2


def test_silence_is_told_by_the_sweep() -> None:
    """Nobody sends when nothing is sent: the sweep says that the readings and then the lease ended."""
    fleet = leased()
    fleet.hear_frame(CP_1, Current(9), NOW_S)
    fleet.drain(NOW_S)
    fleet.sweep(NOW_S + 1)
    assert fleet.drain(NOW_S + 1).connectors == []
    fleet.sweep(NOW_S + LEASE_TIMEOUT_S - 0.1)
    (view,) = fleet.drain(NOW_S + LEASE_TIMEOUT_S - 0.1).connectors
    assert (view.bus, view.statistics.stale) == ("silent", True)
    fleet.sweep(NOW_S + LEASE_TIMEOUT_S + 1)
    (view,) = fleet.drain(NOW_S + LEASE_TIMEOUT_S + 1).connectors
    assert view.bus == "lost"
    fleet.sweep(NOW_S + 62)
    (view,) = fleet.drain(NOW_S + 62).connectors
    assert view.statistics.count == 0


def test_a_charge_point_that_left_is_forgotten() -> None:
    """A bus that is not announced any more is shown as lost for a while, then it is gone."""
    fleet = leased()
    fleet.sweep(NOW_S + FORGET_AFTER_S - 1)
    assert view_of(fleet, NOW_S + FORGET_AFTER_S - 1).bus == "lost"
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert fleet.drain(NOW_S + FORGET_AFTER_S + 1).gone == [CP_1]
    assert len(fleet) == 0


def test_what_the_csms_knows_is_not_forgotten() -> None:
    """A charge point without a bus is shown for as long as the CSMS knows it."""
    fleet = Fleet()
    fleet.know_charge_points([ChargePoint(charge_point_id="foreign", connected=True)])
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert view_of(fleet, key=("foreign", 1)).bus == "none"
    fleet.know_charge_points([])
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
    fleet.know_charge_points([known])
    (view,) = fleet.drain(NOW_S).connectors
    assert view.csms == CsmsView(
        connected=True,
        enrolled=True,
        status="Charging",
        error_code="NoError",
        transaction_id=7,
        scenario="benign-charging",
    )
    fleet.know_charge_points([known])
    assert fleet.drain(NOW_S).connectors == []


def test_an_anomaly_is_told_as_it_changes() -> None:
    """Opened, updated, closed: each once, the same word again not at all."""
    fleet = leased()
    opened = anomaly()
    fleet.hear_anomaly(opened, NOW_S)
    fleet.hear_anomaly(opened, NOW_S)
    assert fleet.drain(NOW_S).anomalies == [opened]
    later = opened.updated_at + timedelta(seconds=5)
    closed = msgspec.structs.replace(opened, phase="closed", updated_at=later, ended_at=later)
    fleet.hear_anomaly(closed, NOW_S + 5)
    assert fleet.drain(NOW_S).anomalies == [closed]


@pytest.mark.parametrize("late_s", [0, 3])
def test_a_late_word_does_not_open_an_anomaly_again(late_s: int) -> None:
    """The list from the MemoryBank may be older than what MQTT told since."""
    fleet = leased()
    opened = anomaly()
    later = opened.updated_at + timedelta(seconds=late_s)
    closed = msgspec.structs.replace(opened, phase="closed", updated_at=later, ended_at=later)
    fleet.hear_anomaly(closed, NOW_S)
    fleet.hear_anomaly(opened, NOW_S + 1)
    assert fleet.snapshot(NOW_S).anomalies == [closed]


def test_an_anomaly_whose_close_was_missed_ends_with_the_list() -> None:
    """QoS 0 may lose a close; the list of the open ones tells."""
    fleet = leased()
    fleet.hear_anomaly(anomaly(), NOW_S)
    fleet.know_open_anomalies([], asked_at_s=NOW_S + 2)
    (told,) = fleet.drain(NOW_S).anomalies
    assert (told.phase, told.ended_at) == ("closed", told.updated_at)


def test_a_list_asked_for_before_does_not_end_an_anomaly() -> None:
    """What opened while the MemoryBank was answering is not in its list and is open all the same."""
    fleet = leased()
    fleet.hear_anomaly(anomaly(), NOW_S + 2)
    fleet.know_open_anomalies([], asked_at_s=NOW_S)
    assert fleet.snapshot(NOW_S).anomalies[0].phase == "opened"


def test_an_ended_anomaly_is_forgotten_after_a_while() -> None:
    """It stays for the graph's marks, then only the MemoryBank has it; an open one stays."""
    fleet = leased()
    fleet.hear_anomaly(anomaly(phase="closed"), NOW_S)
    fleet.hear_anomaly(anomaly(id=uuid.UUID(int=2)), NOW_S)
    fleet.sweep(NOW_S + FORGET_AFTER_S + 1)
    assert [known.id for known in fleet.snapshot(NOW_S).anomalies] == [uuid.UUID(int=2)]


def test_the_fleet_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody on the CAN network can send leases: beyond the bound they are refused and counted."""
    monkeypatch.setattr(fleet_module, "MAX_CONNECTORS", 2)
    fleet = leased("CP-1", "CP-2")
    assert fleet.hear_lease(lease("CP-3"), NOW_S) is None
    assert (len(fleet), fleet.refused) == (2, 1)
