"""Several MemoryBanks share the work by partition: each event in one place, no partition in two hands."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.publisher import Publisher
from contracts import topics
from memorybank.share import Share
from memorybank.store import Store
from memorybank_bank import Bank
from memorybank_flow import mqtt_settings, publish_notes, stored_numbers, until
from memorybank_parts import MemoryBankProcess, ask, batch, note, reading, source_of
from real_parts import Broker, Postgres


def of_partition(partition: int) -> str:
    """Return a charge point in a partition."""
    return next(name for name in map("CP-{}".format, range(1000)) if topics.partition_of(name) == partition)


@pytest.fixture
def two(postgres: Postgres, broker: Broker, tmp_path: Path) -> Iterator[list[MemoryBankProcess]]:
    processes = [
        MemoryBankProcess(postgres, broker, tmp_path / f"{number}.log", {"MEMORYBANK_SHARE": f"{number}/2"})
        for number in (1, 2)
    ]
    yield processes
    for process in processes:
        process.kill()


async def test_two_share_the_work(
    two: list[MemoryBankProcess], postgres: Postgres, broker: Broker, tmp_path: Path
) -> None:
    """One killed in the middle holds up its own share alone; in the end everything is there once."""
    count, first, second = 1500, *two
    for process in two:
        process.start()
    for process in two:
        await asyncio.to_thread(process.wait_healthy)
    async with Publisher.opened("test:1", tmp_path / "outbox", mqtt_settings(broker)) as publisher:
        publishing = asyncio.create_task(publish_notes(publisher, count, charge_points=40))
        await until(lambda: len(stored_numbers(postgres)) > count / 4, "the flow")
        first.kill()
        await publishing
        odd = "SELECT bool_and(committed_seq > 0) FROM memory.sources WHERE partition % 2 = 1"
        await until(lambda: ask(postgres, odd) == [(True,)], "the other's share")
        first.start()
        await until(lambda: len(stored_numbers(postgres)) >= count, "the rest", 60)
        assert publisher.dropped == 0
    assert stored_numbers(postgres) == list(range(1, count + 1))
    assert ask(postgres, "SELECT count(DISTINCT partition % 2), sum(gaps) FROM memory.sources") == [(2, 0)]
    assert second.get("/healthz")[0] == 200


async def test_shares_that_overlap_refuse(postgres: Postgres) -> None:
    """Who comes second says which partition somebody has; once that one is gone it goes on."""
    first = Store(postgres.writer_url, Share(1, 2))
    await first.load()
    beside, overlapping = Store(postgres.writer_url, Share(2, 2)), Store(postgres.writer_url, Share(3, 3))
    await asyncio.wait_for(beside.load(), 10)
    loading = asyncio.create_task(overlapping.load())
    await until(lambda: overlapping.problem, "the reason")
    assert overlapping.problem == "another MemoryBank writes partition 02, 05, 08, 11, 14 of this database"
    assert not overlapping.connected
    for store in (first, beside):
        await store.aclose()
    await asyncio.wait_for(loading, 20)
    await overlapping.aclose()


async def test_a_share_knows_its_own_alone(postgres: Postgres) -> None:
    """Positions, patterns and anomalies of other shares are not loaded: another one closes those."""
    cycle = [0.0, 0.0, 0.0, 0.0, 89.0, 99.0, 1.0, 0.0]
    bank = await Bank.opened(Store(postgres.writer_url))
    names = [of_partition(partition) for partition in (0, 1)]
    for name in names:
        readings = [reading(second, cycle[second % 8], charge_point_id=name) for second in range(80)]
        await bank.save(batch([*readings, note(81)], source=source_of(name, f"chargepoint:{name}")))
    await bank.store.aclose()
    for number, name in enumerate(names, start=1):
        store = Store(postgres.writer_url, Share(number, 2))
        known = await store.load()
        assert {source for source, _ in known.positions} == {source_of(name, f"chargepoint:{name}").id}
        assert {anomaly.charge_point_id for anomaly in known.open_anomalies} == {name}
        kind = "repeated-current-fluctuation"
        assert [len(known.patterns.of(each, kind)) for each in names] == [int(each == name) for each in names]
        assert {each.charge_point_id for each in known.events} == {name}
        await store.aclose()
