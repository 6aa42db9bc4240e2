"""The MemoryBank's loop: take messages, work out what they mean, save, then acknowledge and tell."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from contracts.errors import ContractError
from contracts.events import Committed
from memorybank.detectors.reversals import Reversals
from memorybank.intake import take
from memorybank.mqtt_consumer import Consumer
from memorybank.records import Poison
from memorybank.settings import Settings
from memorybank.store import Store
from memorybank.tables import Position, Remembered
from memorybank.watch import SILENCE_S, Watch
from memorybank.work import Work

log = logging.getLogger("memorybank")

_WAIT_S = 1.0
_LONG_SAVE_S = 5.0


@dataclass(slots=True)
class _Source:
    source: str
    boot: UUID
    position: Position


class Ingest:
    """Owns the positions of all sources and the detectors' states; runs for as long as the process."""

    def __init__(self, settings: Settings, store: Store, remembered: Remembered) -> None:
        self._settings = settings
        self._store = store
        self._sources = {
            key: _Source(*key, position=position) for key, position in remembered.positions.items()
        }
        self._by_number = {source.position.source_no: source for source in self._sources.values()}
        # One topic a source: the word of its latest boot.
        self._words = {source.source: _word(source) for source in self._sources.values()}
        reversals = Reversals(settings.reversal_gate_a, settings.reversal_threshold, settings.rated_current_a)
        now_s = asyncio.get_running_loop().time()
        self._watch = Watch((reversals,), remembered.patterns, remembered.shown)
        self._watch.resume(remembered.readings, remembered.open_anomalies, now_s)
        self._listening_s = now_s
        self.consumer = Consumer(settings.mqtt, settings.queue_mb * 1024 * 1024, self._tell_all)
        self.lag_s: float | None = None
        """Seconds from event time to commit in the latest transaction, of its slowest source."""

    async def run(self) -> None:
        """Take, save, acknowledge, for ever. Raises StoreConflict."""
        loop = asyncio.get_running_loop()
        async with self.consumer:
            while True:
                settings = self._settings
                deliveries = await self.consumer.take(settings.batch_messages, settings.batch_s, _WAIT_S)
                begun_s = loop.time()
                work = Work()
                for delivery in deliveries:
                    await self._gather(work, delivery.topic, delivery.payload, begun_s)
                self._expire(work, begun_s)
                if work.empty:
                    await self._store.check()
                else:
                    await self._store.save(work)
                if loop.time() - begun_s > _LONG_SAVE_S:
                    # Nobody was heard meanwhile; that does not mean that they were silent.
                    self._listening_s = loop.time()
                for delivery in deliveries:
                    delivery.ack()
                self._tell(work)

    async def _gather(self, work: Work, topic: str, payload: bytes, heard_s: float) -> None:
        try:
            taken = take(topic, payload)
        except ContractError as error:
            log.warning("set aside a message on %s: %s", topic, error)
            work.rows.poison.append(Poison(topic=topic, reason=str(error), payload=payload))
            return
        key = (taken.source, taken.boot)
        source = self._sources.get(key)
        if source is None:
            position = await self._store.position(taken.source, taken.boot, taken.committed)
            source = self._sources[key] = self._by_number[position.source_no] = _Source(*key, position)
        number, committed = source.position.source_no, source.position.committed
        committed = work.add(number, committed, topic, taken, self._watch, heard_s)
        source.position = Position(number, committed)

    def _expire(self, work: Work, now_s: float) -> None:
        listening_s = max(self._listening_s, self.consumer.connected_s or now_s)
        if self.consumer.connected and now_s - listening_s >= SILENCE_S:
            work.findings += self._watch.expire(now_s)

    def _tell(self, work: Work) -> None:
        now = datetime.now(UTC)
        lags_s = []
        for number, advance in work.advances.items():
            if advance.gap:
                log.error("%s: %d events are missing", self._by_number[number].source, advance.gap)
            if advance.last_event_at is not None:
                lags_s.append((now - advance.last_event_at).total_seconds())
            if advance.committed != advance.before or advance.duplicates:
                source = self._by_number[number]
                word = self._words[source.source] = _word(source)
                self.consumer.tell_committed(source.source, word)
        self.lag_s = max(lags_s, default=self.lag_s)
        for finding in work.findings:
            anomaly = finding.anomaly
            log.info(
                "%s %s on %s: %s", anomaly.kind, anomaly.phase, anomaly.charge_point_id, anomaly.severity
            )
            self.consumer.tell_anomaly(anomaly)

    def _tell_all(self) -> None:
        for source, word in self._words.items():
            self.consumer.tell_committed(source, word)


def _word(source: _Source) -> Committed:
    return Committed(boot=source.boot, seq=source.position.committed)
