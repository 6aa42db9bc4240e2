"""The MemoryBank's loop: take messages, work out what they mean, save, then tell how far it is committed.

While one work is being saved the next is gathered, one ahead at most: what is beyond waits at the broker.
To the broker a message is acknowledged when it is gathered. Nothing rests on that, since sources keep and
send again what no word of the commit came for; done later, a broker's window of 100 messages would be full.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from chassis.mqtt import Delivery
from contracts.errors import ContractError
from contracts.events import FLEET, Anomaly, Committed
from memorybank import rollup
from memorybank.detector import AnyDetector
from memorybank.intake import take
from memorybank.learning import Learning
from memorybank.mqtt_consumer import Consumer
from memorybank.pace import Pace
from memorybank.records import Poison
from memorybank.settings import Settings
from memorybank.store import Store
from memorybank.tables import Position, Remembered
from memorybank.watch import SILENCE_S, Watch
from memorybank.work import Advance, Work

log = logging.getLogger("memorybank")

_IDLE_S = 1.0
_QUIET_S = 0.01
"""When nothing more comes for so long, what came is saved, unless the last save is too near."""
_SAVES = 2.0
_LONGEST_S = 0.25
"""Under load it is gathered for so many times what saving takes: a transaction has a price of its own."""
_BUSY_S = 0.05
_LONG_SAVE_S = 5.0
_WORK_BYTES = 8 * 1024 * 1024
"""Two works of this size, decoded, are in memory at most, and what waits at the consumer."""
_SLICE_MESSAGES = 50
"""Decoded at a time: about 10 ms of which nothing else in the process gets a turn."""


@dataclass(slots=True)
class _Source:
    source: str
    boot: UUID
    position: Position


class Ingest:
    """Owns the positions of all sources and the detectors' states; runs for as long as the process."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        remembered: Remembered,
        detectors: Iterable[AnyDetector],
        also_tell: Callable[[Anomaly], None] | None = None,
    ) -> None:
        """`also_tell` is called with every change of an anomaly that is stored, and must return at once."""
        self._also_tell = also_tell
        self._settings = settings
        self._store = store
        self._share = settings.share
        self._sources = {
            key: _Source(*key, position=position) for key, position in remembered.positions.items()
        }
        self._by_number = {source.position.source_no: source for source in self._sources.values()}
        # One topic a source: the word of its latest boot, of what is committed.
        self._words = {
            source.source: Committed(boot=source.boot, seq=source.position.committed)
            for source in self._sources.values()
        }
        now_s = asyncio.get_running_loop().time()
        self._learning = Learning(
            timedelta(minutes=settings.learn_quarantine_minutes),
            timedelta(minutes=settings.learn_every_minutes),
        )
        self._learning.load(remembered.baselines, remembered.version, remembered.agreed)
        if not self._share.has(FLEET):
            # Each of several would tell of its own part of the fleet as if it were all of it: one does.
            detectors = [detector for detector in detectors if detector.scope != "fleet"]
        self._watch = Watch(detectors, remembered.patterns, remembered.shown, self._learning)
        self._watch.resume(remembered.events, remembered.open_anomalies, now_s)
        self._listening_s = now_s
        self._turns, self._roll_up_s = rollup.Turns(self._share.partitions), now_s
        self._save_s = 0.0
        self._saving_since_s = float("-inf")
        self._pace = Pace(self._share.partitions[0], now_s)
        self.consumer = Consumer(settings.mqtt, self._share, settings.queue_mb * 1024 * 1024, self._tell_all)
        self.lag_s: float | None = None
        """Seconds from event time to commit in the latest transaction, of its slowest source."""
        self.transactions = 0
        self.events_stored = 0
        self.readings_stored = 0
        self.gaps = 0
        """Events that sources believe stored and that are not here, since the start."""
        self.duplicates = 0
        self.ahead = 0
        self.poison = 0
        self.rollup_lag = 0
        """Numbers that are committed and not in the rollups yet."""

    @property
    def detector_failures(self) -> int:
        """How often a detector failed and began afresh."""
        return self._watch.failures

    @property
    def learning(self) -> Learning:
        """What is learned, and from how much."""
        return self._learning

    async def run(self) -> None:
        """Take, save, acknowledge, for ever. Raises StoreConflict."""
        finishing = asyncio.create_task(asyncio.sleep(0))
        async with self.consumer:
            try:
                while True:
                    work = await self._gathered(finishing)
                    await finishing
                    self._expire(work)
                    work.learned = self._learning.advance(datetime.now(UTC))
                    work.pulse = self._pace.pulse(
                        datetime.now(UTC), asyncio.get_running_loop().time(), self.consumer.waiting_messages
                    )
                    finishing = asyncio.create_task(self._finish(work), name="store")
            finally:
                finishing.cancel()
                with suppress(asyncio.CancelledError):
                    await finishing

    async def _gathered(self, finishing: "asyncio.Task[None]") -> Work:
        """Return the next work: what comes within a while, or until the last one is finished."""
        settings, loop = self._settings, asyncio.get_running_loop()
        work = Work()
        count, size, begun_s, wait_s = 0, 0, loop.time(), _IDLE_S
        gather_s = max(settings.batch_s, min(_SAVES * self._save_s, _LONGEST_S))
        while count < settings.batch_messages and size < _WORK_BYTES:
            room = min(settings.batch_messages - count, _SLICE_MESSAGES)
            some = await self.consumer.take(room, _WORK_BYTES - size, wait_s)
            if count == 0:
                begun_s = loop.time()
            for delivery in some:
                await self._gather(work, delivery, begun_s)
                delivery.ack()
                count += 1
                size += len(delivery.payload)
            # However the flow is cut into bursts, there is one transaction in `gather_s`.
            now_s, due_s = loop.time(), self._saving_since_s + gather_s
            if finishing.done() and now_s >= due_s and (not some or now_s - begun_s >= gather_s):
                break
            wait_s = max(_QUIET_S, due_s - now_s) if finishing.done() else _BUSY_S
            await asyncio.sleep(0)
        return work

    async def _gather(self, work: Work, delivery: Delivery, heard_s: float) -> None:
        try:
            taken = take(delivery.topic, delivery.payload)
        except ContractError as error:
            log.warning("set aside a message on %s: %s", delivery.topic, error)
            work.rows.poison.append(Poison(topic=delivery.topic, reason=str(error), payload=delivery.payload))
            return
        if taken.partition not in self._share.partitions:
            log.warning("%s is not of our share", delivery.topic)
            return
        key = (taken.source, taken.boot)
        source = self._sources.get(key)
        if source is None:
            position = await self._store.position(taken.source, taken.boot)
            source = self._sources[key] = self._by_number[position.source_no] = _Source(*key, position)
        number, committed = source.position.source_no, source.position.committed
        committed = work.add(number, committed, delivery.topic, taken, self._watch, heard_s)
        source.position = Position(number, committed)

    def _expire(self, work: Work) -> None:
        now_s = asyncio.get_running_loop().time()
        listening_s = max(self._listening_s, self.consumer.connected_s or now_s)
        if self.consumer.connected and now_s - listening_s >= SILENCE_S:
            work.findings += self._watch.expire(now_s)

    async def _finish(self, work: Work) -> None:
        """Save the work, then tell; roll up where it is time."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        if work.empty:
            await self._store.check()
        else:
            self._saving_since_s = begun_s
            await self._store.save(work)
            self._save_s = loop.time() - begun_s
            self.transactions += 1
            if work.advances:
                self._pace.commit(work.tally, datetime.now(UTC))
        self._tell(work)
        if loop.time() >= self._roll_up_s:
            await self._roll_up(turns=len(self._turns) if work.empty else 1)
        if loop.time() - begun_s > _LONG_SAVE_S:
            # Nobody was heard meanwhile; that does not mean that they were silent.
            self._listening_s = loop.time()

    async def _roll_up(self, *, turns: int) -> None:
        for _ in range(turns):
            if self._turns.taken(await self._store.roll_up(self._turns.partitions)):
                self.rollup_lag = self._turns.left
                if not self.rollup_lag:
                    self._roll_up_s = asyncio.get_running_loop().time() + rollup.due_in_s(time.time())

    def _tell(self, work: Work) -> None:
        """Tell what is committed now; it is behind what is gathered."""
        now = datetime.now(UTC)
        lags_s = []
        for number, advance in work.advances.items():
            source = self._by_number[number]
            self._count(advance)
            if advance.last_event_at is not None:
                lags_s.append((now - advance.last_event_at).total_seconds())
            if advance.committed != advance.before or advance.duplicates:
                word = self._words[source.source] = Committed(boot=source.boot, seq=advance.committed)
                self.consumer.tell_committed(source.source, word)
        self.lag_s = max(lags_s, default=self.lag_s)
        self.poison += len(work.rows.poison)
        for gap in work.gaps:
            source = self._by_number[gap.source_no]
            log.error("%s: events %d to %d are missing", source.source, gap.first_seq, gap.last_seq)
        self._tell_learned(work)
        for finding in work.findings:
            anomaly = finding.anomaly
            log.info(
                "%s %s on %s: %s", anomaly.kind, anomaly.phase, anomaly.charge_point_id, anomaly.severity
            )
            self.consumer.tell_anomaly(anomaly)
            if self._also_tell is not None:
                self._also_tell(anomaly)

    def _tell_learned(self, work: Work) -> None:
        if work.learned is None:
            return
        log.info("learned version %d from %d sessions", work.learned.number, work.learned.sessions)
        for drift in work.learned.proposals:
            log.warning(
                "%s %d: %s (%s) drifts from %.3g to %.3g: not learned until a person agrees (docs/memory.md)",
                drift.charge_point_id,
                drift.connector,
                drift.metric,
                drift.phase,
                drift.known_mean,
                drift.mean,
            )

    def _count(self, advance: Advance) -> None:
        self.events_stored += advance.events
        self.readings_stored += advance.metrics
        self.gaps += advance.gap
        self.duplicates += advance.duplicates
        self.ahead += advance.ahead
        self.rollup_lag += advance.committed - advance.before

    def _tell_all(self) -> None:
        for source, word in self._words.items():
            self.consumer.tell_committed(source, word)
