"""The MemoryBank without MQTT, for tests: batches in, one transaction each."""

import uuid
from collections.abc import Sequence
from typing import Self

from contracts import events, topics
from contracts.events import AnyEvent, Batch
from contracts.topics import Source
from memorybank.detectors import found
from memorybank.intake import take
from memorybank.store import Store
from memorybank.tables import Position, Remembered
from memorybank.watch import Watch
from memorybank.work import Work
from memorybank_parts import ask, batch, source_of
from real_parts import Postgres


class Bank:
    """The MemoryBank without MQTT: batches in, one transaction each."""

    def __init__(self, store: Store, remembered: Remembered) -> None:
        self.store = store
        self.watch = Watch(found(), remembered.patterns, remembered.shown)
        self.watch.resume(remembered.events, remembered.open_anomalies, 0.0)
        self.positions = dict(remembered.positions)

    @classmethod
    async def opened(cls, store: Store) -> Self:
        """Load what the store remembers, as a process that starts."""
        return cls(store, await store.load())

    async def work_of(self, *batches: Batch) -> Work:
        work = Work()
        for each in batches:
            topic = topics.events_topic(Source.from_id(each.source))
            taken = take(topic, events.encode(each))
            key = (taken.source, taken.boot)
            if key not in self.positions:
                self.positions[key] = await self.store.position(*key)
            number, committed = self.positions[key].source_no, self.positions[key].committed
            committed = work.add(number, committed, topic, taken, self.watch, 0.0)
            self.positions[key] = Position(number, committed)
        return work

    async def save(self, *batches: Batch) -> Work:
        work = await self.work_of(*batches)
        await self.store.save(work)
        return work

    async def tell(self, happened: Sequence[AnyEvent], source: Source | None = None) -> Work:
        """Save events as the next ones of a source."""
        source = source or source_of()
        key = (source.id, uuid.UUID(int=1))
        committed = self.positions[key].committed if key in self.positions else 0
        return await self.save(batch(happened, committed + 1, source=source))


def numbers_of(postgres: Postgres) -> list[int]:
    return [number for (number,) in ask(postgres, "SELECT seq FROM memory.numbered_events ORDER BY seq")]  # type: ignore[misc]
