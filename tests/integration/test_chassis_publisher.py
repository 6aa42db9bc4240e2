"""Publishing over a real broker to a stand-in for the MemoryBank: nothing lost, nothing twice, in order.

The stand-in is the commit side of the protocol and no more: what it commits, it keeps in a list.
"""

import asyncio
import os
import shutil
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from chassis import settings
from chassis.mqtt import Delivery, MqttLink, MqttSettings
from chassis.outbox import Outbox
from chassis.publisher import FLUSH_PERIOD_S, LONGEST_PERIOD_S, Publisher, period_s
from chassis.window import WINDOW_BATCHES
from contracts import events, topics
from contracts.events import Committed, SystemEvent
from real_parts import Broker

NAME = "csms:csms-1"


def event(number: int, charge_point_id: str = "CP-1") -> SystemEvent:
    return SystemEvent(
        at=datetime.now(UTC),
        charge_point_id=charge_point_id,
        service="test",
        name="noted",
        detail={"number": number},
    )


async def until(condition: Callable[[], object], what: str, timeout_s: float = 60.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        await asyncio.sleep(0.02)


@dataclass
class Memory:
    """What survives the stand-in's process: PostgreSQL's part."""

    committed: dict[tuple[str, uuid.UUID], int] = field(default_factory=dict)
    stored: list[tuple[str, int, SystemEvent]] = field(default_factory=list)
    gaps: int = 0

    def numbers(self) -> list[int]:
        """Return what the stored events say of themselves, in order of storing."""
        return [each.detail["number"] for _, _, each in self.stored if each.name == "noted"]


class Bank:
    """Commits batches in order and tells their sources; ends and starts again with the same memory."""

    def __init__(self, broker: Broker, memory: Memory) -> None:
        self.memory = memory
        self.heard = 0
        self.duplicates = 0
        self.ahead = 0
        self.is_deaf = False
        self._link = MqttLink(
            settings.read(MqttSettings, broker.environ("memorybank")),
            "bank",
            subscriptions=((topics.ALL_EVENTS, 1), (topics.ALL_TRUTH, 1)),
            on_message=self._take,
            on_connected=self._tell_all,
        )

    async def __aenter__(self) -> Self:
        await self._link.__aenter__()
        await until(lambda: self._link.connected, "the stand-in's connection")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._link.__aexit__(kind, error, trace)

    def _tell_all(self) -> None:
        for (source, boot), seq in self.memory.committed.items():
            self._tell(source, boot, seq)

    def _tell(self, source: str, boot: uuid.UUID, seq: int) -> None:
        word = events.encode(Committed(boot=boot, seq=seq))
        self._link.publish(topics.committed_topic(source), word, retain=True)

    def _take(self, delivery: Delivery) -> None:
        self.heard += 1
        if self.is_deaf:
            return
        batch = events.decode_batch(delivery.payload)
        assert topics.source_from_topic(delivery.topic).id == batch.source
        key = (batch.source, batch.boot)
        committed = self.memory.committed.get(key, batch.committed)
        self.memory.gaps += max(0, batch.committed - committed)
        committed = max(committed, batch.committed)
        if batch.first_seq > committed + 1:
            self.ahead += 1
        else:
            for seq, each in enumerate(batch.events, batch.first_seq):
                if seq <= committed:
                    self.duplicates += 1
                else:
                    assert isinstance(each, SystemEvent)
                    self.memory.stored.append((batch.source, seq, each))
            committed = max(committed, batch.last_seq)
        self.memory.committed[key] = committed
        delivery.ack()
        self._tell(batch.source, batch.boot, committed)


def mqtt_settings(broker: Broker) -> MqttSettings:
    return settings.read(MqttSettings, broker.environ("csms"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.sqlite"


@pytest.fixture
def memory() -> Memory:
    return Memory()


async def test_events_are_stored_in_order_and_then_forgotten(
    broker: Broker, path: Path, memory: Memory
) -> None:
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        for number in range(1000):
            publisher.publish(event(number))
        await until(lambda: len(memory.stored) == 1000, "all events")
        await until(lambda: publisher._outbox.kept_bytes == 0, "the outbox to be empty")
    assert memory.numbers() == list(range(1000))
    assert [seq for _, seq, _ in memory.stored] == list(range(1, 1001))


async def test_each_charge_points_events_stay_in_order(broker: Broker, path: Path, memory: Memory) -> None:
    ids = [f"CP-{n}/#+ %é" for n in range(1, 6)]
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        for number in range(500):
            publisher.publish(event(number, ids[number % 5]))
        await until(lambda: len(memory.stored) == 500, "all events")
    for k, charge_point_id in enumerate(ids):
        own = [
            each.detail["number"] for _, _, each in memory.stored if each.charge_point_id == charge_point_id
        ]
        assert own == list(range(k, 500, 5))


async def test_burst_of_many_is_stored(broker: Broker, path: Path, memory: Memory) -> None:
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        for number in range(20_000):
            publisher.publish(event(number))
        await until(lambda: len(memory.stored) == 20_000, "all events")
    assert memory.numbers() == list(range(20_000))
    assert publisher.dropped == 0


async def test_killed_broker_loses_nothing(broker: Broker, path: Path, memory: Memory) -> None:
    """Killed three times while events come; the acknowledged messages it held are gone each time."""
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        number = 0
        for _ in range(3):
            for _ in range(20):
                publisher.publish(event(number))
                number += 1
                await asyncio.sleep(0.01)
            broker.server.kill()
            for _ in range(20):
                publisher.publish(event(number))
                number += 1
                await asyncio.sleep(0.01)
            broker.server.start()
            await until(lambda: publisher.connected, "the connection")
        await until(lambda: len(memory.stored) >= number, "all events")
        await until(lambda: publisher._outbox.kept_bytes == 0, "the outbox to be empty")
    assert memory.numbers() == list(range(number))
    assert memory.gaps == 0


async def test_broker_that_comes_late_gets_everything(broker: Broker, path: Path, memory: Memory) -> None:
    broker.server.stop()
    async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        for number in range(100):
            publisher.publish(event(number))
        await until(lambda: publisher._outbox.kept_bytes > 0, "the events to be on disk")
        assert not publisher.connected
        broker.server.start()
        async with Bank(broker, memory):
            await until(lambda: len(memory.stored) == 100, "all events")
    assert memory.numbers() == list(range(100))


async def test_killed_memory_bank_gets_again_what_it_had_not_committed(
    broker: Broker, path: Path, memory: Memory
) -> None:
    async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        async with Bank(broker, memory):
            publisher.publish(event(0))
            await until(lambda: memory.stored, "the first event")
        async with Bank(broker, memory) as deaf:
            deaf.is_deaf = True
            for number in range(1, 50):
                publisher.publish(event(number))
                await asyncio.sleep(0.005)
            await until(lambda: deaf.heard, "something sent in vain")
        async with Bank(broker, memory):
            await until(lambda: len(memory.stored) == 50, "all events")
    assert memory.numbers() == list(range(50))


async def test_absent_memory_bank_finds_no_pile_of_repetitions(broker: Broker, path: Path) -> None:
    """What is sent in vain is one batch of each source, however much waits."""
    async with (
        Bank(broker, Memory()) as deaf,
        Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher,
    ):
        deaf.is_deaf = True
        for number in range(40):
            publisher.publish(event(number))
            publisher.flush()
        await until(lambda: deaf.heard, "the first batch")
        batches = publisher._outbox.uncommitted(next(iter(publisher._streams)).id)
        assert len(batches) > 10
        await asyncio.sleep(1.0)  # the time in which nothing more may come
        assert deaf.heard == 1


async def test_window_is_bounded(broker: Broker, path: Path, memory: Memory) -> None:
    longest = 0
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        await until(lambda: publisher.connected, "the connection")
        for number in range(600):
            publisher.publish(event(number))
            publisher.flush()
            longest = max(longest, *(len(stream.window.in_flight) for stream in publisher._streams.values()))
            if number % 50 == 0:
                await asyncio.sleep(0.02)
        await until(lambda: len(memory.stored) == 600, "all events")
    assert longest <= WINDOW_BATCHES
    assert memory.numbers() == list(range(600))


async def test_wiped_memory_bank_goes_on_after_what_it_once_had(
    broker: Broker, path: Path, memory: Memory
) -> None:
    """Its database is new; the outbox has forgotten what was committed; the rest must still arrive."""
    async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        async with Bank(broker, memory):
            for number in range(10):
                publisher.publish(event(number))
                publisher.flush()
            await until(lambda: len(memory.stored) == 10, "the first events")
            await until(lambda: publisher._outbox.kept_bytes == 0, "the word")
        for number in range(10, 20):  # kept while what was committed is about to be lost
            publisher.publish(event(number))
            publisher.flush()
        wiped = Memory()
        async with Bank(broker, wiped):
            publisher.publish(event(20))
            await until(lambda: len(wiped.stored) == 11, "the rest of the events")
    assert wiped.numbers() == list(range(10, 21))
    assert wiped.stored[0][1] == 11


async def test_memory_bank_restored_from_a_backup_goes_on_and_knows_its_gap(
    broker: Broker, path: Path, memory: Memory
) -> None:
    async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        async with Bank(broker, memory):
            for number in range(10):
                publisher.publish(event(number))
            await until(lambda: len(memory.stored) == 10, "the first events")
            await until(lambda: publisher._outbox.kept_bytes == 0, "the word")
        for key in memory.committed:
            memory.committed[key] = 4
        del memory.stored[4:]
        async with Bank(broker, memory):
            publisher.publish(event(10))
            await until(lambda: 10 in memory.numbers(), "the next event")
    assert memory.numbers() == [0, 1, 2, 3, 10]
    assert memory.gaps == 6


async def test_next_process_sends_what_the_last_one_could_not(
    broker: Broker, path: Path, memory: Memory
) -> None:
    for number in (0, 1, 2):
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            publisher.publish(event(number))
    async with Bank(broker, memory), Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
        publisher.publish(event(3))
        await until(lambda: len(memory.stored) == 4, "all events")
    assert memory.numbers() == [0, 1, 2, 3]
    assert [seq for _, seq, _ in memory.stored] == [1, 2, 3, 4]


async def test_next_process_under_another_name_sends_it_too(
    broker: Broker, path: Path, memory: Memory
) -> None:
    """A charge point that was renamed: its old source ends well, and makes room."""
    async with Publisher.opened("chargepoint:CP-1", path, mqtt_settings(broker)) as publisher:
        publisher.publish(event(0))
    async with (
        Bank(broker, memory),
        Publisher.opened("chargepoint:CP-2", path, mqtt_settings(broker)) as publisher,
    ):
        publisher.publish(event(1, "CP-2"))
        await until(lambda: len(memory.stored) == 2, "both events")
        await until(lambda: publisher._outbox.kept_bytes == 0, "the outbox to be empty")
    assert {source.partition("/")[0] for source, _, _ in memory.stored} == {
        "chargepoint:CP-1",
        "chargepoint:CP-2",
    }


async def test_outbox_that_a_power_cut_set_back_loses_no_new_event(
    broker: Broker, path: Path, memory: Memory
) -> None:
    """Its numbers were given before, to events that the MemoryBank has."""
    async with Bank(broker, memory):
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            publisher.publish(event(0))
            await until(lambda: len(memory.stored) == 1, "the first event")
            await until(lambda: publisher._outbox.kept_bytes == 0, "the word")
        copy = shutil.copy(path, path.with_suffix(".copy"))
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            for number in (1, 2, 3):
                publisher.publish(event(number))
            await until(lambda: len(memory.stored) == 4, "the next events")
        shutil.copy(copy, path)
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            for number in range(4, 10):
                publisher.publish(event(number))
            await until(lambda: len(memory.stored) == 10, "the newest events")
            await until(lambda: publisher._outbox.kept_bytes == 0, "the outbox to be empty")
    assert memory.numbers() == list(range(10))
    assert [seq for _, seq, _ in memory.stored] == list(range(1, 11))


async def test_deleted_outbox_begins_a_new_numbering(broker: Broker, path: Path, memory: Memory) -> None:
    async with Bank(broker, memory):
        for number in (0, 1):
            async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
                publisher.publish(event(number))
                await until(lambda: number in memory.numbers(), "the event")  # noqa: B023 - awaited here
            await asyncio.to_thread(path.unlink)
    assert [seq for _, seq, _ in memory.stored] == [1, 1]
    assert len(memory.committed) == 2


async def test_bug_in_flushing_ends_the_owner(broker: Broker, path: Path) -> None:
    """Or a service would run for days without keeping one event."""

    async def owner() -> None:
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            publisher._report_drops = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
            await asyncio.Event().wait()

    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(5):
            await owner()


async def test_failure_of_the_owner_is_raised_as_it_is(broker: Broker, path: Path) -> None:
    async def owner() -> None:
        async with Publisher.opened(NAME, path, mqtt_settings(broker)) as publisher:
            publisher.publish(event(0))
            raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        await owner()
    outbox = Outbox(path)
    assert outbox.kept_bytes > 0, "what was published before is kept"
    outbox.close()


KILLED = """
import asyncio, sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from chassis import settings
from chassis.mqtt import MqttSettings
from chassis.publisher import FLUSH_PERIOD_S, LONGEST_PERIOD_S, Publisher, period_s
from contracts.events import SystemEvent

async def main():
    async with Publisher.opened("csms:csms-1", Path(sys.argv[1]), settings.read(MqttSettings)) as publisher:
        number = int(sys.argv[2])
        while True:
            publisher.publish(
                SystemEvent(
                    at=datetime.now(UTC), charge_point_id="CP-1", service="test", name="noted",
                    detail={"number": number},
                )
            )
            number += 1
            print(number, flush=True)
            await asyncio.sleep(0.001)

asyncio.run(main())
"""


async def test_killed_publisher_loses_no_numbered_event(broker: Broker, path: Path, memory: Memory) -> None:
    """SIGKILL in the middle, three times; each process goes on where the last one's numbers end."""
    begun_at = []
    async with Bank(broker, memory):
        for first in (0, 1_000_000, 2_000_000):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                KILLED,
                str(path),
                str(first),
                env=os.environ | broker.environ("csms"),
                stdout=asyncio.subprocess.DEVNULL,
            )
            try:
                await until(lambda: first + 300 in memory.numbers(), "300 events")  # noqa: B023 - awaited here
            finally:
                process.kill()
                await process.wait()
            begun_at.append(first)
        outbox = Outbox(path)
        [source] = outbox.sources()
        numbered = outbox.last_seq(source)
        outbox.close()
        async with Publisher.opened(NAME, path, mqtt_settings(broker)):
            await until(lambda: len(memory.stored) == numbered, "all that was numbered")
    assert [seq for _, seq, _ in memory.stored] == list(range(1, numbered + 1))
    numbers = memory.numbers()
    for first in begun_at:  # a process' events are all there, up to the last one that was numbered
        own = [number for number in numbers if first <= number < first + 1_000_000]
        assert own == list(range(first, first + len(own)))


@pytest.mark.parametrize("taken", [0, 90, 1000, 1500, 10_000])
def test_the_more_events_come_the_longer_they_are_gathered(taken: int) -> None:
    """Within bounds; a fleet below a hundred charge points, 600 events a second, keeps its tenth."""
    expected_s = {0: 0.1, 90: 0.109, 1000: 0.2}.get(taken, LONGEST_PERIOD_S)
    assert period_s(taken) == pytest.approx(expected_s)


async def test_a_source_of_many_events_flushes_less_often(broker: Broker, path: Path) -> None:
    """Each flush is told before it begins; what comes in between decides how long the next one waits."""
    flushes_s: list[float] = []
    per_flush = 0

    def before_flush() -> None:
        flushes_s.append(asyncio.get_running_loop().time())
        for number in range(per_flush):
            publisher.publish(event(number))

    opened = Publisher.opened(NAME, path, mqtt_settings(broker), before_flush=before_flush)
    async with opened as publisher:
        await until(lambda: len(flushes_s) > 3, "flushes of few events")
        assert min(later - earlier for earlier, later in pairwise(flushes_s)) >= FLUSH_PERIOD_S * 0.99
        per_flush = 3000
        begun = len(flushes_s) + 1
        await until(lambda: len(flushes_s) > begun + 3, "flushes of many events")
        per_flush = 0
        waits_s = [later - earlier for earlier, later in pairwise(flushes_s[begun : begun + 4])]
        assert min(waits_s) >= LONGEST_PERIOD_S * 0.99
