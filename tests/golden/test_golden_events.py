"""The JSON of everything that passes by MQTT and backplane, fixed in golden/events/: one file a kind.

Who changes a file changes what other programs read: `SCHEMA` with it, unless a field with a default came.
"""

import typing
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import backplane, events
from contracts.backplane import Lease, Offer
from contracts.events import (
    Anomaly,
    AnyEvent,
    Batch,
    CanFrameSeen,
    CommandSent,
    Committed,
    OcppMessageSeen,
    Reading,
    ScenarioLabel,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from contracts.verdicts import Verdict, decode_verdict

FOLDER = Path(__file__).parent / "events"
AT = datetime(2026, 3, 1, 12, 30, 45, 250_000, tzinfo=UTC)
BOOT = uuid.UUID("6f0c2d0e-9a53-4b7c-8f5e-0d9d9d2c1a11")

EVENTS: dict[str, AnyEvent] = {
    "can_frame_seen": CanFrameSeen(
        at=AT, charge_point_id="CP-1", connector=1, can_id=0x210, data="2c01", sent=True
    ),
    "ocpp_message_seen": OcppMessageSeen(
        at=AT,
        charge_point_id="CP-1",
        connector=1,
        direction="sent",
        message_type="call_error",
        unique_id="7",
        action="MeterValues",
        payload={"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "99.6"}]}]},
        error_code="ProtocolError",
        round_trip_s=0.004,
    ),
    "reading": Reading(
        at=AT,
        charge_point_id="CP-1",
        connector=1,
        origin="can",
        transaction_id=4711,
        current_a=99.6,
        offered_a=100.0,
        voltage_v=400.1,
        power_w=39_850.0,
        power_offered_w=40_000.0,
        power_factor=1.0,
        frequency_hz=50.0,
        energy_wh=12_345.6,
        temperature_c=41.5,
        soc_percent=55.5,
        commanded_a=100.0,
        acknowledged_a=90.0,
    ),
    "status_changed": StatusChanged(
        at=AT, charge_point_id="CP-1", connector=1, status="Faulted", error_code="GroundFailure"
    ),
    "transaction_started": TransactionStarted(
        at=AT, charge_point_id="CP-1", connector=1, transaction_id=4711, id_tag="TAG-1", meter_start_wh=1000.0
    ),
    "transaction_ended": TransactionEnded(
        at=AT,
        charge_point_id="CP-1",
        connector=1,
        transaction_id=4711,
        meter_stop_wh=2000.5,
        reason="EVDisconnected",
    ),
    "command_sent": CommandSent(
        at=AT,
        charge_point_id="CP-1",
        connector=1,
        command="RemoteStartTransaction",
        parameters={"idTag": "TAG-1", "connectorId": 1},
        outcome="Accepted",
    ),
    "system_event": SystemEvent(
        at=AT,
        charge_point_id="CP-1",
        connector=1,
        service="chargepoint",
        name="module_lost",
        detail={"bus_port": 43200},
    ),
    "scenario_label": ScenarioLabel(
        at=AT,
        run_id="run-1",
        scenario="repeated-current-fluctuation",
        anomaly="repeated_current_fluctuation",
        phase="started",
        charge_point_ids=["CP-1", "CP-3"],
        parameters={"high_a": 100},
        seed=7,
        physical_started_at=datetime(2026, 3, 1, 12, 30, 46, tzinfo=UTC),
        physical_ended_at=datetime(2026, 3, 1, 12, 31, 46, 500_000, tzinfo=UTC),
    ),
}

MESSAGES: dict[str, Batch | Committed | Anomaly] = {
    "batch": Batch(
        source="csms:csms-1/events/07",
        boot=BOOT,
        first_seq=41,
        committed=40,
        events=[
            SystemEvent(at=AT, service="csms", name="service_started"),
            Reading(at=AT, charge_point_id="CP-1", connector=1, origin="ocpp"),
        ],
    ),
    "committed": Committed(boot=BOOT, seq=42),
    "anomaly": Anomaly(
        id=BOOT,
        charge_point_id="CP-1",
        connector=1,
        kind="repeated_current_fluctuation",
        severity="critical",
        phase="closed",
        started_at=AT,
        detected_at=AT + timedelta(seconds=20),
        updated_at=AT + timedelta(seconds=60),
        ended_at=AT + timedelta(seconds=61),
        score=7.0,
        threshold=4.0,
        deviation=99.0,
        pattern={"period_s": 8.0, "amplitude_a": 99.0},
        explanation="The current swung 7 times between 0 A and 99 A.",
    ),
}

DATAGRAMS: dict[str, Lease | Offer] = {
    "lease": Lease(charge_point_id="CP-1", connector=2, bus_port=43201, charger_id="charger-1"),
    "offer": Offer(charger_id="charger-1", bus_port=43201, attached=True, load=3),
}

VERDICT = Verdict(
    detector="swings",
    kind="repeated-current-fluctuation",
    charge_point_id="CP-1",
    connector=1,
    at=AT,
    ended_at=AT + timedelta(seconds=61),
    score=3.0,
    explanation="3 times to half of 100 A and back within a minute",
)

DECODERS = {
    "batch": events.decode_batch,
    "committed": events.decode_committed,
    "anomaly": events.decode_anomaly,
}


def golden(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes().removesuffix(b"\n")


def test_every_kind_of_event_has_a_golden_file() -> None:
    """No kind without a file, no file without a kind."""
    kinds = {kind.__struct_config__.tag for kind in typing.get_args(AnyEvent)}
    assert set(EVENTS) == kinds
    assert {path.stem for path in FOLDER.iterdir()} == {*EVENTS, *MESSAGES, *DATAGRAMS, "verdict"}


def test_the_golden_events_give_every_field() -> None:
    """A field that a golden event leaves at its default would not be fixed; labels are about no one place."""
    for event in EVENTS.values():
        unset = {
            name
            for name in event.__struct_fields__
            if getattr(event, name) is None and name not in {"charge_point_id", "connector"}
        }
        assert unset == set(), type(event).__name__


@pytest.mark.parametrize("kind", EVENTS)
def test_event_is_encoded_as_ever(kind: str) -> None:
    assert events.encode_event(EVENTS[kind]) == golden(kind)


@pytest.mark.parametrize("kind", EVENTS)
def test_event_of_a_golden_file_is_read_whole(kind: str) -> None:
    payload = events.encode_batch("csms/events/00", BOOT, 1, 0, [golden(kind)])
    assert events.decode_batch(payload).events == [EVENTS[kind]]


@pytest.mark.parametrize("name", MESSAGES)
def test_message_is_encoded_and_read_as_ever(name: str) -> None:
    assert events.encode(MESSAGES[name]) == golden(name)
    assert DECODERS[name](golden(name)) == MESSAGES[name]


def test_verdict_of_a_foreign_detector_is_read_as_ever() -> None:
    assert decode_verdict(golden("verdict")) == VERDICT


@pytest.mark.parametrize("name", DATAGRAMS)
def test_datagram_is_encoded_and_read_as_ever(name: str) -> None:
    assert backplane.encode(DATAGRAMS[name]) == golden(name)
    assert backplane.decode(golden(name)) == [DATAGRAMS[name]]


def test_batch_of_encoded_events_is_the_batch_of_events() -> None:
    """The two ways to make a batch give the same bytes."""
    batch = typing.cast("Batch", MESSAGES["batch"])
    encoded = [events.encode_event(event) for event in batch.events]
    assert events.encode_batch(batch.source, batch.boot, 41, 40, encoded) == golden("batch")
