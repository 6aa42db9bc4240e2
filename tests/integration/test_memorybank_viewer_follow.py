"""The viewer that follows, and the recount, beside a MemoryBank that stores what a source publishes."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from chassis.mqtt import MqttSettings
from chassis.publisher import Publisher
from contracts.events import AnyEvent, StatusChanged
from memorybank_parts import START_AT, MemoryBankProcess, note
from real_parts import Broker, Postgres, wait_until
from remembered import remember
from viewer_parts import at_terminal, environ, view


@pytest.fixture
def memorybank(own_postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[MemoryBankProcess]:
    process = MemoryBankProcess(own_postgres, broker, tmp_path / "memorybank.log")
    process.start()
    process.wait_healthy()
    yield process
    process.kill()


def publish(broker: Broker, outbox: Path, *happened: AnyEvent, stored: bool = True) -> None:
    """Publish events as a charge point does, and wait until they are stored."""

    async def run() -> None:
        mqtt = MqttSettings(host=broker.host, port=broker.port, user="chargepoint", password=broker.password)
        async with Publisher.opened("chargepoint:CP-1", outbox, mqtt) as publisher:
            for event in happened:
                publisher.publish(event)
            publisher.flush()
            async with asyncio.timeout(30):
                while stored and publisher.uncommitted:  # noqa: ASYNC110 - nobody wakes us
                    await asyncio.sleep(0.02)

    asyncio.run(run())


def faulted(charge_point_id: str = "CP-2") -> StatusChanged:
    return StatusChanged(at=START_AT, charge_point_id=charge_point_id, connector=1, status="Faulted")


def test_events_are_followed_at_a_terminal(
    memorybank: MemoryBankProcess, own_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """What was there, what is stored from then on, late or not, each once; Ctrl-C ends it without a word."""
    publish(broker, tmp_path / "outbox", note(1), note(2))
    with at_terminal("--follow", "--events", "1", url=own_postgres.reader_url, columns=100) as terminal:
        terminal.wait_for('{"number": 2}')
        publish(broker, tmp_path / "outbox", note(3), note(4))
        terminal.wait_for('{"number": 4}')
        publish(broker, tmp_path / "outbox", note(5, at=START_AT - timedelta(days=400)), faulted())
        terminal.wait_for("Faulted")
        terminal.type("\x03")
        assert terminal.wait_end() == 0
    lines = [line for line in terminal.shown.splitlines() if line and line != "^C"]
    assert [line.count("number") for line in lines] == [1, 1, 1, 1, 0]
    assert '{"number": 5}' in terminal.shown
    assert '{"number": 1}' not in terminal.shown


def test_what_is_followed_can_be_filtered_and_piped(
    memorybank: MemoryBankProcess, own_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """One JSON object a line, at once; SIGINT ends it with status 0."""
    file = tmp_path / "followed"
    with file.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "memorybank.viewer", "--follow", "--json", "--kind", "status_changed"],
            env=environ(own_postgres.reader_url),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with psycopg.connect(own_postgres.superuser_url, autocommit=True) as connection:
            # Each poll ends with it, so it is what a connection at rest has asked last.
            asked = "SELECT FROM pg_stat_activity WHERE usename = 'memorybank_reader' AND query = 'COMMIT'"
            wait_until(lambda: bool(connection.execute(asked).fetchall()), what="the first poll")
        publish(broker, tmp_path / "outbox", note(1), faulted("CP-1"), faulted("CP-2"))
        wait_until(lambda: file.read_bytes().count(b"\n") == 2, what="two lines")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
    followed = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(event["charge_point_id"], event["summary"]) for event in followed] == [
        ("CP-1", "Faulted"),
        ("CP-2", "Faulted"),
    ]


def test_it_waits_for_a_database_that_is_away(
    memorybank: MemoryBankProcess, own_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """It says so once, goes on where it was, and misses nothing."""
    with at_terminal("--follow", url=own_postgres.reader_url) as terminal:
        publish(broker, tmp_path / "outbox", note(1))
        terminal.wait_for('{"number": 1}')
        own_postgres.server.kill()
        terminal.wait_for("the database does not answer, waiting")
        publish(broker, tmp_path / "outbox", note(2), stored=False)
        own_postgres.server.start()
        own_postgres.wait_ready()
        publish(broker, tmp_path / "outbox", note(3))
        terminal.wait_for('{"number": 3}')
        terminal.type("\x03")
        assert terminal.wait_end() == 0
    assert [terminal.shown.count(f'{{"number": {n}}}') for n in (1, 2, 3)] == [1, 1, 1]
    assert terminal.shown.count("waiting") == 1


def test_ctrl_c_waits_for_an_answer_and_a_second_one_does_not(postgres: Postgres) -> None:
    """In the middle of a question the first is a wish, so nothing is left half done; the second ends it."""
    asyncio.run(remember(postgres.writer_url))
    asked = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with (
        at_terminal("--follow", "--events", "1", url=postgres.reader_url) as terminal,
        psycopg.connect(postgres.superuser_url) as lock,
        psycopg.connect(postgres.superuser_url, autocommit=True) as connection,
    ):
        terminal.wait_for("\n")
        lock.execute("LOCK TABLE memory.sources")
        wait_until(lambda: bool(connection.execute(asked).fetchall()), what="a question that waits")
        for _ in range(5):  # two that come before it looks for signals are one
            terminal.type("\x03")
            with suppress(subprocess.TimeoutExpired):
                terminal.process.wait(3)
                break
            assert connection.execute(asked).fetchall()
        assert terminal.wait_end() == 0
    assert terminal.shown.splitlines()[1:] == ["^C^C"]


def test_anomalies_are_followed(postgres: Postgres) -> None:
    """What opens and what closes, not each score in between."""
    asyncio.run(remember(postgres.writer_url))
    with (
        at_terminal("--follow", "--anomalies", "5", url=postgres.reader_url) as terminal,
        psycopg.connect(postgres.writer_url, autocommit=True) as connection,
    ):
        terminal.wait_for("repeated-current-fluctuation")
        connection.execute("UPDATE memory.anomalies SET phase = 'updated', score = 99, explanation = 'worse'")
        connection.execute(
            "INSERT INTO memory.anomalies SELECT gen_random_uuid(), 'CP-9', 1, 'other', 'critical', 'opened',"
            " started_at, detected_at, updated_at, NULL, score, threshold, deviation, signature,"
            " 'another one', NULL"
            " FROM memory.anomalies"
        )
        terminal.wait_for("another one")
        connection.execute(
            "UPDATE memory.anomalies SET phase = 'closed', explanation = 'over', ended_at = updated_at"
            " WHERE kind <> 'other'"
        )
        terminal.wait_for("over")
        terminal.type("\x03")
        assert terminal.wait_end() == 0
    assert "worse" not in terminal.shown


def test_the_recount_of_a_sound_memory(postgres: Postgres) -> None:
    """Exit status 0, and what is where."""
    asyncio.run(remember(postgres.writer_url))
    (line,) = view("--check", "--json", url=postgres.reader_url).stdout.splitlines()
    counted = json.loads(line)
    assert (counted["committed_seq"], counted["rows"]) == (234, 234)
    assert not any(counted[what] for what in ("lost", "missing", "twice", "beyond", "forgotten"))
    assert view("--check", url=postgres.reader_url).returncode == 0


SPOILS = {
    "missing": "DELETE FROM memory.metrics WHERE seq = 17",
    "twice": "INSERT INTO memory.events (at, seq, source_no, kind, detail)"
    " VALUES (now(), 17, 1, 'system_event', '{}')",
    "beyond": "INSERT INTO memory.events (at, seq, source_no, kind, detail)"
    " VALUES (now(), 1000, 1, 'system_event', '{}')",
    "lost": "UPDATE memory.sources SET gaps = 1, committed_seq = committed_seq + 1",
}


@pytest.mark.parametrize("what", SPOILS)
def test_the_recount_finds_what_is_wrong(postgres: Postgres, what: str) -> None:
    """One number too few, too many, too high, or known to be lost: exit status 1, and only that is named."""
    asyncio.run(remember(postgres.writer_url))
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute(SPOILS[what])
    shown = view("--check", "--json", url=postgres.reader_url)
    counted = json.loads(shown.stdout)
    assert shown.returncode == 1
    assert {name: counted[name] for name in SPOILS} == {name: int(name == what) for name in SPOILS}


def test_what_retention_dropped_is_forgotten_not_missing(postgres: Postgres) -> None:
    """Up to where retention says that it dropped; above, each must be there, or in the books as lost."""
    asyncio.run(remember(postgres.writer_url))
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute("DELETE FROM memory.metrics WHERE seq <= 100")
        connection.execute("UPDATE memory.sources SET dropped_seq = 100, committed_seq = 244, gaps = 10")
        connection.execute("INSERT INTO memory.gaps (source_no, first_seq, last_seq) VALUES (1, 235, 244)")
    counted = json.loads(view("--check", "--json", url=postgres.reader_url).stdout)
    assert (counted["forgotten"], counted["lost"], counted["missing"]) == (99, 10, 0)
    with psycopg.connect(postgres.writer_url, autocommit=True) as connection:
        connection.execute("DELETE FROM memory.metrics WHERE seq IN (101, 102)")
    counted = json.loads(view("--check", "--json", url=postgres.reader_url).stdout)
    assert (counted["forgotten"], counted["missing"]) == (99, 2)
