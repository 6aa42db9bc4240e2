"""Foreign detectors: what they say is stored once, through outages, and bounded; nonsense stops nothing."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from chassis.mqtt import MqttLink
from chassis.publisher import Publisher
from contracts import topics
from contracts.events import Reading
from memorybank import verdicts as verdicts_module
from memorybank.share import Share
from memorybank.store import Store
from memorybank.verdicts import Verdicts
from memorybank_flow import mqtt_settings, stored_numbers, until
from memorybank_parts import START_AT, MemoryBankProcess, ask, note
from real_parts import Broker, Postgres

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "swings.py"


@pytest.fixture
def memorybank(postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[MemoryBankProcess]:
    process = MemoryBankProcess(postgres, broker, tmp_path / "memorybank.log")
    process.start()
    yield process
    process.kill()


def told(number: int, detector: str = "mine", **more: object) -> bytes:
    said = {
        "detector": detector,
        "kind": "strange",
        "charge_point_id": "CP-1",
        "connector": 1,
        "at": (START_AT + timedelta(seconds=number)).isoformat(),
        **more,
    }
    return json.dumps(said).encode()


def stored(postgres: Postgres) -> int:
    ((count,),) = ask(postgres, "SELECT count(*) FROM memory.verdicts")
    assert isinstance(count, int)
    return count


def linked(broker: Broker) -> tuple[MqttLink, asyncio.Event]:
    ready = asyncio.Event()
    return MqttLink(mqtt_settings(broker, "detector"), "foreign", on_connected=ready.set), ready


async def test_a_foreign_detector_lives_with_the_bench(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """The example of docs/, a process of its own: it hears the readings, and its verdict is asked for."""
    await asyncio.to_thread(memorybank.wait_healthy)
    environ = {**os.environ, **broker.environ("detector"), "PYTHONPATH": ""}
    command = [sys.executable, EXAMPLE, "--mqtt"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as example:  # noqa: ASYNC220 - at once
        try:
            assert example.stdout is not None
            assert await asyncio.to_thread(example.stdout.readline) == b"listening\n"
            settings = mqtt_settings(broker)
            async with Publisher.opened("chargepoint:CP-1", tmp_path / "outbox", settings) as publisher:
                for second in range(40):  # down and up again every eight seconds
                    publisher.publish(
                        Reading(
                            at=START_AT + timedelta(seconds=second),
                            charge_point_id="CP-1",
                            connector=1,
                            origin="can",
                            current_a=100.0 if second % 8 < 4 else 0.0,
                        )
                    )
                await until(lambda: stored(postgres) == 1, "the verdict")
        finally:
            example.terminate()
    body = memorybank.get("/api/verdicts?detector=swings&charge_point_id=CP-1")[1]
    (verdict,) = json.loads(body)["items"]
    assert verdict["kind"] == "repeated-current-fluctuation"
    assert verdict["at"] == (START_AT + timedelta(seconds=24)).isoformat().replace("+00:00", "Z")
    assert verdict["explanation"] == "3 times to half of 100 A and back within a minute"
    assert json.loads(memorybank.get("/api/verdicts?detector=other")[1])["items"] == []


async def test_nothing_is_lost_or_doubled_while_the_database_is_away(
    own_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """Neither when the MemoryBank is killed meanwhile: what is not committed is not acknowledged."""
    memorybank = MemoryBankProcess(own_postgres, broker, tmp_path / "log")
    memorybank.start()
    try:
        await asyncio.to_thread(memorybank.wait_healthy)
        link, ready = linked(broker)
        async with link:
            await asyncio.wait_for(ready.wait(), 10)
            topic = topics.verdicts_topic("mine", "CP-1")
            link.publish(topic, told(0))
            await until(lambda: stored(own_postgres) == 1, "the first")
            own_postgres.server.stop()
            for number in range(1, 301):  # more than a broker's window
                link.publish(topic, told(number))
            for number in range(50):
                link.publish(topic, told(number))  # once more
            await until(lambda: not json.loads(memorybank.get("/healthz")[1])["database"], "the outage")
            memorybank.kill()
            memorybank.start()
            own_postgres.server.start()
            await asyncio.to_thread(own_postgres.wait_ready)
            await until(lambda: stored(own_postgres) == 301, "all of them", 60)
        assert ask(own_postgres, "SELECT count(DISTINCT at), count(*) FROM memory.verdicts") == [(301, 301)]
    finally:
        memorybank.kill()


async def test_nonsense_is_counted_and_stops_nothing(
    memorybank: MemoryBankProcess, postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """What is no verdict is set aside with its reason; verdicts and events after it are stored."""
    await asyncio.to_thread(memorybank.wait_healthy)
    topic = topics.verdicts_topic("mine", "CP-1")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    nonsense = [b"", b"\xff" * 9, told(1, connector=-1), told(1, "another"), b"x" * 100_000]
    nonsense.append(told(1, at=tomorrow))
    link, ready = linked(broker)
    async with link:
        await asyncio.wait_for(ready.wait(), 10)
        for payload in nonsense:
            link.publish(topic, payload)
        link.publish(topic, told(1))
        link.publish(topic, told(1, ended_at=(START_AT + timedelta(seconds=9)).isoformat()))
        link.publish(topic, told(1))
        link.publish(topic, told(2))
        await until(lambda: stored(postgres) == 2, "the sound ones")
    settings = mqtt_settings(broker)
    async with Publisher.opened("chargepoint:CP-1", tmp_path / "outbox", settings) as publisher:
        publisher.publish(note(1))
        await until(lambda: stored_numbers(postgres) == [1], "an event")
    ended = START_AT + timedelta(seconds=9)
    assert ask(postgres, "SELECT ended_at FROM memory.verdicts ORDER BY at") == [(ended,), (None,)]
    reasons = [str(reason) for (reason,) in ask(postgres, "SELECT reason FROM memory.poison ORDER BY id")]
    assert len(reasons) == len(nonsense)
    assert "yet to come" in reasons[-1]
    counted = json.loads(memorybank.get("/healthz")[1])["verdicts"]
    assert (counted["malformed"], counted["stored"]) == (len(nonsense), 4)
    assert b'chargebench_memorybank_verdicts_total{outcome="malformed"} 6.0' in memorybank.get("/metrics")[1]


async def test_a_flood_and_many_names_are_bounded(
    postgres: Postgres, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector has its allowance, and names are counted, those of before a restart among them."""
    monkeypatch.setattr(verdicts_module, "BURST", 5)
    monkeypatch.setattr(verdicts_module, "MOST_DETECTORS", 2)
    store = Store(postgres.writer_url)
    await store.load()
    for _ in range(2):  # the second is a restart: its allowance is new, names are known
        verdicts = Verdicts(mqtt_settings(broker, "memorybank"), Share(), store)
        running = asyncio.create_task(verdicts.run())
        link, ready = linked(broker)
        async with link:
            await asyncio.wait_for(ready.wait(), 10)
            async with asyncio.timeout(10):  # until the subscription is there
                while not verdicts.counted["malformed"]:
                    link.publish(f"{topics.ROOT}/verdicts/%61/CP-1", b"")
                    await asyncio.sleep(0.05)
            verdicts.counted.clear()
            for name in ("a", "b", "c"):
                for number in range(7):
                    link.publish(topics.verdicts_topic(name, "CP-1"), told(number, name))
            await until(lambda: verdicts.counted["too_many_detectors"] == 7, "all of them")  # noqa: B023
            await until(lambda: verdicts.counted["stored"] == 10, "what is allowed")  # noqa: B023
        running.cancel()
        await asyncio.wait([running])
        assert verdicts.counted["too_often"] == 4
    await store.aclose()
    assert ask(postgres, "SELECT detector, count(*) FROM memory.verdicts GROUP BY 1 ORDER BY 1") == [
        ("a", 5),
        ("b", 5),
    ]


async def test_readers_see_verdicts_and_nobody_but_the_writer_makes_any(postgres: Postgres) -> None:
    store = Store(postgres.writer_url)
    await store.load()
    await store.aclose()
    for url, seen in ((postgres.reader_url, "memory.verdicts"), (postgres.grafana_url, "dash.verdicts")):
        with psycopg.connect(url, autocommit=True) as connection:
            assert connection.execute(f"SELECT count(*) FROM {seen}").fetchone() == (0,)
            connection.execute("SET default_transaction_read_only TO off")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"DELETE FROM {seen}")
    with (
        psycopg.connect(postgres.grafana_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("SELECT FROM memory.verdicts")
