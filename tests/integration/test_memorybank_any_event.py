"""Whatever the contract lets through can be stored and shown: no peer can stop the memory."""

import asyncio
import uuid

import msgspec
import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import events, topics
from contracts.errors import MalformedEvent
from contracts.events import (
    AnyEvent,
    CommandSent,
    OcppMessageSeen,
    Reading,
    StatusChanged,
    SystemEvent,
    TransactionEnded,
    TransactionStarted,
)
from memorybank.detectors import found
from memorybank.detectors.reversals import Reversals
from memorybank.intake import take
from memorybank.store import Store
from memorybank.tables import Position
from memorybank.watch import Watch
from memorybank.work import Work
from memorybank_parts import START_AT, source_of
from real_parts import Postgres

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
name = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | st.just("CP-1")
number = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1).map(float)
bigint = st.integers(-(2**63), 2**63 - 1)
json = st.recursive(
    st.none() | st.booleans() | bigint | number | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
payload = st.dictionaries(text, json, max_size=3)
common = {
    "at": st.datetimes(events.EARLIEST_AT.replace(tzinfo=None), events.LATEST_AT.replace(tzinfo=None)).map(
        lambda at: at.replace(tzinfo=START_AT.tzinfo)
    )
    | st.just(START_AT),
    "charge_point_id": st.none() | name,
    "connector": st.none() | st.integers(0, 255),
}
measurands = {
    field: st.none() | number
    for field in Reading.__struct_fields__
    if field not in (*common, "origin", "transaction_id")
}
any_event: st.SearchStrategy[AnyEvent] = st.one_of(
    st.builds(
        Reading,
        **common,
        origin=st.sampled_from(["can", "ocpp"]),
        transaction_id=st.none() | bigint,
        **measurands,
    ),
    st.builds(
        OcppMessageSeen,
        **common,
        direction=st.just("sent"),
        message_type=st.just("unreadable"),
        unique_id=text,
        action=text,
        payload=payload,
        error_code=st.none() | text,
        round_trip_s=st.none() | number,
    ),
    st.builds(StatusChanged, **common, status=name, error_code=text),
    st.builds(TransactionStarted, **common, transaction_id=bigint, id_tag=text, meter_start_wh=number),
    st.builds(TransactionEnded, **common, transaction_id=bigint, meter_stop_wh=number, reason=text),
    st.builds(CommandSent, **common, command=name, parameters=payload, outcome=text),
    st.builds(
        SystemEvent,
        **common,
        service=name | st.just("csms"),
        name=name | st.just("connection_closed"),
        detail=payload,
    ),
)
VIEWS = ("metrics", "charge_points", "status", "anomalies", "sessions", "events", "sources")


def test_any_event_is_stored_once_and_can_be_shown(postgres: Postgres) -> None:
    """As publishers send them: encoded, numbered, in batches."""
    source, boot, watch, sent = source_of(), uuid.UUID(int=1), Watch((*found(), Reversals(threshold=3))), 0

    with asyncio.Runner() as runner:
        store = Store(postgres.writer_url)
        runner.run(store.load())
        position = runner.run(store.position(source.id, boot))

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(any_event, min_size=1, max_size=20))
        def store_them(happened: list[AnyEvent]) -> None:
            nonlocal position, sent
            encoded = []
            for event in happened:
                try:
                    encoded.append(events.encode_event(event))
                except MalformedEvent:  # refused before it has a number
                    continue
            if not encoded:
                return
            message = events.encode_batch(source.id, boot, position.committed + 1, 0, encoded)
            work = Work()
            taken = take(topics.events_topic(source), message)
            committed = work.add(position.source_no, position.committed, "t", taken, watch, 0.0)
            runner.run(store.save(work))
            position = Position(position.source_no, committed)
            sent += len(encoded)

        store_them()
        runner.run(store.aclose())
    with psycopg.connect(postgres.reader_url) as connection:
        stored = connection.execute(
            "SELECT count(*), count(DISTINCT seq) FROM memory.numbered_events"
        ).fetchone()
        for view in VIEWS:
            rows = connection.execute(f"SELECT * FROM dash.{view}").fetchall()  # type: ignore[arg-type]
            msgspec.json.encode(rows)
    assert stored == (sent, sent)
    assert sent > 100
