"""`python -m memorybank` between a real broker and a real PostgreSQL, while either or itself dies."""

import asyncio
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from chassis.publisher import Publisher
from contracts import events, topics
from contracts.events import Anomaly, Batch, Committed
from memorybank_flow import listening, mqtt_settings, publish_notes, stored_numbers, until
from memorybank_parts import MemoryBankProcess, ask, batch, note, reading, source_of
from real_parts import Broker, Postgres


@pytest.fixture
def memorybank(postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[MemoryBankProcess]:
    process = MemoryBankProcess(postgres, broker, tmp_path / "memorybank.log")
    yield process
    process.kill()


@pytest.fixture
def own_memorybank(own_postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[MemoryBankProcess]:
    """One on a server that the test may stop."""
    process = MemoryBankProcess(own_postgres, broker, tmp_path / "memorybank.log")
    yield process
    process.kill()


async def test_a_killed_memorybank_stores_everything_once(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """SIGKILL at three moments of a steady flow: every numbered event is there exactly once."""
    count = 2500
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
        publishing = asyncio.create_task(publish_notes(publisher, count))
        for moment in (0.2, 0.4, 0.6):
            await until(lambda: len(stored_numbers(postgres)) > moment * count, "the flow")  # noqa: B023
            memorybank.kill()
            memorybank.start()
        await publishing
        await until(lambda: len(stored_numbers(postgres)) >= count, "the rest", 60)
        assert publisher.dropped == 0
    assert stored_numbers(postgres) == list(range(1, count + 1))
    assert ask(postgres, "SELECT sum(gaps), max(committed_seq) > 0 FROM memory.sources") == [(0, True)]
    assert ask(postgres, "SELECT count(*) FROM memory.numbered_events") == [(count,)]


async def test_postgres_away_loses_nothing(
    own_memorybank: MemoryBankProcess, own_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """PostgreSQL killed and started again: the MemoryBank says so, waits, and goes on by itself."""
    count = 1500
    own_memorybank.start()
    await asyncio.to_thread(own_memorybank.wait_healthy)
    async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
        publishing = asyncio.create_task(publish_notes(publisher, count))
        await until(lambda: len(stored_numbers(own_postgres)) > 200, "the flow")
        own_postgres.server.kill()
        await until(lambda: own_memorybank.get("/healthz")[0] == 503, "the health that says so")
        status, body = own_memorybank.get("/healthz")
        assert (status, json.loads(body)["database"]) == (503, False)
        assert own_memorybank.get("/api/summary")[0] == 503
        await publishing
        own_postgres.server.start()
        await asyncio.to_thread(own_postgres.wait_ready)
        await until(lambda: len(stored_numbers(own_postgres)) >= count, "the rest", 60)
    assert stored_numbers(own_postgres) == list(range(1, count + 1))
    assert own_memorybank.get("/healthz")[0] == 200


async def test_the_broker_away_loses_nothing(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """A broker that dies forgets everything; the sources send it again."""
    count = 1500
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
        publishing = asyncio.create_task(publish_notes(publisher, count))
        await until(lambda: len(stored_numbers(postgres)) > 200, "the flow")
        broker.server.kill()
        await until(lambda: memorybank.get("/healthz")[0] == 503, "the health that says so")
        broker.server.start()
        await publishing
        await until(lambda: len(stored_numbers(postgres)) >= count, "the rest", 60)
    assert stored_numbers(postgres) == list(range(1, count + 1))


async def test_the_word_comes_only_after_the_commit(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker
) -> None:
    """The committed topic tells, retained, up to where everything is stored."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    source = source_of()
    topic = topics.committed_topic(source.id)
    async with listening(broker, topic) as (link, heard):
        link.publish(topics.events_topic(source), events.encode(batch([note(n) for n in range(1, 8)])))
        await until(lambda: heard, "the word")
        word = events.decode_committed(heard[0].payload)
        assert word == Committed(boot=uuid.UUID(int=1), seq=7)
        assert stored_numbers(postgres) == list(range(1, 8))
    async with listening(broker, topic) as (_, heard):
        await until(lambda: heard, "the retained word")
        assert events.decode_committed(heard[0].payload).seq == 7


async def test_a_restarted_memorybank_tells_all_sources(
    memorybank: MemoryBankProcess, broker: Broker
) -> None:
    """A broker that forgot the retained words gets them again when the MemoryBank connects."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    source = source_of()
    topic = topics.committed_topic(source.id)
    async with listening(broker, topic) as (link, heard):
        link.publish(topics.events_topic(source), events.encode(batch([note(1)])))
        await until(lambda: heard, "the word")
    memorybank.kill()
    broker.server.kill()
    broker.server.start()
    async with listening(broker, topic) as (_, heard):
        memorybank.start()
        await until(lambda: heard, "the word after the restart")
        assert events.decode_committed(heard[0].payload).seq == 1


async def test_the_base_scenario_is_told_live(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """Readings of two minutes in a burst: one anomaly, told as it opens and goes on, and in the table."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    async with (
        listening(broker, topics.ALL_ANOMALIES) as (_, heard),
        Publisher.opened("chargepoint:CP-1", tmp_path / "outbox", mqtt_settings(broker)) as publisher,
    ):
        for second in range(120):
            publisher.publish(reading(second, cycle[second % 8]))
        await until(lambda: len(heard) >= 5, "the anomaly")
    told: list[Anomaly] = [events.decode_anomaly(delivery.payload) for delivery in heard]
    assert {anomaly.id for anomaly in told} == {told[0].id}
    assert [anomaly.phase for anomaly in told[:2]] == ["opened", "updated"]
    assert ask(postgres, "SELECT id, phase FROM memory.anomalies") == [(told[0].id, "updated")]


async def test_it_ends_cleanly(memorybank: MemoryBankProcess) -> None:
    """SIGTERM: exit status 0."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    assert await asyncio.to_thread(memorybank.stop) == 0


def test_missing_settings_are_named(tmp_path: Path, postgres: Postgres, broker: Broker) -> None:
    """Without its database the process says which settings are missing, in one line, exit status 2."""
    process = MemoryBankProcess(
        postgres, broker, tmp_path / "log", {"DATABASE_URL": "", "DATABASE_READER_URL": ""}
    )
    process.start()
    assert process.process is not None
    assert process.process.wait(20) == 2
    assert process.said().startswith("memorybank: missing DATABASE_URL, DATABASE_READER_URL")


_SOURCE = source_of()
_TOPIC = topics.events_topic(_SOURCE)
_AT = datetime(2026, 1, 1, tzinfo=UTC).isoformat()


def _json(event: str = "", **head: object) -> bytes:
    """A batch as bytes, its head or its only event broken."""
    values = {
        "source": _SOURCE.id,
        "boot": "00000000-0000-0000-0000-000000000001",
        "first_seq": 1,
        "committed": 0,
        **head,
    }
    text = json.dumps({name: value for name, value in values.items() if value is not None})
    event = event or _event(kind="reading", origin="can")
    return f'{text[:-1]},"events":[{event}]}}'.encode()


def _event(**fields: object) -> str:
    return json.dumps({"at": _AT, "charge_point_id": "CP-1", "connector": 1, **fields})


def _reading(**fields: object) -> bytes:
    return _json(_event(kind="reading", origin="can", **fields))


_STATUS = _json(_event(kind="status_changed", status="x"))
_DEEP = f'{{"kind":"system_event","at":"{_AT}","service":"a","name":"b","detail":{{"a":{"[" * 100_000}'

MALFORMED = [
    ("no JSON", b"hello", "JSON is malformed"),
    ("nothing", b"", "Input data was truncated"),
    ("cut off", _json()[:-9], "truncated"),
    ("no UTF-8", _STATUS.replace(b'"x"', b'"\xff"'), "utf-8"),
    ("an array", b"[]", "Expected `object`, got `array`"),
    ("no source", _json(source=None), "missing required field `source`"),
    ("another's source", _json(source="csms:evil/events/00"), "on the topic of"),
    ("a boot that is none", _json(boot="tuesday"), "Invalid UUID - at `$.boot`"),
    ("number 0", _json(first_seq=0), "`int` >= 1 - at `$.first_seq`"),
    ("a number in words", _json(first_seq="one"), "at `$.first_seq`"),
    ("committed below 0", _json(committed=-1), "at `$.committed`"),
    ("another schema", _json(schema=99), "schema 99 instead of 1"),
    ("an unknown field", _json(colour="red"), "unknown field `colour`"),
    ("no events", _json()[: _json().index(b"[")] + b"[]}", "length >= 1 - at `$.events`"),
    ("an unknown kind", _json(_event(kind="rumour")), "Invalid value 'rumour' - at `$.events[0].kind`"),
    ("no kind", _json(_event()), "missing required field `kind`"),
    ("no time zone", _reading(at="2026-01-01T00:00:00"), "timezone"),
    ("the year 1970", _reading(at="1970-01-01T00:00:00Z"), "out of range - at `$.events[0].at`"),
    ("a word for a number", _reading(current_a="much"), "current_a"),
    ("beyond a double", _reading(current_a=7).replace(b"7}", b"1e999}"), "out of range"),
    ("connector 256", _reading(connector=256), "<= 255"),
    ("an origin that is none", _json(_event(kind="reading", origin="dream")), "origin"),
    ("odd CAN data", _json(_event(kind="can_frame_seen", can_id=1, data="abc")), "data"),
    ("NUL in a name", _STATUS.replace(b'"x"', b'"a\\u0000b"'), "NUL"),
    ("too deep", _json(_DEEP), "recursion"),
]


async def test_malformed_messages_are_set_aside_with_the_reason(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker
) -> None:
    """Each of them is in memory.poison with its reason, nothing of it anywhere else, and work goes on."""
    memorybank.start()
    await asyncio.to_thread(memorybank.wait_healthy)
    async with listening(broker, topics.committed_topic(_SOURCE.id)) as (link, heard):
        for _, payload, _ in MALFORMED:
            assert link.publish(_TOPIC, payload)
        assert link.publish("chargebench/v1/events/77/chargepoint/CP-1", b"on no topic of ours")
        good: Batch = batch([note(1)], source=_SOURCE)
        link.publish(_TOPIC, events.encode(good))
        await until(lambda: heard, "the batch after them")
    reasons = dict(ask(postgres, "SELECT payload, reason FROM memory.poison"))  # type: ignore[arg-type]
    for name, payload, expected in MALFORMED:
        reason = reasons.get(payload[:65_536])
        assert reason is not None, f"{name}: not set aside"
        assert expected in str(reason), f"{name}: {reason}"
    assert "is no topic of events" in str(reasons[b"on no topic of ours"])
    assert len(reasons) == len(MALFORMED) + 1
    assert stored_numbers(postgres) == [1]
    assert ask(postgres, "SELECT count(*) FROM memory.numbered_events") == [(1,)]
    assert ask(postgres, "SELECT count(*) FROM memory.sources") == [(1,)]


async def test_what_does_not_fit_in_memory_is_left_to_its_source(
    postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """With a queue of 1 MB a flood is dropped and counted, sent again, and stored exactly once."""
    bank = MemoryBankProcess(postgres, broker, tmp_path / "log", {"QUEUE_MB": "1", "BATCH_MESSAGES": "2"})
    bank.start()
    try:
        await asyncio.to_thread(bank.wait_healthy)
        count = 300
        begin = datetime.now(UTC) - timedelta(minutes=1)
        async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
            with psycopg.connect(postgres.superuser_url) as other:
                other.execute("LOCK TABLE memory.events IN ACCESS EXCLUSIVE MODE")  # nothing can be stored
                for number in range(1, count + 1):
                    event = note(number, charge_point_id=f"CP-{number}", at=begin)
                    event.detail["filler"] = "x" * 20_000
                    publisher.publish(event)
                await until(lambda: json.loads(bank.get("/healthz")[1])["dropped"] > 0, "the first drop")
            await until(lambda: len(stored_numbers(postgres)) >= count, "all of them", 60)
        assert stored_numbers(postgres) == list(range(1, count + 1))
    finally:
        bank.kill()
