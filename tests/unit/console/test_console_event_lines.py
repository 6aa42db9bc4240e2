"""The lines of events that are no OCPP messages, and whose log they belong into."""

from datetime import UTC, datetime

import pytest

from console import event_lines
from contracts.events import (
    AnyEvent,
    CanFrameSeen,
    CommandSent,
    Reading,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)

AT = datetime(2026, 1, 1, tzinfo=UTC)
OURS = {"at": AT, "charge_point_id": "CP-1", "connector": 1}


@pytest.mark.parametrize(
    "event,layer,name,text",
    [
        (CanFrameSeen(**OURS, can_id=0x300, data="6200"), "can", "0x300 Current", "current 98 A"),
        (StatusChanged(**OURS, status="Charging"), "system", "status_changed", "connector 1 Charging"),
        (
            StatusChanged(
                at=AT, charge_point_id="CP-1", connector=0, status="Faulted", error_code="OtherError"
            ),
            "system",
            "status_changed",
            "the whole station Faulted, OtherError",
        ),
        (
            TransactionStarted(**OURS, transaction_id=7, id_tag="BENCH", meter_start_wh=0),
            "system",
            "transaction_started",
            "transaction 7 at connector 1, tag BENCH, meter 0 Wh",
        ),
        (
            TransactionEnded(**OURS, transaction_id=7, meter_stop_wh=1234.5, reason="Remote"),
            "system",
            "transaction_ended",
            "transaction 7, meter 1234.5 Wh, Remote",
        ),
        (
            CommandSent(**OURS, command="Reset", parameters={"type": "Hard"}, outcome="Accepted"),
            "system",
            "command_sent",
            "Reset: Accepted",
        ),
        (
            SystemEvent(**OURS, service="csms", name="connection_lost", detail={"code": 1006}),
            "system",
            "connection_lost",
            "csms: code 1006",
        ),
    ],
)
def test_lines(event: AnyEvent, layer: str, name: str, text: str) -> None:
    entry = event_lines.of_event("7", event)
    assert entry is not None
    assert (entry.id, entry.at_s, entry.layer, entry.name, entry.text) == (
        "7",
        AT.timestamp(),
        layer,
        name,
        text,
    )


def test_readings_have_no_line() -> None:
    """They are plotted."""
    assert event_lines.of_event("1", Reading(**OURS, origin="can")) is None


def test_a_name_from_outside_stays_on_one_line() -> None:
    """A tag may hold anything."""
    event = TransactionStarted(**OURS, transaction_id=7, id_tag="A\x1b[31m\n" + "x" * 240, meter_start_wh=0)
    entry = event_lines.of_event("1", event)
    assert entry is not None
    assert entry.text.isprintable()
    assert len(entry.text) <= 300


@pytest.mark.parametrize(
    "charge_point_id,connector,is_its",
    [("CP-1", 1, True), ("CP-1", 0, True), ("CP-1", None, True), ("CP-1", 2, False), ("CP-2", 1, False)],
)
def test_a_connectors_log_has_its_stations_events(
    charge_point_id: str, connector: int | None, is_its: bool
) -> None:
    event = StatusChanged(at=AT, charge_point_id=charge_point_id, connector=connector, status="Available")
    assert event_lines.concerns(event, ("CP-1", 1)) is is_its
