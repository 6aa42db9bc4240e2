"""From events to rows and changes."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import events, topics
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
)
from contracts.topics import Source
from memorybank.changes import Changes
from memorybank.intake import SetAside, take
from memorybank.records import EVENT_COLUMNS, JSONB_VERSION, LABEL_COLUMNS, METRIC_COLUMNS, Rows

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def taken(channel: str, *happened: AnyEvent) -> list[object]:
    source = Source("csms:csms-0", "truth" if channel == "truth" else "events", 3)
    sent = Batch(
        source=source.id,
        boot="00000000-0000-0000-0000-000000000001",  # type: ignore[arg-type]
        first_seq=1,
        committed=0,
        events=list(happened),
    )
    return list(take(topics.events_topic(source), events.encode(sent)).events)


def reading(second: float = 0, **more: object) -> Reading:
    known = Reading(
        at=AT + timedelta(seconds=second), charge_point_id="CP-1", connector=1, origin="can", transaction_id=7
    )
    return msgspec.structs.replace(known, **more)


def started(second: float = 0, **more: object) -> TransactionStarted:
    known = TransactionStarted(
        at=AT + timedelta(seconds=second),
        charge_point_id="CP-1",
        connector=1,
        transaction_id=7,
        id_tag="TAG",
        meter_start_wh=100.0,
    )
    return msgspec.structs.replace(known, **more)


def ended(second: float = 0, **more: object) -> TransactionEnded:
    known = TransactionEnded(
        at=AT + timedelta(seconds=second),
        charge_point_id="CP-1",
        connector=1,
        transaction_id=7,
        meter_stop_wh=150.0,
    )
    return msgspec.structs.replace(known, **more)


LABEL = ScenarioLabel(
    at=AT, run_id="r", scenario="s", anomaly=None, phase="started", charge_point_ids=["CP-1"]
)


def test_every_measurand_has_a_column() -> None:
    """A new field of Reading does not get lost on its way."""
    assert set(Reading.__struct_fields__) | {"seq", "source_no"} == set(METRIC_COLUMNS)
    assert set(ScenarioLabel.__struct_fields__) - {"charge_point_id", "connector"} | {
        "seq",
        "source_no",
    } == set(LABEL_COLUMNS)


def test_rows_follow_their_columns() -> None:
    """Each value stands in the place of its name."""
    values = {
        name: float(number) for number, (name, kind) in enumerate(METRIC_COLUMNS.items()) if kind == "float8"
    }
    rows = Rows()
    rows.add(3, 17, "t", [reading(**values), LABEL])
    metric = dict(zip(METRIC_COLUMNS, rows.metrics[0], strict=True))
    assert metric == {
        **values,
        "at": AT, "seq": 17, "source_no": 3, "transaction_id": 7,
        "connector": 1, "charge_point_id": "CP-1", "origin": "can",
    }  # fmt: skip
    label = dict(zip(LABEL_COLUMNS, rows.labels[0], strict=True))
    assert (label["seq"], label["run_id"], label["parameters"]) == (18, "r", b"\x01{}")


def test_an_event_can_be_made_again_from_its_row() -> None:
    """Nothing of an event is lost in its detail."""
    event = CommandSent(
        at=AT, charge_point_id="CP-1", command="Reset", parameters={"type": "Hard"}, outcome="Accepted"
    )
    rows = Rows()
    rows.add(1, 1, "t", [event])
    row = dict(zip(EVENT_COLUMNS, rows.events[0], strict=True))
    detail = msgspec.json.decode(row["detail"].removeprefix(JSONB_VERSION))
    again = msgspec.convert(
        {**detail, "kind": row["kind"], "at": row["at"], "charge_point_id": row["charge_point_id"]},
        CommandSent,
    )
    assert again == event
    assert set(get_args(AnyEvent)) > {CommandSent}


@pytest.mark.parametrize(
    "event",
    [
        CanFrameSeen(at=AT, charge_point_id="CP-1", connector=1, can_id=768, data="0a00"),
        CanFrameSeen(at=AT, charge_point_id="CP-1", connector=1, can_id=0, data="", sent=True),
        OcppMessageSeen(at=AT, direction="received", message_type="call", payload={"a": [{"b": 1.5}]}),
        OcppMessageSeen(at=AT, direction="sent", message_type="call_result", unique_id="1", round_trip_s=0.0),
        StatusChanged(at=AT, charge_point_id="CP-1", connector=0, status="Faulted", error_code="Ünknown"),
        started(),
        ended(9, reason="Remote"),
        ended(9, reason="Local"),
        CommandSent(at=AT, command="Reset", parameters={}, outcome="Timeout"),
        SystemEvent(at=AT, service="csms", name="started", detail={"number": None}),
    ],
)
def test_detail_is_the_event_but_for_what_has_a_column(event: AnyEvent) -> None:
    """To the byte: in its order, what is as by default left out."""
    rows = Rows()
    rows.add(1, 1, "t", [event])
    rest = msgspec.json.decode(msgspec.json.encode(event))
    columns = [rest.pop(name, None) for name in ("charge_point_id", "connector", "kind")]
    del rest["at"]
    row = dict(zip(EVENT_COLUMNS, rows.events[0], strict=True))
    assert row["detail"] == JSONB_VERSION + msgspec.json.encode(rest)
    assert [row[name] for name in ("charge_point_id", "connector", "kind")] == columns


@pytest.mark.parametrize(
    ("channel", "event", "reason"),
    [
        ("events", LABEL, "ScenarioLabel has no place on the events channel"),
        ("truth", reading(), "Reading has no place on the truth channel"),
        ("events", reading(connector=None), "a Reading names its charge point and its connector"),
        ("events", reading(charge_point_id=None), "a Reading names its charge point and its connector"),
    ],
)
def test_misplaced_events_are_set_aside(channel: str, event: AnyEvent, reason: str) -> None:
    """At their number, with the reason and the place."""
    (aside,) = taken(channel, event)
    assert isinstance(aside, SetAside)
    assert aside.reason == f"{reason} - at `$.events[0]`"
    assert msgspec.json.decode(aside.payload, type=type(event)) == event


def test_a_session_gathers_what_a_transaction_says() -> None:
    """Start, readings of both origins, end."""
    changes = Changes()
    for event in (
        started(),
        reading(1, current_a=10.0, energy_wh=101.0),
        reading(2, current_a=30.0, energy_wh=103.0),
        reading(1.5, current_a=99.0, energy_wh=102.0, origin="ocpp"),
        ended(3),
    ):
        changes.add(event)
    session = changes.sessions["CP-1", 7]
    assert (session.id_tag, session.started_at, session.meter_start_wh) == ("TAG", AT, 100.0)
    assert (session.can_readings, session.can_sum_a, session.can_peak_a) == (2, 40.0, 30.0)
    assert (session.ocpp_readings, session.ocpp_sum_a, session.ocpp_peak_a) == (1, 99.0, 99.0)
    assert (session.register_wh, session.meter_stop_wh, session.reason) == (103.0, 150.0, "Local")
    assert session.ended_at == AT + timedelta(seconds=3)


def test_a_start_that_comes_after_its_readings_is_the_start() -> None:
    """The order of arrival does not matter."""
    changes = Changes()
    for event in (reading(-1, current_a=1.0), reading(-2, current_a=1.0), started()):
        changes.add(event)
    assert changes.sessions["CP-1", 7].started_at == AT


def test_the_transaction_of_a_connector_is_the_latest_by_event_time() -> None:
    """A late end of an older transaction does not end the one that runs."""
    changes = Changes()
    for event in (started(5, transaction_id=8), ended(3)):
        changes.add(event)
    assert changes.transactions["CP-1", 1].transaction_id == 8
    changes.add(ended(9, transaction_id=8))
    assert changes.transactions["CP-1", 1].transaction_id is None


def test_the_latest_status_connection_and_reading_stand() -> None:
    """By event time; readings of the two origins apart."""
    changes = Changes()
    later, earlier = AT + timedelta(seconds=5), AT
    for at, word in ((later, "Charging"), (earlier, "Preparing")):
        changes.add(StatusChanged(at=at, charge_point_id="CP-1", connector=1, status=word))
    for at, name in ((earlier, "connection_closed"), (later, "connection_opened"), (later, "noticed")):
        changes.add(SystemEvent(at=at, charge_point_id="CP-1", service="csms", name=name))
    for second, origin in ((2, "can"), (1, "can"), (3, "ocpp")):
        changes.add(reading(second, origin=origin))
    assert changes.statuses["CP-1", 1].status == "Charging"
    assert changes.connections["CP-1"].connected is True
    assert changes.readings["CP-1", 1, "can"].at == AT + timedelta(seconds=2)
    assert changes.readings["CP-1", 1, "ocpp"].at == AT + timedelta(seconds=3)


def test_another_services_word_on_connections_counts_nothing() -> None:
    """Only the CSMS holds connections."""
    changes = Changes()
    changes.add(SystemEvent(at=AT, charge_point_id="CP-1", service="chargepoint", name="connection_closed"))
    assert changes.connections == {}


def test_absurd_values_do_not_overflow() -> None:
    """Sums and differences stay within what PostgreSQL can add."""
    changes = Changes()
    changes.add(started(meter_start_wh=-1.7e308))
    for _ in range(3):
        changes.add(reading(1, current_a=1.7e308, energy_wh=1.7e308))
    session = changes.sessions["CP-1", 7]
    assert session.can_sum_a == 3e12
    assert (session.meter_start_wh, session.register_wh) == (-1e12, 1e12)


@given(
    can_id=st.integers(0, 0x1FFFFFFF),
    data=st.binary(max_size=64),
    sent=st.booleans(),
    connector=st.none() | st.integers(0, 255),
)
def test_a_frame_is_written_as_every_event_is(can_id, data, sent, connector):
    """The detail of a frame is made by hand, for speed: the contract's encoder makes the same of it."""
    frame = CanFrameSeen(
        at=AT, charge_point_id="CP-1", connector=connector, can_id=can_id, data=data.hex(), sent=sent
    )
    rows = Rows()
    rows.add(3, 9, "topic", [frame])
    own = {"at", "kind", "charge_point_id", "connector"}
    told = {name: value for name, value in msgspec.to_builtins(frame).items() if name not in own}
    detail = JSONB_VERSION + msgspec.json.encode(told)
    assert rows.events == [(AT, 9, 3, connector, "CP-1", "can_frame_seen", detail)]
