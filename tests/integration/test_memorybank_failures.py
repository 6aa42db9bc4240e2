"""A database that hangs, is full, or is lost at the worst moment: nothing is lost, nothing stored twice."""

import asyncio
import json
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from chassis.publisher import Publisher
from contracts import events, topics
from embedded import postgres as embedded_postgres
from embedded.postgres import DATABASE
from memorybank import store as store_module
from memorybank.store import Store
from memorybank_bank import Bank, numbers_of
from memorybank_flow import listening, mqtt_settings, publish_notes, stored_numbers, until
from memorybank_parts import MemoryBankProcess, ask, batch, note, reading, source_of
from real_parts import Broker, Postgres, directory_open_to_postgres, start_postgres

WRITING = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'memorybank'"
)


@dataclass
class Proxy:
    """A TCP proxy before PostgreSQL that cuts the connection once, at a COMMIT, on its way there or back."""

    server_port: int
    port: int = 0
    cut: str = ""
    """`before`: the COMMIT does not arrive; `after`: its answer does not."""
    cuts: int = 0
    serving: "set[asyncio.Task[None]]" = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        is_committing = False

        async def up() -> None:
            nonlocal is_committing
            while data := await reader.read(65_536):
                if self.cut and data.startswith(b"Q") and b"COMMIT" in data[:16]:
                    if self.cut == "before":
                        break
                    is_committing = True
                back.write(data)
                await back.drain()

        async def down() -> None:
            while (data := await there.read(65_536)) and not is_committing:
                writer.write(data)
                await writer.drain()

        tasks = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if self.cut:
            self.cut = ""
            self.cuts += 1
        for task in tasks:
            task.cancel()
        for each in (writer, back):
            each.transport.abort()
            with suppress(OSError):
                await each.wait_closed()


@asynccontextmanager
async def proxied(postgres: Postgres) -> AsyncIterator[tuple[Proxy, str]]:
    """Give a proxy before the server, and the writer's URL through it."""
    proxy = Proxy(postgres.files.port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy, postgres.writer_url.replace(f":{postgres.files.port}/", f":{proxy.port}/")
    finally:
        server.close()
        await asyncio.gather(*proxy.serving)


@pytest.mark.parametrize("cut", ["before", "after"])
async def test_a_connection_cut_at_its_commit_stores_once(postgres: Postgres, cut: str) -> None:
    """Whether the COMMIT arrived is not known to who sent it: the work is there once all the same."""
    async with proxied(postgres) as (proxy, url):
        bank = await Bank.opened(Store(url))
        await bank.save(batch([note(1)]))
        proxy.cut = cut
        await bank.save(batch([note(2), reading(0, 10.0, transaction_id=1)], 2))
        assert proxy.cuts == 1
        assert bank.store.retries >= 1
        await bank.save(batch([note(4)], 4))
        await bank.store.aclose()
    assert numbers_of(postgres) == [1, 2, 3, 4]
    assert ask(postgres, "SELECT can_readings FROM memory.sessions") == [(1,)]
    assert ask(postgres, "SELECT committed_seq, gaps, duplicates FROM memory.sources") == [(4, 0, 0)]


async def test_a_server_that_hangs_is_given_up(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took the work and says nothing, its host lives: we end the connection, say so, and store once."""
    monkeypatch.setattr(store_module, "_GIVEN_UP_AFTER_S", 0.5)
    bank = await Bank.opened(Store(own_postgres.writer_url))
    await bank.save(batch([note(1)]))
    ((pid,),) = ask(own_postgres, WRITING)
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGSTOP)
    saving = asyncio.create_task(bank.save(batch([note(2), note(3)], 2)))
    try:
        # The one that hangs still has the locks: it could commit, so nobody else may write yet.
        await until(
            lambda: "another MemoryBank writes" in (bank.store.problem or ""), "the second connection"
        )
        assert not bank.store.connected
    finally:
        os.kill(pid, signal.SIGCONT)
    await asyncio.wait_for(saving, 30)
    assert bank.store.problem is None
    assert bank.store.connected
    await bank.store.aclose()
    assert numbers_of(own_postgres) == [1, 2, 3]


@pytest.fixture
def small_postgres() -> Iterator[Postgres]:
    """A server of the test's own on a disk of 160 MB."""
    with directory_open_to_postgres() as directory:
        mount = ["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", str(directory)]
        if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("a small disk is mounted by root alone")
        try:
            directory.chmod(0o711)
            server, files = start_postgres(directory)
            try:
                # Else its log of 80 MB at least would be what fills the disk.
                server.command += ["-c", "max_wal_size=32MB", "-c", "min_wal_size=32MB"]
                server.stop()
                server.start()
                Postgres(server, files, "postgres").wait_ready()
                embedded_postgres.prepare(files)
                yield Postgres(server, files, DATABASE)
            finally:
                server.stop()
        finally:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)


async def test_a_full_disk_is_said_and_waited_for(
    small_postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """It takes no more, says why, and goes on by itself when there is room again: nothing lost."""
    count = 1200
    postgres = small_postgres
    memorybank = MemoryBankProcess(postgres, broker, tmp_path / "log")
    memorybank.start()
    ballast = postgres.files.directory / "ballast"
    try:
        await asyncio.to_thread(memorybank.wait_healthy)
        async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
            await publish_notes(publisher, 100)
            await until(lambda: len(stored_numbers(postgres)) == 100, "the flow")
            with ballast.open("wb") as file:
                try:
                    while True:
                        file.write(bytes(65_536))
                        file.flush()
                except OSError:
                    pass
            publishing = asyncio.create_task(publish_notes(publisher, count - 100, first=101))
            # As many events as the pages that are there have room for still go in.
            await until(lambda: _problem(memorybank) is not None, "the health that says so", 60)
            said = json.loads(memorybank.get("/healthz")[1])
            assert not said["ok"]
            await publishing
            ballast.unlink()
            if postgres.server.process and postgres.server.process.poll() is not None:
                postgres.server.start()  # PostgreSQL itself ends where even its log finds no room
            await asyncio.to_thread(postgres.wait_ready)
            await until(lambda: len(stored_numbers(postgres)) >= count, "the rest", 60)
            assert publisher.dropped == 0
        assert stored_numbers(postgres) == list(range(1, count + 1))
        assert ask(postgres, "SELECT sum(gaps) FROM memory.sources") == [(0,)]
        assert memorybank.get("/healthz")[0] == 200
        assert "disk full" in memorybank.said()
        assert "the database takes it again" in memorybank.said()
    finally:
        memorybank.kill()


def _problem(memorybank: MemoryBankProcess) -> str | None:
    body = memorybank.get("/healthz")[1]
    problem = json.loads(body)["problem"] if body else None
    return problem if problem is None else str(problem)


async def test_sigkill_at_any_instant_stores_everything_once(
    postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """Killed again and again in the middle of a flow, wherever it is: every number is there exactly once."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    draw, count = random.Random(seed), 3000
    memorybank = MemoryBankProcess(postgres, broker, tmp_path / "log", {"BATCH_S": "0.01"})
    try:
        async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
            publishing = asyncio.create_task(publish_notes(publisher, count, period_s=0.004))
            for _ in range(5):
                memorybank.start()
                before = len(stored_numbers(postgres)) if memorybank.said() else 0
                await asyncio.to_thread(memorybank.wait_healthy)
                await until(lambda: len(stored_numbers(postgres)) > before, "the flow")  # noqa: B023
                await asyncio.sleep(draw.uniform(0, 0.3))  # the instant
                memorybank.kill()
            memorybank.start()
            await publishing
            await until(lambda: len(stored_numbers(postgres)) >= count, "the rest", 60)
        assert stored_numbers(postgres) == list(range(1, count + 1))
        assert ask(postgres, "SELECT count(*) FROM memory.numbered_events") == [(count,)]
        assert ask(postgres, "SELECT sum(gaps) FROM memory.sources") == [(0,)]
    finally:
        memorybank.kill()


BROKER_WINDOW = 100
"""rumqttd sends so many messages ahead of what is acknowledged."""


async def test_a_backlog_does_not_fill_the_memory(postgres: Postgres, broker: Broker, tmp_path: Path) -> None:
    """While nothing can be stored far more comes than may wait: the process stays small, all is stored."""
    count, queue_mb = 1500, 8
    source = source_of()
    memorybank = MemoryBankProcess(postgres, broker, tmp_path / "log", {"QUEUE_MB": str(queue_mb)})
    memorybank.start()
    try:
        await asyncio.to_thread(memorybank.wait_healthy)
        before_mb = _most_memory_mb(memorybank)
        async with listening(broker, topics.committed_topic(source.id)) as (link, heard):

            def send(first: int, last: int) -> None:
                for number in range(first, last + 1):
                    event = note(number)
                    event.detail["filler"] = "x" * 50_000
                    assert link.publish(topics.events_topic(source), events.encode(batch([event], number)))

            def committed() -> int:
                return events.decode_committed(heard[-1].payload).seq if heard else 0

            with psycopg.connect(postgres.superuser_url) as other:
                other.execute("LOCK TABLE memory.events IN ACCESS EXCLUSIVE MODE")  # nothing can be stored
                send(1, count)  # 75 MB
                await until(lambda: _waiting(memorybank) >= BROKER_WINDOW, "all that may wait", 60)
            await until(lambda: committed() > 0, "the first word")
            while (done := committed()) < count:
                send(done + 1, min(done + 100, count))  # go-back-N: what was left comes again
                await until(lambda: committed() >= min(done + 100, count), "the rest")
        grown_mb = _most_memory_mb(memorybank) - before_mb
        assert stored_numbers(postgres) == list(range(1, count + 1))
        # What waits, and two works of 8 MB, as bytes, as events and as rows.
        assert grown_mb < queue_mb + 2 * 8 * 4
    finally:
        memorybank.kill()


def _waiting(memorybank: MemoryBankProcess) -> int:
    """How many messages wait in memory, or were left to their source since they did not fit."""
    lines = memorybank.get("/metrics")[1].decode().splitlines()
    names = ("chargebench_memorybank_waiting_messages", "chargebench_memorybank_messages_dropped_total")
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(names))


def _most_memory_mb(memorybank: MemoryBankProcess) -> float:
    assert memorybank.process is not None
    status = Path(f"/proc/{memorybank.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


async def test_the_order_of_a_source_is_kept(postgres: Postgres) -> None:
    """Batches come again, too early and mixed with others': rows are in the order of their numbers."""
    draw = random.Random(7)
    bank = await Bank.opened(Store(postgres.writer_url))
    sources = [source_of(f"CP-{number}", f"chargepoint:CP-{number}") for number in (1, 2, 3)]
    batches = [
        batch([note(first + index) for index in range(5)], first, source=source)
        for source in sources
        for first in range(1, 101, 5)
    ]
    for _ in range(12):
        await bank.save(*draw.sample(batches, 25))
    await bank.save(*batches)  # go-back-N's promise: one pass in order
    await bank.store.aclose()
    # A table that only grows has its rows in the order in which they came.
    rows = ask(postgres, "SELECT source_no, seq FROM memory.events ORDER BY tableoid, ctid")
    for source_no in {source_no for source_no, _ in rows}:
        assert [seq for one, seq in rows if one == source_no] == list(range(1, 101))


async def test_readings_are_rolled_up_as_they_come(
    postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """The running process keeps the rollups up to date by itself."""
    memorybank = MemoryBankProcess(postgres, broker, tmp_path / "log")
    memorybank.start()
    mqtt = mqtt_settings(broker)
    try:
        await asyncio.to_thread(memorybank.wait_healthy)
        async with Publisher.opened("chargepoint:CP-1", tmp_path / "outbox", mqtt) as publisher:
            for second in range(90):
                publisher.publish(reading(second, 10.0))
            rolled = "SELECT coalesce(sum(readings), 0)::int FROM memory.metrics_1m"
            await until(lambda: ask(postgres, rolled) == [(90,)], "the rollups")
    finally:
        memorybank.kill()
